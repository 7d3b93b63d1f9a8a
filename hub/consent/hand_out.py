"""Proofs as files: for one person, and handed out to somebody who asks for many (R-200, R-313).

Both begin with a checkpoint in a transaction of its own, so that the newest entry is covered and the head of the ledger is free
again while the proofs are made.
"""

import asyncio
import csv
import hashlib
import io
import json
import zipfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from hub.consent import aliases, ledger, locks
from hub.consent.chain import Change
from hub.consent.checkpoints import make_checkpoint, signer_of
from hub.consent.locks import Key
from hub.consent.proof import NothingOnRecord, open_prover, subjects_with
from hub.core import clock
from hub.core.db import UnitOfWork
from hub.core.errors import InvalidInput
from hub.organisations import audit
from hub.organisations.actor import Access
from hub.runtime import Runtime

FORMAT: Final = "hub-hand-out-1"
MOST: Final = 1000
"""Recipients of one hand-out."""
TEXT_LENGTH: Final = 200


@dataclass(frozen=True, slots=True)
class File:
    """A file for somebody to keep."""

    name: str
    media_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class HandedOut:
    """A hand-out: its file, how many recipients are proved, and for whom there is nothing."""

    file: File
    proved: int
    missing: tuple[str, ...]


async def prove_person(
    runtime: Runtime, organisation_id: UUID, access: Access | None, keys: Sequence[Key], language: str, zone: str
) -> list[File]:
    """The proof for one person, for machines and for people; the audit log says who made it. NothingOnRecord."""
    await _cover(runtime, organisation_id)
    async with runtime.database.unit_of_work(organisation_id) as unit:
        prover = await open_prover(runtime, unit, await signer_of(unit, runtime.vault))
        document = await prover.prove(keys)
        name = f"{prover.organisation['name']} {clock.now():%Y-%m-%d}".replace(" ", "-").lower()
        body = json.dumps(document, ensure_ascii=False, indent=1).encode()
        files = [
            File(f"nachweis-{name}.json", "application/json", body),
            File(f"nachweis-{name}.pdf", "application/pdf", await _paper([document], body, language, zone)),
        ]
        subjects = sorted({entry["subject"] for entry in document["entries"]})
        await audit.record(unit, access, "consent.proved", subjects[0], {"subjects": subjects, "sha256": _sha256(body)})
    return files


async def hand_out(runtime: Runtime, access: Access, *, recipients: str, messenger: str, to: str, purpose: str) -> HandedOut:
    """Prove a list of recipients to somebody: one signed file. An entry for each of them and the audit log say to whom and what
    for. InvalidInput names the field.
    """
    to, purpose = to.strip(), purpose.strip()
    for field, value in (("to", to), ("purpose", purpose)):
        if not 1 <= len(value) <= TEXT_LENGTH:
            raise InvalidInput(f"1 to {TEXT_LENGTH} characters", field=field)
    asked = read_recipients(recipients)
    await _cover(runtime, access.organisation_id)
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        found = {address: await subjects_with(unit, address, messenger) for address in asked}
        await _lock(unit, [key for keys in found.values() for key in keys])
        prover = await open_prover(runtime, unit, await signer_of(unit, runtime.vault))
        proofs, proved, missing = [], list[Key](), list[str]()
        for address, keys in found.items():
            try:
                if not keys:
                    raise NothingOnRecord(address)
                proofs.append(await prover.prove(keys))
            except NothingOnRecord:
                missing.append(address)
            else:
                proved += keys
        document = prover.sign(
            {
                "format": FORMAT,
                "made_at": clock.now().isoformat(),
                "organisation": prover.organisation,
                "to": to,
                "purpose": purpose,
                "by": access.person_name,
                "proofs": proofs,
                "missing": missing,
            }
        )
        body = json.dumps(document, ensure_ascii=False, indent=1).encode()
        evidence = {"source": "hand_out", "to": to, "purpose": purpose, "actor": access.person_name, "file": _sha256(body)}
        changes = [Change(*key, "handed_out", clock.now(), evidence) for key in proved]
        if changes:
            await ledger.record(unit, runtime.vault, runtime.hooks, changes)
        detail = {"to": to, "purpose": purpose, "proved": len(proofs), "missing": len(missing), "sha256": _sha256(body)}
        await audit.record(unit, access, "consent.handed_out", to, detail)
    paper = await _paper(proofs, body, access.locale, access.zone, missing=missing, to=to, purpose=purpose)
    name = f"aushaendigung-{clock.now():%Y-%m-%d-%H%M}"
    return HandedOut(
        File(f"{name}.zip", "application/zip", _zip({f"{name}.json": body, f"{name}.pdf": paper})), len(proofs), (*missing,)
    )


def read_recipients(text: str) -> list[str]:
    """Addresses, one a line; of a list in columns the first one counts. Each once, in their order. InvalidInput."""
    lines = text.strip().splitlines()
    dialect = next((mark for mark in (";", "\t") if lines and mark in lines[0]), ",")
    rows = csv.reader(lines, delimiter=dialect)
    found = list(dict.fromkeys(row[0].strip() for row in rows if row and row[0].strip()))
    if not found:
        raise InvalidInput("at least one address", field="recipients")
    if len(found) > MOST:
        raise InvalidInput(f"at most {MOST} addresses", field="recipients")
    return found


async def _cover(runtime: Runtime, organisation_id: UUID) -> None:
    async with runtime.database.unit_of_work(organisation_id) as unit:
        await make_checkpoint(unit, runtime.vault)


async def _lock(unit: UnitOfWork, keys: Collection[Key]) -> None:
    people = await aliases.families(unit, keys)
    await locks.lock_addresses(unit, set().union(*people.values()))


async def _paper(proofs: Sequence[dict[str, Any]], body: bytes, language: str, zone: str, **about: Any) -> bytes:
    """The page for people. What draws it takes 30 MB, so it is loaded when it is first needed, and works beside the loop."""
    from hub.consent.paper import draw_proofs

    return await asyncio.to_thread(draw_proofs, proofs, body, language, ZoneInfo(zone), **about)


def _zip(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in files.items():
            archive.writestr(name, body)
    return packed.getvalue()


def _sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
