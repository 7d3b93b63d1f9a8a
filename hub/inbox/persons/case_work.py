"""What people do about prohibited use: report a message or the organisation with one form, and disconnect what caused it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from hub.channels import service as channels
from hub.consent.abuse import cases
from hub.consent.abuse.cases import Case, Reported
from hub.consent.abuse.message_evidence import Evidence
from hub.consent.abuse.spam import Suspect, raise_candidates
from hub.core import ids
from hub.core.db import UnitOfWork
from hub.core.errors import InvalidInput, NotFound
from hub.inbox.persons import wishes
from hub.inbox.sending.suspects import read_evidence
from hub.organisations import team
from hub.organisations.actor import Access
from hub.runtime import Runtime

PREFIXES: Final = {"person": "con", "member": "mem", "channel": "chn"}


@dataclass(frozen=True, slots=True)
class Source:
    """Something that can be disconnected: `kind` person, member or channel (`cases.SOURCES`)."""

    kind: str
    id: UUID
    name: str


async def report_message(
    runtime: Runtime, access: Access, message_id: UUID, *, categories: Sequence[str], note: str
) -> tuple[UUID, str]:
    """File a report about one message; the case's id and number. One of ours becomes a candidate as well. NotFound,
    InvalidInput."""
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        row = await unit.sql.fetchrow(
            """
            SELECT m.direction, m.at, m.author_id, c.channel_id, h.connector FROM message m
            JOIN conversation c ON c.organisation_id = m.organisation_id AND c.id = m.conversation_id
            JOIN channel h ON h.organisation_id = c.organisation_id AND h.id = c.channel_id
            WHERE m.organisation_id = $1 AND m.id = $2 AND m.direction IN ('in', 'out')
            """,
            unit.tenant,
            message_id,
        )
        if row is None:
            raise NotFound("no such message")
        evidence = (await read_evidence(unit, [message_id]))[message_id]
        reported = Reported(message_id, row["channel_id"], row["at"], evidence, row["author_id"])
        is_ours = row["direction"] == "out"
        if is_ours:
            suspect = Suspect(row["connector"], row["channel_id"], "prohibited", "member", message_id, row["author_id"], row["at"])
            await raise_candidates(unit, [suspect])
        return await cases.open_case(
            unit, runtime.vault, access, categories=categories, note=note, messages=[reported], is_ours=is_ours
        )


async def read_said(unit: UnitOfWork, message_id: UUID) -> Evidence:
    """What a message says, to whom and when, before it is reported; NotFound."""
    evidence = (await read_evidence(unit, [message_id])).get(message_id)
    if evidence is None:
        raise NotFound("no such message")
    return evidence


async def report_organisation(runtime: Runtime, access: Access, *, categories: Sequence[str], note: str) -> tuple[UUID, str]:
    """File a report about the organisation's own use, without a message; what happened has to be written down. InvalidInput."""
    if not note.strip():
        raise InvalidInput("what happened", field="note")
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        return await cases.open_case(unit, runtime.vault, access, categories=categories, note=note)


async def sources_of(unit: UnitOfWork, case: Case) -> list[Source]:
    """What of the messages of a case can be disconnected, the mildest means first (R-234)."""
    rows = await unit.sql.fetch(
        """
        SELECT DISTINCT 0 AS place, 'person' AS kind, k.id, k.name FROM case_message r
        JOIN message m ON m.organisation_id = r.organisation_id AND m.id = r.message_id
        JOIN conversation c ON c.organisation_id = m.organisation_id AND c.id = m.conversation_id
        JOIN contact k ON k.organisation_id = c.organisation_id AND k.id = c.contact_id
        WHERE r.organisation_id = $1 AND r.case_id = $2 AND m.direction = 'in'
        UNION
        SELECT DISTINCT 1, 'member', a.id, p.name FROM case_message r
        JOIN member a ON a.organisation_id = r.organisation_id AND a.id = r.author_id AND a.deactivated_at IS NULL
        JOIN person p ON p.id = a.person_id
        WHERE r.organisation_id = $1 AND r.case_id = $2
        UNION
        SELECT DISTINCT 2, 'channel', h.id, h.title FROM case_message r
        JOIN channel h ON h.organisation_id = r.organisation_id AND h.id = r.channel_id AND h.state <> 'blocked'
        WHERE r.organisation_id = $1 AND r.case_id = $2
        ORDER BY 1, 4
        """,
        unit.tenant,
        case.id,
    )
    return [Source(row["kind"], row["id"], row["name"]) for row in rows]


async def disconnect(runtime: Runtime, access: Access, case_id: UUID, kind: str, source_id: UUID) -> None:
    """Step (iii): block the person, remove the member, or switch the channel off for good. NotFound where the case has no such
    source; Forbidden, LastOwner as the room says that does it."""
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        case = await cases.read_case(unit, case_id)
        source = next((one for one in await sources_of(unit, case) if (one.kind, one.id) == (kind, source_id)), None)
    if source is None:
        raise NotFound("no such source")
    match kind:
        case "person":
            await wishes.block(runtime, access, source_id, case.number)
        case "member":
            await team.deactivate(runtime, access, source_id)
        case _:
            await channels.block_channel(runtime, access, source_id, case.number)
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        await cases.note_source(unit, access, case_id, kind, f"{source.name} ({ids.show(PREFIXES[kind], source_id)})")
