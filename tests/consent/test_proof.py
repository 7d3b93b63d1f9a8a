"""Proofs hold without the hub, a changed one does not, and hand-outs say to whom and what for (R-200, R-222, R-224, R-313)."""

import copy
import importlib.util
import json
import os
import zipfile
from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from hub.consent import ledger, locks, purposes
from hub.consent.chain import Change
from hub.consent.hand_out import hand_out, prove_person, read_recipients
from hub.consent.history import read_person
from hub.consent.purposes import Wording
from hub.consent.retention import last_day_of_proof
from hub.consent.states import Kind
from hub.core.calendar import end_of_day
from hub.core.errors import InvalidInput
from hub.organisations.policy import resolve
from tests.support import HubUnderTest, command, telegram_text

AT = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
ADDRESS = ("telegram", "", "5123456789")
_SCRIPT = importlib.util.spec_from_file_location("verify_proof", Path(__file__).parents[2] / "docs" / "verify_proof.py")
assert _SCRIPT and _SCRIPT.loader
verify_proof = importlib.util.module_from_spec(_SCRIPT)
_SCRIPT.loader.exec_module(verify_proof)


async def record(hub: HubUnderTest, *changes: Change) -> None:
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        await locks.lock_addresses(unit, [change.key for change in changes])
        await ledger.record(unit, hub.runtime.vault, hub.runtime.hooks, changes)


async def newsletter(hub: HubUnderTest) -> UUID:
    words = {language: Wording("Radpost", "Ja, ich möchte die Radpost.") for language in ("de", "en")}
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        return await purposes.define_purpose(unit, hub.owner, key="newsletter", kind="marketing", words=words)


def said(kind: Kind, hours: int, purpose: UUID | None, address: str = ADDRESS[2]) -> Change:
    text = Wording("", "Ja, ich möchte die Radpost.")
    evidence = {
        "source": "form",
        "method": "sign_up",
        "text": text.text,
        "text_hash": text.text_hash.hex(),
        "text_version": "1",
        "actor": "Jörg Özdemir / Жанна / Ελένη",
    }
    return Change("telegram", "", address, kind, AT + timedelta(hours=hours), evidence, purpose_id=purpose)


async def somebody(hub: HubUnderTest) -> UUID:
    """Jörg writes on Telegram, agrees, takes it back and agrees again; of others there are entries around his."""
    purpose = await newsletter(hub)
    channel = await hub.connect()
    await hub.deliver(channel, telegram_text(1, "Hallo"))
    await hub.settle()
    for number, kind in enumerate(("granted", "withdrawn", "granted")):
        await record(hub, said(kind, number, purpose, f"other{number}"), said(kind, number, purpose))  # type: ignore[arg-type]
    return purpose


async def test_a_proof_holds_without_the_hub(hub: HubUnderTest) -> None:
    """R-222 in part: who, identifier, messenger, purpose, exact text and hash, method, source, time, actor; and nobody else's."""
    await somebody(hub)
    machine, paper = await prove_person(hub.runtime, hub.organisation_id, hub.owner, [ADDRESS], "de", "Europe/Berlin")
    document = json.loads(machine.body)
    lines = "\n".join(verify_proof.check(document))
    for part in ("Radwerk Lindau", "Jörg Özdemir", "5123456789 on telegram", "granted newsletter", "sign_up", "form", "Ελένη"):
        assert part in lines
    assert "newsletter on telegram 5123456789: granted since 2026-11-24T08:00:00+00:00" in lines
    assert "other" not in machine.body.decode()
    assert [entry["seq"] for entry in document["entries"]] == [2, 4, 6]
    assert document["key"]["public"] == (await hub.value("SELECT public_key FROM ledger_key")).hex()
    assert paper.body.startswith(b"%PDF-") and len(paper.body) > 5000
    audit = (await hub.rows("SELECT member_id FROM audit_entry WHERE action = 'consent.proved'"))[0]
    assert audit["member_id"] == hub.owner.member_id
    for changed in _changes(document):
        with pytest.raises((verify_proof.Wrong, ValueError, KeyError)):
            verify_proof.check(changed)


def _changes(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The proof with one thing changed; the last four are what only the signature over the whole covers."""
    changed = []
    for name in ("salt", "commitment", "sealed_hash", "previous_hash", "hash", "subject"):
        one = copy.deepcopy(document)
        text = one["entries"][1][name]
        one["entries"][1][name] = ("0" if text[0] != "0" else "1") + text[1:]
        changed.append(one)
    for name, value in (("seq", 5), ("kind", "granted"), ("at", AT.isoformat()), ("path", []), ("checkpoint", 3)):
        one = copy.deepcopy(document)
        one["entries"][1][name] = value
        changed.append(one)
    one = copy.deepcopy(document)
    one["entries"][1]["details"] = one["entries"][1]["details"].replace("form", "from")
    changed.append(one)
    for name, value in (("root", "00" * 32), ("at", AT.isoformat()), ("signature", "00" * 64), ("after_seq", 1)):
        one = copy.deepcopy(document)
        one["checkpoints"][0][name] = value
        changed.append(one)
    for name, value in (("made_at", AT.isoformat()), ("entries", document["entries"][:2]), ("state", []), ("signature", "ff" * 64)):
        changed.append({**copy.deepcopy(document), name: value})
    return changed


async def test_each_part_of_a_proof_is_checked_by_itself(hub: HubUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever can sign the document anew, but did not write the ledger, still proves nothing else."""
    await somebody(hub)
    machine, _ = await prove_person(hub.runtime, hub.organisation_id, hub.owner, [ADDRESS], "en", "Europe/Berlin")
    document = json.loads(machine.body)
    public = bytes.fromhex(document["key"]["public"])
    monkeypatch.setattr(verify_proof, "check_document", lambda document, key: public)
    assert verify_proof.check(document)
    for changed in _changes(document)[:-4]:
        with pytest.raises((verify_proof.Wrong, ValueError, KeyError)):
            verify_proof.check(changed)


async def test_the_state_on_a_day_that_is_past(hub: HubUnderTest) -> None:
    """R-224: given opt-in, opt-out, opt-in, then the right state is given for each date."""
    purpose = await somebody(hub)
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        person = await read_person(hub.runtime, unit, [ADDRESS])
    told = []
    for minutes in (-1, 0, 59, 60, 119, 120, 9999):
        at = AT + timedelta(minutes=minutes)
        folded = person.state_at(at)
        told.append(folded.grants[ADDRESS, purpose].state(folded.states[ADDRESS].stopped.at, at))
    assert told == ["unknown", "granted", "granted", "withdrawn", "withdrawn", "granted", "granted"]
    assert person.name == "Jörg Özdemir"


async def test_twenty_recipients_are_handed_out(hub: HubUnderTest) -> None:
    """R-200, R-313: a signed file with time, source, text version and proof per recipient; logged with its purpose."""
    purpose = await newsletter(hub)
    await record(hub, *(said("granted", 0, purpose, f"r{number}") for number in range(18)))
    recipients = "\n".join(f"r{number};egal" for number in range(20))
    for wrong in ({"recipients": " "}, {"purpose": " "}, {"to": ""}):
        with pytest.raises(InvalidInput):
            await hand_out(hub.runtime, hub.owner, **({"recipients": "r1", "messenger": "", "to": "Viber", "purpose": "p"} | wrong))
    done = await hand_out(
        hub.runtime, hub.owner, recipients=recipients, messenger="telegram", to="Viber Media", purpose="Anfrage 4711"
    )
    assert (done.proved, done.missing) == (18, ("r18", "r19"))
    with zipfile.ZipFile(BytesIO(done.file.body)) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".json"))
        document = json.loads(archive.read(name))
        assert {Path(one).suffix for one in archive.namelist()} == {".json", ".pdf"}
    lines = "\n".join(verify_proof.check(document))
    assert "Handed out to Viber Media for: Anfrage 4711" in lines and "Nothing on record: r19" in lines
    assert lines.count("text_version: 1") == 18
    with pytest.raises(verify_proof.Wrong):
        verify_proof.check({**document, "missing": []})
    assert await hub.value("SELECT count(*) FROM consent_entry WHERE kind = 'handed_out'") == 18
    detail = await hub.value("SELECT detail FROM audit_entry WHERE action = 'consent.handed_out'")
    assert (detail["to"], detail["purpose"], detail["proved"], detail["missing"]) == ("Viber Media", "Anfrage 4711", 18, 2)


def test_recipients_are_read_from_what_people_paste() -> None:
    assert read_recipients("+43 1;Anna\n\n+43 2;Jörg\n+43 1;Anna\n") == ["+43 1", "+43 2"]
    assert read_recipients('"a,b",x\nc') == ["a,b", "c"]


async def test_proofs_are_kept_to_the_end_of_the_third_year(hub: HubUnderTest) -> None:
    """R-200: given a last message on 2026-05-04, then kept until 2029-12-31 24:00."""
    zone = ZoneInfo("Europe/Berlin")
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        retention = (await resolve(unit, "proof.retention")).value
    last = last_day_of_proof(datetime(2026, 5, 4, 12, tzinfo=UTC), zone, retention)
    assert last == date(2029, 12, 31)
    assert end_of_day(last, zone) == datetime(2029, 12, 31, 23, tzinfo=UTC)
    assert last_day_of_proof(datetime(2026, 12, 31, 23, 30, tzinfo=UTC), zone, retention) == date(2030, 12, 31)
    with pytest.raises(ValueError, match="calendar years"):
        last_day_of_proof(datetime(2026, 5, 4, tzinfo=UTC), zone, {"months": 3})


@pytest.mark.usefixtures("environment")
async def test_the_command_writes_both_files(hub: HubUnderTest, tmp_path: Path) -> None:
    await somebody(hub)
    folder = tmp_path / "proofs"
    folder.mkdir()
    done = await command("consent", "prove", "5123456789", "--folder", str(folder))
    assert done.exit_code == 0, done.output
    files = sorted(os.listdir(folder))
    assert [Path(name).suffix for name in files] == [".json", ".pdf"]
    path = folder / files[0]
    assert verify_proof.main([str(path)]) == 0
    assert verify_proof.main([str(path), "--key", "00" * 32]) == 1
    assert (await command("consent", "prove", "nobody")).exit_code == 1
