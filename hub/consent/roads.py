"""The one way in which somebody's word gets into the ledger, whichever road it came by (R-222).

Each change names who (the address), which messenger, which purpose, the exact text with version and hash, the method, the source,
the time, who typed it, and what proves it: a message, a file or a note.

    method                by
    keyword               a word or a link on the messenger itself: the strongest proof, same person, same messenger
    double_opt_in         the answer to the one question (R-227)
    subscription          subscribing to the account, where that counts as the active registration (R-221)
    active_registration   the person's own page, whose link reached exactly this address
    sign_up               a form; it only ever asks
    agent, paper, api     somebody else types it, and answers for it
    import                a list
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from hub.consent import aliases, ledger, locks, purposes
from hub.consent.chain import Change
from hub.consent.locks import Key
from hub.consent.purposes import KnownPurpose, Wording
from hub.consent.states import Grant
from hub.core import clock, ids
from hub.core.db import UnitOfWork
from hub.core.errors import InvalidInput
from hub.organisations.actor import Access
from hub.runtime import Runtime

Method = Literal["keyword", "double_opt_in", "subscription", "active_registration", "sign_up", "agent", "paper", "api", "import"]
AHEAD: Final = 300
"""Seconds by which somebody else's clock may be ahead of ours."""
NOTE_LENGTH: Final = 500


def agreed_to(purpose: KnownPurpose, language: str) -> dict[str, str]:
    """Evidence of the present words of a purpose."""
    return worded(purpose.words[language], purpose.version, language)


def worded(said: Wording, version: int, language: str) -> dict[str, str]:
    """Evidence of one version of a purpose's words in one language."""
    return {
        "purpose": said.name,
        "text": said.text,
        "text_version": str(version),
        "text_hash": said.text_hash.hex(),
        "language": language,
    }


async def lock_families(unit: UnitOfWork, keys: Collection[Key]) -> None:
    """Wait for the exclusive locks of these addresses and of all others of the same people; before any row."""
    families = await aliases.families(unit, keys)
    await locks.lock_addresses(unit, set(keys).union(*families.values()))


async def write(runtime: Runtime, unit: UnitOfWork, changes: Sequence[Change]) -> None:
    """Lock whom these changes are about, and record them."""
    await lock_families(unit, {change.key for change in changes})
    await ledger.record(unit, runtime.vault, runtime.hooks, changes)


async def read_grants(unit: UnitOfWork, key: Key) -> tuple[dict[UUID, Grant], datetime | None, str]:
    """What was said for each purpose at one address, when it stopped last, and its word about hearing from us at all."""
    rows = await unit.sql.fetch(
        "SELECT * FROM consent_grant WHERE organisation_id = $1 AND messenger = $2 AND scope = $3 AND address = $4",
        unit.tenant,
        *key,
    )
    state = await unit.sql.fetchrow(
        """
        SELECT stopped_at, choice FROM consent_state
        WHERE organisation_id = $1 AND messenger = $2 AND scope = $3 AND address = $4
        """,
        unit.tenant,
        *key,
    )
    grants = {row["purpose_id"]: ledger.read_grant(row) for row in rows}
    return (grants, state["stopped_at"], state["choice"]) if state else (grants, None, "none")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attested:
    """What somebody of the business says that a person has said. `at`: when it was said. `file`: the stored scan, as
    `papers.name_of` gives it."""

    key: Key
    purpose_id: UUID
    kind: Literal["granted", "withdrawn"]
    method: Literal["agent", "paper", "api"]
    language: str
    at: datetime
    note: str
    source: str
    file: str = ""


async def attest(runtime: Runtime, unit: UnitOfWork, access: Access, said: Attested) -> None:
    """Record what a member heard or has on paper; `method="api"` is for programs that act as a member. InvalidInput names the
    field: a note or a file is the proof, and one of them has to be there."""
    purpose = await purposes.read_purpose(unit, said.purpose_id)
    if purpose.is_archived and said.kind == "granted":
        raise InvalidInput("this purpose is offered no more", field="purpose")
    if said.language not in purpose.words:
        raise InvalidInput("German or English", field="language")
    if said.method == "paper" and not said.file:
        raise InvalidInput("the scan is missing", field="file")
    if not said.file and not said.note.strip():
        raise InvalidInput("a note is needed that says how the person said it", field="note")
    if len(said.note) > NOTE_LENGTH:
        raise InvalidInput(f"at most {NOTE_LENGTH} characters", field="note")
    if (said.at - clock.now()).total_seconds() > AHEAD:
        raise InvalidInput("a time in the future", field="at")
    evidence = agreed_to(purpose, said.language) if said.kind == "granted" else {"purpose": purpose.name(said.language)}
    evidence |= {
        "source": said.source,
        "method": said.method,
        "actor": access.person_name,
        "member": ids.show("mem", access.member_id),
    }
    if said.note.strip():
        evidence["note"] = said.note.strip()
    if said.file:
        evidence["file"] = said.file
    await write(runtime, unit, [Change(*said.key, said.kind, said.at, evidence, purpose_id=said.purpose_id)])
