"""An account is looked after: credentials are renewed, its state is asked, templates are taken over, and somebody is told."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from httpx import AsyncClient
from pydantic import SecretStr

from hub.channels import care, history, providers, service, templates
from hub.connectors.contract import Account, Renewal, SetupResult, TemplateRecord
from hub.connectors.errors import ConnectorError, CredentialsRejected, Unavailable
from hub.connectors.events import ChannelHealth, Event
from hub.connectors.registry import Registry
from hub.core import clock as hub_clock
from hub.inbox.arriving import ingest
from tests.probe import Probe, ProbeSettings
from tests.support import Connected, HubUnderTest

DAY = 86_400


@dataclass
class Provider:
    """What the provider says and does."""

    lasts: int | None = None
    renewals: int = 0
    checks: int = 0
    refuses: ConnectorError | None = None
    events: list[ChannelHealth] = field(default_factory=list)
    records: list[TemplateRecord] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)


provider = Provider()


class Cared(Probe):
    connector = "cared"
    renew_seconds_before = 10 * DAY

    async def setup(self, account: Account[ProbeSettings], callback_url: str | None, http: AsyncClient) -> SetupResult:
        long_lived = ProbeSettings(token=SecretStr("long"))
        return SetupResult(
            own_id="1", address="@cared", title="Cared", settings=long_lived, lasts_seconds=provider.lasts, per_second=7.0
        )

    async def renew(self, account: Account[ProbeSettings], http: AsyncClient) -> Renewal:
        provider.renewals += 1
        if provider.refuses:
            raise provider.refuses
        return Renewal(settings=ProbeSettings(token=SecretStr(f"renewed-{provider.renewals}")), lasts_seconds=provider.lasts)

    async def check(self, account: Account[ProbeSettings], http: AsyncClient) -> Sequence[Event]:
        provider.checks += 1
        if provider.refuses:
            raise provider.refuses
        return provider.events

    async def list_templates(self, account: Account[ProbeSettings], http: AsyncClient) -> Sequence[TemplateRecord]:
        return provider.records

    async def create_template(self, template: TemplateRecord, account: Account[ProbeSettings], http: AsyncClient) -> TemplateRecord:
        return record(template.name, "pending", category=template.category)

    async def delete_template(self, template: TemplateRecord, account: Account[ProbeSettings], http: AsyncClient) -> None:
        provider.deleted.append(template.provider_id)


def record(name: str, status: str = "approved", *, category: str = "utility", reason: str = "") -> TemplateRecord:
    return TemplateRecord(
        provider_id=f"id-{name}", name=name, language="de", category=category, status=status, components=(), reason=reason
    )


@pytest.fixture
def connectors() -> Registry:
    return Registry([Cared()])


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    vars(provider).update(vars(Provider()))
    monkeypatch.setattr(service, "provider_of", lambda _: providers.Provider("x", "x", "1", ()))


async def connect(hub: HubUnderTest) -> UUID:
    """An account as the page connects it."""
    channel_id = await service.connect_channel(hub.runtime, hub.owner, connector="cared", title="Cared", values={"token": "short"})
    await service.accept_terms(hub.runtime, hub.owner, "cared")
    await service.switch_on(hub.runtime, hub.owner, channel_id)
    await hub.settle()
    return channel_id


async def token(hub: HubUnderTest, channel_id: UUID) -> str:
    settings: Any = (await ingest.load_channel(hub.runtime, hub.organisation_id, channel_id)).account.settings
    return str(settings.token.get_secret_value())


async def causes(hub: HubUnderTest, channel_id: UUID) -> list[str]:
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        return [one.cause for one in await history.list_history(unit, channel_id, 50)][::-1]


async def test_what_the_set_up_learnt_is_taken_over(hub: HubUnderTest) -> None:
    provider.lasts = 60 * DAY
    channel_id = await connect(hub)
    assert await token(hub, channel_id) == "long"
    channel = await ingest.load_channel(hub.runtime, hub.organisation_id, channel_id)
    assert channel.per_second == 7.0
    assert await hub.value("SELECT credentials_expire_at FROM channel") == hub_clock.now() + timedelta(days=60)
    assert provider.checks == 1  # asked at once
    assert {"connected", "switched_on"} <= set(await causes(hub, channel_id))


async def test_credentials_are_renewed_before_they_end_and_not_earlier(hub: HubUnderTest) -> None:
    provider.lasts = 60 * DAY
    channel_id = await connect(hub)
    hub.clock.advance(days=49, hours=23)
    await hub.settle()
    assert provider.renewals == 0
    hub.clock.advance(hours=2)
    await hub.settle()
    assert (provider.renewals, await token(hub, channel_id)) == (1, "renewed-1")
    assert await hub.value("SELECT credentials_expire_at FROM channel") == hub_clock.now() + timedelta(days=60)
    assert (await causes(hub, channel_id))[-1] == "credentials_renewed"


async def test_a_token_of_an_hour_is_renewed_in_time_again_and_again(hub: HubUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Cared, "renew_seconds_before", 300)
    provider.lasts = 3600
    channel_id = await connect(hub)
    for number in range(1, 4):
        hub.clock.advance(minutes=54)
        await hub.settle()
        assert provider.renewals == number - 1
        hub.clock.advance(minutes=2)
        await hub.settle()
        assert (provider.renewals, await token(hub, channel_id)) == (number, f"renewed-{number}")


async def test_a_renewal_that_needs_a_person_pauses_the_channel(hub: HubUnderTest) -> None:
    """Whoever can mend it is told (`incidents.py`)."""
    provider.lasts = 60 * DAY
    channel_id = await connect(hub)
    provider.refuses = CredentialsRejected("token", "session expired")
    hub.clock.advance(days=50)
    await hub.settle()
    row = (await hub.rows("SELECT health, health_cause, health_text FROM channel"))[0]
    assert tuple(row) == ("attention", "auth_failed", "session expired")
    assert await token(hub, channel_id) == "long"


async def test_a_provider_that_is_away_is_asked_again_within_the_hour(hub: HubUnderTest) -> None:
    channel_id = await connect(hub)
    provider.refuses = Unavailable("503", "")
    hub.clock.advance(days=1)
    await hub.settle()
    assert (provider.checks, await hub.value("SELECT health FROM channel")) == (2, "healthy")
    provider.refuses = None
    provider.events = [ChannelHealth(key="h", at=hub_clock.now(), level="warning", cause="quality", text="LOW")]
    hub.clock.advance(hours=1)
    await hub.settle()
    assert (provider.checks, await hub.value("SELECT warning_cause FROM channel")) == (3, "quality")
    provider.events = [ChannelHealth(key="h", at=hub_clock.now(), level="ok", cause="")]
    for _ in range(3):
        hub.clock.advance(days=1)
        provider.events = [ChannelHealth(key="h", at=hub_clock.now(), level="ok", cause="")]
        await hub.settle()
    assert [one for one in await causes(hub, channel_id) if one in ("quality", "")] == ["quality", ""]  # all is well: news once


async def test_templates_are_taken_over_with_what_became_of_them(hub: HubUnderTest) -> None:
    provider.records = [record("termin", "pending"), record("rechnung")]
    channel_id = await connect(hub)
    provider.records = [record("termin", "rejected", reason="INVALID_FORMAT")]
    hub.clock.advance(days=1)
    await hub.settle()
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        (kept,) = await templates.list_templates(unit, channel_id)
        became = (await templates.histories_of(unit, [kept.id]))[kept.id]
        assert await templates.list_templates(unit, channel_id, only_approved=True) == []
    assert (kept.name, kept.status, kept.reason) == ("termin", "rejected", "INVALID_FORMAT")
    assert [one.status for one in became] == ["rejected", "pending"]
    assert await hub.value("SELECT count(*) FROM template_event WHERE status = 'gone'") == 1


async def test_the_providers_decision_shows_at_once_and_an_unknown_template_comes_with_the_next_list(hub: HubUnderTest) -> None:
    provider.records = [record("termin", "pending")]
    channel_id = await connect(hub)
    secret = (await ingest.load_channel(hub.runtime, hub.organisation_id, channel_id)).account.webhook_secrets[0]
    channel = Connected(channel_id, "cared", secret)
    hub.clock.advance(minutes=5)
    at = hub_clock.now().timestamp()
    provider.records = [record("termin"), record("neu")]
    told = {"type": "template", "provider_id": "id-termin", "name": "termin", "language": "de", "status": "approved"}
    await hub.deliver(channel, [{**told, "key": "t1", "at": at}, {**told, "key": "t2", "name": "neu", "at": at}])
    await ingest.drain(hub.runtime, hub.organisation_id, channel_id, hub.worker_id)
    assert await hub.value("SELECT status FROM template WHERE name = 'termin'") == "approved"
    await hub.settle()
    assert await hub.value("SELECT count(*) FROM template WHERE status = 'approved'") == 2


async def test_a_template_is_submitted_and_taken_away_by_a_named_member(hub: HubUnderTest) -> None:
    channel_id = await connect(hub)
    template_id = await templates.create(hub.runtime, hub.owner, channel_id, record("angebot", "", category="marketing"))
    assert await hub.value("SELECT status FROM template") == "pending"
    hub.clock.advance(seconds=1)
    await templates.delete(hub.runtime, hub.owner, channel_id, template_id)
    assert provider.deleted == ["id-angebot"]
    rows = await hub.rows("SELECT status, member_id FROM template_event ORDER BY at, id")
    assert [tuple(row) for row in rows] == [("pending", hub.owner.member_id), ("gone", hub.owner.member_id)]
    assert await hub.value("SELECT count(*) FROM audit_entry WHERE action LIKE 'template.%'") == 2


async def test_two_workers_do_not_look_after_one_account_at_once(hub: HubUnderTest) -> None:
    channel_id = await connect(hub)
    hub.clock.advance(days=1)
    from hub.core import ids, lanes

    assert await lanes.take(hub.runtime.database, hub.organisation_id, channel_id, "care", ids.new_id())
    await care.drain(hub.runtime, hub.organisation_id, channel_id, hub.worker_id)
    assert provider.checks == 1
