"""What the contract asks of a business before a messenger is opened: territory, consent, industry, place of processing, tariff."""

from dataclasses import replace
from typing import Any

import pytest

from hub.billing import ports as billing
from hub.channels import conditions, providers, service
from hub.channels.conditions import ConditionNotMet, Conditions, check
from hub.core.clock import FakeClock
from hub.core.i18n import LOCALES, catalogue
from tests.channels.support import act, card, connect, field, form, upload, words
from tests.inbox.pages_support import PAGE, visit
from tests.sandbox.support import Simulated
from tests.support import HubUnderTest

THREEMA = Conditions(territory=("DE", "AT", "GB"))
RCS = Conditions(consent_of="Google")
VIBER = Conditions(asks_industry=True)
ABROAD = Conditions(leaves=("US",))


@pytest.mark.parametrize(
    ("asked", "answers", "documents", "reason"),
    [
        (Conditions(), {}, (), ""),
        (THREEMA, {"seat": "GB"}, (), ""),
        (THREEMA, {"seat": "CH"}, (), "territory"),
        (THREEMA, {"seat": "FR"}, (), "territory"),
        (THREEMA, {}, (), "territory"),
        (RCS, {}, ("consent",), "consent"),
        (RCS, {"consent": " "}, ("consent",), "consent"),
        (RCS, {"consent": "Google, 12.10.2026, Az. 7"}, (), "document"),
        (RCS, {"consent": "Google, 12.10.2026, Az. 7"}, ("region",), "document"),
        (RCS, {"consent": "Google, 12.10.2026, Az. 7"}, ("consent",), ""),
        (VIBER, {}, (), "unanswered"),
        (VIBER, {"industry": "something"}, (), "unanswered"),
        (VIBER, {"industry": "none"}, (), ""),
        (VIBER, {"industry": "credit"}, ("industry_consent",), "industry_consent"),
        (VIBER, {"industry": "credit", "industry_consent": "Viber, 1.10.2026"}, (), "document"),
        (VIBER, {"industry": "credit", "industry_consent": "Viber, 1.10.2026"}, ("industry_consent",), ""),
        *(
            (VIBER, {"industry": one, "industry_consent": "x"}, ("industry_consent",), "industry")
            for one in conditions.INDUSTRIES
            if one != "credit"
        ),
        (ABROAD, {}, ("region",), "region"),
        (ABROAD, {"region": "Vorstand, 3.11.2026"}, (), "document"),
        (ABROAD, {"region": "Vorstand, 3.11.2026"}, ("region",), ""),
    ],
)
def test_each_condition(asked: Conditions, answers: dict[str, str], documents: tuple[str, ...], reason: str) -> None:
    """R-190, R-193, R-197, R-262 as a table: "consumer credit, not a bank" only with a consent document, any other class never."""
    if not reason:
        check(asked, answers, documents)
        return
    with pytest.raises(ConditionNotMet) as told:
        check(asked, answers, documents)
    assert told.value.reason == reason


def test_there_are_eleven_classes_and_words_for_all() -> None:
    """R-197: whappodo III.9.5 (i)-(xi)."""
    assert len(conditions.INDUSTRIES) == 11
    for locale in LOCALES:
        texts = catalogue(locale)
        for one in (conditions.NONE, *conditions.INDUSTRIES):
            assert texts[f"channels.industry.{one}"]
        for one in ("territory", "consent", "unanswered", "industry", "industry_consent", "region", "document"):
            assert texts[f"channels.condition.{one}"]


async def test_threema_is_refused_outside_its_territory(
    hub: HubUnderTest, simulated: Simulated, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R-193: given a seat in CH or FR, when enabled, then refused `territory`; given GB, then allowed. The list is a parameter."""
    monkeypatch.setitem(conditions.TERRITORY, "telegram", "threema.territory")
    ada = await visit(hub, "Ada Admin", role="admin")
    assert "Eingetragener Sitz" in words(await ada.page("/channels?connect=telegram"))
    for seat in ("CH", "FR", ""):
        answer = await ada.post("/channels", headers=PAGE, **form(simulated, says_seat=seat))
        assert answer.status_code == 409 and "nur Betrieben mit Sitz in seinem Vertragsgebiet" in words(answer.text)
        assert 'aria-invalid="true"' in answer.text and f'<option value="{seat}"' in answer.text
    assert await hub.value("SELECT count(*) FROM channel") == 0 and simulated.bot.webhook is None
    assert (await ada.post("/channels", headers=PAGE, **form(simulated, says_seat="GB"))).status_code == 303
    assert await hub.value("SELECT answers FROM channel_declaration") == {"seat": "GB"}


async def test_no_consent_no_channel(hub: HubUnderTest, simulated: Simulated, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-190: given no uploaded consent, when the channel is enabled, then refused; a channel connected before the condition needs
    it too."""
    ada = await visit(hub, "Ada Admin", role="admin")
    channel = await connect(hub, ada, simulated)
    monkeypatch.setitem(conditions.CONSENT_OF, "telegram", "Google")
    answer = await act(ada, channel, "on")
    assert answer.status_code == 409 and "Ohne schriftliche Zustimmung von Google öffnet der Hub diesen Kanal nicht." in words(
        answer.text
    )
    assert (await act(ada, channel, "declare", says_consent="")).status_code == 409
    answer = await act(ada, channel, "declare", says_consent="Google, 12.10.2026")
    assert answer.status_code == 409 and "Hier fehlt das Schriftstück." in words(answer.text)
    await upload(ada, "telegram/consent")
    assert (await act(ada, channel, "declare", says_consent="Google, 12.10.2026")).status_code == 303
    assert 'value="Google, 12.10.2026"' in field(await card(ada, channel), "says_consent")
    assert (await act(ada, channel, "on")).status_code == 303


async def test_the_industry_is_asked_again_every_year(
    hub: HubUnderTest, simulated: Simulated, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R-197: the questionnaire at enabling, re-asked yearly; R-196: a new account of such a messenger is `applied`."""
    monkeypatch.setattr(conditions, "ASKS_INDUSTRY", frozenset({"telegram"}))
    monkeypatch.setattr(conditions, "NEEDS_APPROVAL", frozenset({"telegram"}))
    ada = await visit(hub, "Ada Admin", role="admin")
    channel = await connect(hub, ada, simulated, says_industry="none")
    assert await hub.value("SELECT approval FROM channel") == "applied"
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        await conditions.require(unit, "telegram")
        clock.advance(days=366)
        with pytest.raises(ConditionNotMet, match="unanswered"):
            await conditions.require(unit, "telegram")
    assert await hub.value("SELECT state FROM channel WHERE id = $1", channel.id) == "on"


async def test_where_messages_may_be_processed(hub: HubUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-262: given a connector marked US, when enabled under the strict setting, then refused without consent document."""
    told = replace(providers.provider_of("telegram"), regions=("EU", "US"))
    monkeypatch.setattr(providers, "_providers", lambda: {"telegram": told})

    async def leaves() -> tuple[str, ...]:
        async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
            return (await conditions.conditions_of(unit, "telegram")).leaves

    async def allow(*regions: str) -> None:
        async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
            await unit.sql.execute(
                """
                INSERT INTO policy_override (organisation_id, name, level, parameter, source, created_at)
                VALUES ($1, 'allowed_regions', 'individual', to_jsonb($2::text[]), 'Vertrag', $3)
                ON CONFLICT (organisation_id, name, level) DO UPDATE SET parameter = to_jsonb($2::text[])
                """,
                unit.tenant,
                list(regions),
                hub.clock(),
            )

    assert await leaves() == ()
    await allow("EU", "US")
    assert await leaves() == ()
    await allow("EU")
    assert await leaves() == ("US",)
    with pytest.raises(ConditionNotMet, match="region"):
        await service.connect_channel(
            hub.runtime, hub.owner, connector="telegram", title="", values={"bot_token": "1:" + "a" * 35}, answers={}
        )
    monkeypatch.setattr(providers, "_providers", lambda: {"telegram": replace(told, regions=())})
    assert await leaves() == ("world",), "one that does not say where may be anywhere"


async def test_only_what_the_tariff_has(hub: HubUnderTest, simulated: Simulated, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-182: given a tariff without the messenger, when a channel is created, then 402; nothing is stored."""

    async def without(unit: Any, what: str) -> billing.Entitlement:
        return billing.Entitlement(what, what != "messenger.telegram", None, "not_in_plan")

    monkeypatch.setattr(billing, "entitled", without)
    ada = await visit(hub, "Ada Admin", role="admin")
    answer = await ada.post("/channels", headers=PAGE, **form(simulated))
    assert answer.status_code == 402 and "Ihr Tarif enthält diesen Messenger" in words(answer.text)
    assert await hub.value("SELECT count(*) FROM channel") == 0 and simulated.bot.webhook is None
