"""Lists of agreements, checked before they are taken over (R-222)."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from hub.consent import purposes
from hub.consent.agreeing import imports, papers
from hub.consent.agreeing.import_rows import BadRow, GoodRow, Known, read_rows
from hub.consent.agreeing.papers import Paper
from hub.consent.agreeing.roads import read_grants
from hub.consent.books import chain
from hub.consent.purposes import Wording
from hub.core.errors import Conflict, InvalidInput
from tests.support import HubUnderTest

HEAD = "address;messenger;purpose;text_version;language;method;source;time;actor;note"
GOOD = "+49 151 5550{0:04};whatsapp;newsletter;1;de;sign_up;radwerk.example/radpost;2026-05-02T10:17;Kasse 2;"
WORDS = {
    "de": Wording("Radpost", "Ich möchte die Radpost erhalten."),
    "en": Wording("Bike letter", "I want to get the bike letter."),
}
LETTER, CHANNEL = UUID(int=1), UUID(int=2)
KNOWN = Known(
    {"whatsapp": False, "viber": True},
    {"chn_1": ("viber", CHANNEL)},
    {"newsletter": LETTER},
    {("newsletter", 1, language): said for language, said in WORDS.items()},
    ZoneInfo("Europe/Berlin"),
    datetime(2026, 11, 24, 9, 0, tzinfo=UTC),
)


def rows(*lines: str, head: str = HEAD) -> list[GoodRow | BadRow]:
    return list(read_rows([f"{line}\n" for line in (head, *lines)], KNOWN))


def test_a_row_carries_its_evidence() -> None:
    [row] = rows(GOOD.format(1))
    assert isinstance(row, GoodRow)
    assert row.key == ("whatsapp", "", "491515550" + "0001")
    assert row.at == datetime(2026, 5, 2, 8, 17, tzinfo=UTC), "without an offset in the organisation's zone"
    assert row.evidence == {"method": "sign_up", "source": "radwerk.example/radpost", "actor": "Kasse 2"}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("radwerk.example/radpost", ""), "source"),
        (("2026-05-02T10:17", ""), "time"),
        (("2026-05-02T10:17", "2026-05-02"), "time"),
        (("2026-05-02T10:17", "2027-05-02T10:17"), "future"),
        (("Kasse 2", ""), "actor"),
        (("sign_up", "guessed"), "method"),
        ((";1;de", ";7;de"), "text_version"),
        ((";1;de", ";1;fr"), "text_version"),
        (("newsletter", "orders"), "purpose"),
        (("whatsapp", "icq"), "messenger"),
        (("whatsapp", "viber"), "channel"),
        (("+49 151", "0151"), "address"),
        (("Kasse 2;", "Kasse 2"), "fields"),
        (("Kasse 2", "K" * 501), "long"),
    ],
)
def test_a_row_without_its_evidence_is_refused_by_its_number(change: tuple[str, str], reason: str) -> None:
    """R-222: rows without source or time are rejected with their line numbers."""
    assert [row for row in rows(GOOD.format(1), GOOD.format(2).replace(*change)) if isinstance(row, BadRow)] == [BadRow(3, reason)]


def test_a_row_that_stands_there_twice_and_columns_that_are_missing() -> None:
    assert rows(GOOD.format(1), "", GOOD.format(1))[1] == BadRow(4, "twice")
    with pytest.raises(InvalidInput, match="source, time"):
        rows(head="address,messenger,purpose,text_version,language,method,actor")


@pytest.fixture
async def purpose_id(hub: HubUnderTest) -> AsyncIterator[UUID]:
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        found = await purposes.define_purpose(unit, hub.owner, key="newsletter", kind="marketing", words=WORDS)
    yield found


async def upload(hub: HubUnderTest, text: str) -> Paper:
    body = f'--x\r\ncontent-disposition: form-data; name="file"; filename="messe.csv"\r\n\r\n{text}\r\n--x--\r\n'.encode()

    async def stream() -> AsyncIterator[bytes]:
        yield body
        yield b""

    kind = "multipart/form-data; boundary=x"
    return await papers.take_paper(hub.runtime, hub.owner, content_type=kind, body=stream(), types=papers.LISTS)


async def test_a_list_is_checked_first_and_taken_over_when_somebody_says_so(
    hub: HubUnderTest, purpose_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R-222: a dry run with counts; then the rest, in pieces, each with file, checksum and number as proof."""
    monkeypatch.setattr(imports, "PIECE", 4)
    lines = [HEAD, *(GOOD.format(number) for number in range(10))]
    lines[3] = lines[3].replace("radwerk.example/radpost", "")
    paper = await upload(hub, "\n".join(lines))
    import_id = await imports.check(hub.runtime, hub.owner, paper)
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        checked = await imports.read_import(unit, import_id)
    assert (checked.rows, checked.good, checked.refused, checked.state) == (10, 9, [(4, "source")], "checked")
    assert await imports.work(hub.runtime) == 0 and await hub.value("SELECT count(*) FROM consent_entry") == 0
    await imports.start(hub.runtime, hub.owner, import_id)
    with pytest.raises(Conflict):
        await imports.start(hub.runtime, hub.owner, import_id)
    while await imports.work(hub.runtime):
        pass
    assert await hub.value("SELECT count(*) FROM consent_entry WHERE kind = 'granted'") == 9
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        done = await imports.read_import(unit, import_id)
        grants, _, _ = await read_grants(unit, ("whatsapp", "", "4915155500009"))
    assert (done.state, done.done_rows) == ("done", 10)
    assert grants[purpose_id].granted.at == datetime(2026, 5, 2, 8, 17, tzinfo=UTC)
    [last] = await hub.rows(
        """
        SELECT e.subject_id, s.key_sealed, e.details_sealed FROM consent_entry e
        JOIN consent_subject s ON s.id = e.subject_id ORDER BY e.seq DESC LIMIT 1
        """
    )
    said = chain.open_details(hub.runtime.vault, hub.organisation_id, *last)["evidence"]
    assert said["file"] == paper.reference
    assert said["row"] == "11" and said["text"] == WORDS["de"].text and said["method"] == "sign_up"


async def test_what_is_no_list_leaves_nothing(hub: HubUnderTest, purpose_id: UUID) -> None:
    with pytest.raises(InvalidInput, match="not taken"):
        await upload(hub, "%PDF-1.7\n%âãÏÓ\n1 0 obj\n")
    assert await hub.value("SELECT count(*) FROM consent_file") == 0
