"""Purposes with their words, and what was agreed to for each (R-220, R-222 to R-224)."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.consent import purposes
from hub.consent.books import ledger
from hub.consent.books.chain import Change
from hub.consent.books.states import Grant, Kind, join_grants
from hub.consent.purposes import Wording
from hub.core.db import UnitOfWork
from hub.core.errors import Conflict, InvalidInput
from tests.consent.support import WORDS, define_purpose, record
from tests.support import HubUnderTest, telegram_text

AT = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
PHONE, OTHER = ("whatsapp", "", "436605550172"), ("whatsapp", "", "AT.1234")


def said(kind: Kind, purpose_id: UUID | None, seconds: int, key: tuple[str, str, str] = PHONE, **more: Any) -> Change:
    return Change(*key, kind, AT + timedelta(seconds=seconds), {"source": "test"}, purpose_id=purpose_id, **more)


async def state_of(hub: HubUnderTest, purpose_id: UUID, key: tuple[str, str, str] = PHONE, seconds: int = 1000) -> str:
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        return await _state(unit, purpose_id, key, AT + timedelta(seconds=seconds))


async def _state(unit: UnitOfWork, purpose_id: UUID, key: tuple[str, str, str], now: datetime) -> str:
    row = await unit.sql.fetchrow(
        "SELECT * FROM consent_grant WHERE messenger = $1 AND scope = $2 AND address = $3 AND purpose_id = $4", *key, purpose_id
    )
    stopped = await unit.sql.fetchval(
        "SELECT stopped_at FROM consent_state WHERE messenger = $1 AND scope = $2 AND address = $3", *key
    )
    return ledger.read_grant(row).state(stopped, now) if row else "unknown"


async def test_other_words_are_another_version_and_the_old_one_stays(hub: HubUnderTest) -> None:
    """R-222: evidence names the exact text and its version, so a version never changes."""
    purpose_id = await define_purpose(hub)
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        other = {**WORDS, "de": Wording("Radpost", "Ich möchte jede Woche die Radpost erhalten.")}
        assert await purposes.revise_purpose(unit, hub.owner, purpose_id, WORDS) == 1
        assert await purposes.revise_purpose(unit, hub.owner, purpose_id, other) == 2
        assert (await purposes.wording_of(unit, purpose_id, 1, "de")).text == "Ich möchte die Radpost erhalten."
        [purpose] = await purposes.list_purposes(unit)
        assert (purpose.version, purpose.words["de"].text) == (2, "Ich möchte jede Woche die Radpost erhalten.")
        with pytest.raises(InvalidInput, match="German and English"):
            await purposes.revise_purpose(unit, hub.owner, purpose_id, {"de": WORDS["de"]})
    with pytest.raises(Conflict):
        await define_purpose(hub)


async def test_a_purpose_is_granted_withdrawn_and_granted_anew(hub: HubUnderTest) -> None:
    """Per purpose: one that is withdrawn leaves the other; a stop ends both; what is granted after it holds again."""
    letter, orders = await define_purpose(hub), await define_purpose(hub, "orders", "service")
    assert await state_of(hub, letter) == "unknown"
    await record(hub, said("granted", letter, 1), said("granted", orders, 1))
    await record(hub, said("withdrawn", letter, 5))
    assert (await state_of(hub, letter), await state_of(hub, orders)) == ("withdrawn", "granted")
    await record(hub, said("opt_out", None, 9))
    assert await state_of(hub, orders) == "withdrawn"
    await record(hub, said("granted", letter, 12))
    assert (await state_of(hub, letter), await state_of(hub, orders)) == ("granted", "withdrawn")
    await record(hub, said("granted", orders, 7))  # comes late: the stop was after it
    assert await state_of(hub, orders) == "withdrawn"
    row = (await hub.rows("SELECT granted_seq, withdrawn_seq FROM consent_grant WHERE purpose_id = $1", letter))[0]
    assert tuple(row) == (5, 3)


async def test_a_question_is_open_until_it_is_void(hub: HubUnderTest) -> None:
    """R-227: asked is not granted."""
    letter = await define_purpose(hub)
    await record(hub, said("asked", letter, 0, until=AT + timedelta(hours=72)))
    assert (await state_of(hub, letter, seconds=10), await state_of(hub, letter, seconds=72 * 3600)) == ("asked", "unknown")
    await record(hub, said("granted", letter, 20))
    assert await state_of(hub, letter, seconds=30) == "granted"


async def test_what_one_address_took_back_is_taken_back_at_the_other(hub: HubUnderTest) -> None:
    """Design 8: two addresses of one person, the strictest state wins; who never said anything takes over what was said."""
    letter, orders = await define_purpose(hub), await define_purpose(hub, "orders", "service")
    await record(hub, said("granted", letter, 5), said("granted", orders, 5), said("withdrawn", letter, 1, OTHER))
    link = Change(*PHONE, "linked", AT + timedelta(seconds=6), {"source": "provider"}, other=OTHER[2])
    back = Change(*OTHER, "linked", AT + timedelta(seconds=6), {"source": "provider"}, other=PHONE[2])
    await record(hub, link, back)
    assert [await state_of(hub, letter, key) for key in (PHONE, OTHER)] == ["withdrawn", "withdrawn"]
    assert [await state_of(hub, orders, key) for key in (PHONE, OTHER)] == ["granted", "granted"]
    assert await hub.value("SELECT array_agg(DISTINCT choice) FROM consent_state") == ["opted_in"]


async def test_only_what_waits_for_that_purpose_is_stopped(hub: HubUnderTest) -> None:
    """R-223: a purpose that is withdrawn stops its own queued messages and leaves the answers."""
    letter = await define_purpose(hub)
    channel = await hub.connect()
    await hub.deliver(channel, telegram_text(1, "Hallo"))
    await hub.settle()
    conversation = await hub.value("SELECT id FROM conversation")
    answer, news = await hub.reply(conversation, "Antwort"), await hub.reply(conversation, "Neues")
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        await unit.sql.execute("UPDATE message SET purpose_id = $1 WHERE id = $2", letter, news)
    key = ("telegram", "", await hub.value("SELECT provider_user_id FROM identity"))
    await record(hub, said("granted", letter, 1, key))
    await record(hub, said("withdrawn", letter, 2, key))
    rows = await hub.rows("SELECT id, state, failure FROM message WHERE direction = 'out'")
    assert {row["id"]: (row["state"], row["failure"]) for row in rows} == {answer: ("queued", ""), news: ("failed", "no_consent")}


KINDS: tuple[Kind, ...] = ("asked", "granted", "withdrawn")


@given(st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 5)), max_size=6), st.none() | st.integers(0, 5), st.randoms())
def test_a_grant_does_not_depend_on_the_order_of_arrival(changes: list[tuple[Kind, int]], stop: int | None, chance: Any) -> None:
    """R-224: of all that was said the newest holds, and of two at one instant the refusal."""
    stopped_at = None if stop is None else AT + timedelta(seconds=stop)
    until = AT + timedelta(hours=1)

    def fold(ordered: list[tuple[Kind, int]]) -> str:
        grant = Grant()
        for kind, seconds in ordered:
            grant.apply(kind, AT + timedelta(seconds=seconds), until=until)
        return grant.state(stopped_at, AT + timedelta(minutes=1))

    shuffled = list(changes)
    chance.shuffle(shuffled)
    assert fold(changes) == fold(shuffled)
    granted = max((seconds for kind, seconds in changes if kind == "granted"), default=-1)
    against = max([seconds for kind, seconds in changes if kind == "withdrawn"] + [-1 if stop is None else stop])
    assert (fold(changes) == "granted") == (granted > against)


@given(st.lists(st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 5)), max_size=4), min_size=2, max_size=3))
def test_joined_addresses_grant_only_what_none_refused(people: list[list[tuple[Kind, int]]]) -> None:
    grants = []
    for changes in people:
        grant = Grant()
        for kind, seconds in changes:
            grant.apply(kind, AT + timedelta(seconds=seconds))
        grants.append(grant)
    before = [grant.state(None, AT) for grant in grants]
    join_grants(grants)
    after = {grant.state(None, AT) for grant in grants}
    if "withdrawn" in before:
        assert after == {"withdrawn"}
    elif "granted" in before:
        assert after == {"granted"}


async def test_a_change_of_a_purpose_names_it(hub: HubUnderTest) -> None:
    with pytest.raises(ValueError, match="granted with purpose None"):
        await record(hub, said("granted", None, 0))
