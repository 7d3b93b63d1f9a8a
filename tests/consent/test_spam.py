"""Spam events and cases: what they cost, what they consist of, and what has to happen before one closes."""

import csv
import io
import json
import zipfile
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from hub.consent import cases, spam
from hub.consent.message_evidence import FIELDS, Evidence
from hub.consent.spam import Suspect
from hub.core import clock, ids
from hub.core.errors import Conflict, InvalidInput
from tests.support import HubUnderTest

STAFF = "Petra Betreiber"
SAID = Evidence("2026-11-24T09:00:00+00:00", "=Gewinnspiel", "+4915155501834", "5741311803571721087", "Radwerk / Jonas Keller")


async def raised(hub: HubUnderTest, count: int, *, messenger: str = "viber") -> list[UUID]:
    """Candidates about as many messages without opt-in; the first one was also found to be prohibited."""
    channel_id, messages = ids.new_id(), [ids.new_id() for _ in range(count)]
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        for _ in range(2):  # found twice, and still one event each
            await spam.raise_candidates(unit, [Suspect(messenger, channel_id, "no_consent", "gate", one) for one in messages])
        await spam.raise_candidates(unit, [Suspect(messenger, channel_id, "prohibited", "member", messages[0])])
        events = await spam.list_events(unit)
    assert sorted(len(one.grounds) for one in events) == [1] * (count - 1) + [2]
    return [one.id for one in events]


async def charged(hub: HubUnderTest) -> Decimal:
    total: Decimal | None = await hub.value("SELECT sum(amount) FROM proposed_charge WHERE currency = 'EUR' AND tax = 'none'")
    return total or Decimal("0.00")


@pytest.mark.parametrize(("way", "total"), [("singly", "15000.00"), ("grouped", "5000.00"), ("not", "0.00")])
async def test_three_messages_cost_what_the_operator_makes_of_them(hub: HubUnderTest, way: str, total: str) -> None:
    """R-203: 3 messages without opt-in, 1 of them also prohibited."""
    events = await raised(hub, 3)
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        if way == "singly":
            await spam.confirm(unit, events, by=STAFF)
        elif way == "grouped":
            await spam.group(unit, events, by=STAFF)
        else:
            await spam.reject(unit, events[:1], by=STAFF, reason="Opt-in liegt vor")
    assert await charged(hub) == Decimal(total)
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        shown = {one.id: one for one in await spam.list_events(unit)}
        assert sum((one.amount or Decimal(0)) for one in shown.values()) == Decimal(total)
        assert shown[events[0]].grouped == (2 if way == "grouped" else 0)
        if way != "not":
            assert shown[events[0]].decided_by == STAFF
            with pytest.raises(Conflict):
                await spam.confirm(unit, events, by=STAFF)


async def test_only_viber_has_a_penalty(hub: HubUnderTest) -> None:
    events = await raised(hub, 1, messenger="whatsapp")
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        await spam.confirm(unit, events, by=STAFF)
    assert await charged(hub) == 0


async def test_the_organisation_answers_with_a_file_that_is_sealed(hub: HubUnderTest) -> None:
    """R-312: what is held against it and what it says stand side by side."""
    (event_id,) = await raised(hub, 1)
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        await spam.answer(unit, hub.owner, event_id, "Zustimmung vom 3. Mai")
        await spam.prove_answer(unit, hub.runtime.vault, hub.owner, event_id, "zettel.pdf", b"%PDF")
        assert await spam.read_answer_file(unit, hub.runtime.vault, event_id) == ("zettel.pdf", b"%PDF")
        (event,) = await spam.list_events(unit)
    assert (event.answer, event.state) == ("Zustimmung vom 3. Mai", "candidate")
    assert b"%PDF" not in await hub.value("SELECT answer_file_sealed FROM spam_event")


async def opened(hub: HubUnderTest, *, is_ours: bool = True) -> tuple[UUID, str]:
    message = cases.Reported(ids.new_id(), ids.new_id(), clock.now(), SAID)
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        return await cases.open_case(
            unit, hub.runtime.vault, hub.owner, categories=["malware", "unlawful"], note="", messages=[message], is_ours=is_ours
        )


async def test_a_case_has_number_deadline_five_fields_and_an_export(hub: HubUnderTest) -> None:
    """R-201, R-313: what a provider needs, as JSON and as a table that a spreadsheet does not take for formulas."""
    case_id, number = await opened(hub)
    assert number == "F-2026-0001"
    assert (await opened(hub))[1] == "F-2026-0002"
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        case = await cases.read_case(unit, case_id)
        assert case.due_at - case.opened_at == timedelta(hours=24)
        assert case.is_late(case.due_at) and not case.is_late(case.opened_at)
        name, packed = await cases.export(unit, hub.runtime.vault, hub.owner, case_id)
        case = await cases.read_case(unit, case_id)
    assert name == "F-2026-0001.zip" and not case.is_late(case.due_at)
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        told = json.loads(archive.read("case.json"))
        (row,) = csv.DictReader(io.StringIO(archive.read("messages.csv").decode("utf-8-sig")))
    assert tuple(told["messages"][0]) == FIELDS == tuple(row)
    assert (row["content"], row["destination"]) == ("'=Gewinnspiel", "+4915155501834")
    assert b"Gewinnspiel" not in await hub.value("SELECT evidence_sealed FROM case_message LIMIT 1")


async def test_no_case_closes_before_step_three(hub: HubUnderTest) -> None:
    """R-201 (iii): done, or refused with a reason."""
    case_id, _ = await opened(hub)
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        with pytest.raises(cases.SourceOpen):
            await cases.close(unit, hub.owner, case_id)
        with pytest.raises(InvalidInput):
            await cases.refuse_source(unit, hub.owner, case_id, " ")
        await cases.refuse_source(unit, hub.owner, case_id, "War ein Versehen, die Person ist geschult")
        await cases.close(unit, hub.owner, case_id)
        assert (await cases.read_case(unit, case_id)).closed_at == clock.now()


async def test_a_prohibited_message_after_a_closed_case_is_a_repeat(hub: HubUnderTest) -> None:
    """R-202: the cause is offered to staff; a message of a customer is none of ours."""
    first, number = await opened(hub)
    second, _ = await opened(hub)
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        assert (await cases.read_case(unit, second)).repeats == ""
        await cases.refuse_source(unit, hub.owner, first, "Versehen")
        await cases.close(unit, hub.owner, first)
    third, _ = await opened(hub)
    theirs, _ = await opened(hub, is_ours=False)
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        assert (await cases.read_case(unit, third)).repeats == number
        assert (await cases.read_case(unit, theirs)).repeats == ""
