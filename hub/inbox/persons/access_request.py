"""What a person may ask to see (R-260): one ZIP with everything that is held about them, over all channels.

person.json   for machines: addresses, messages with notes, files, consents
person.html   the same for people, without anything from elsewhere
files/        what was sent and stored, under its id
"""

import asyncio
import html
import json
import zipfile
from collections.abc import Sequence
from datetime import datetime
from tempfile import SpooledTemporaryFile
from typing import IO, Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from hub.consent.books import aliases
from hub.consent.books.chain import open_details
from hub.core import clock, ids
from hub.core.db import UnitOfWork
from hub.core.i18n import Translator
from hub.core.media import safe_name
from hub.inbox.persons.person import Address, Person, read_person
from hub.organisations import audit
from hub.organisations.actor import Access
from hub.runtime import Runtime

IN_MEMORY: Final = 8_000_000
"""Bytes; a larger file lies on the disk until it is handed out."""


async def collect(runtime: Runtime, access: Access, contact_id: UUID, t: Translator) -> tuple[str, IO[bytes]]:
    """Name and content of the file; the audit log says who asked for it. NotFound."""
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        person = await read_person(unit, runtime.connectors, contact_id)
        told = {
            "name": person.name,
            "language": person.language,
            "known_since": person.since.isoformat(),
            "collected_at": clock.now().isoformat(),
            "organisation": access.organisation_name,
            "addresses": [_address(one) for one in person.addresses],
            "conversations": [await _conversation(unit, one) for one in person.addresses],
            "consents": await _consents(runtime, unit, person),
        }
        files = await _files(unit, person)
        await audit.record(unit, access, "person.exported", ids.show("con", contact_id), {"files": len(files)})
    packed: IO[bytes] = SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 - handed out, and gone with the answer
    await asyncio.to_thread(_pack, packed, runtime, access, told, files, t)
    packed.seek(0)
    return f"{ids.show('con', contact_id)}.zip", packed


def _address(one: Address) -> dict[str, Any]:
    return {
        "messenger": one.connector.label,
        "channel": one.channel_title,
        "address": one.address,
        "other_addresses": list(one.names[1:]),
        "username": one.username,
    }


async def _conversation(unit: UnitOfWork, one: Address) -> dict[str, Any]:
    rows = await unit.sql.fetch(
        """
        SELECT m.id, m.direction, m.kind, m.text, m.content, m.at, m.edited_at, m.deleted_at, m.state,
               COALESCE(p.name, '') AS author,
               ARRAY(SELECT a.id FROM attachment a WHERE a.organisation_id = m.organisation_id AND a.message_id = m.id
                     ORDER BY a.position) AS files
        FROM message m
        LEFT JOIN member a ON a.organisation_id = m.organisation_id AND a.id = m.author_id
        LEFT JOIN person p ON p.id = a.person_id
        WHERE m.organisation_id = $1 AND m.conversation_id = $2 ORDER BY m.at, m.sequence, m.seq
        """,
        unit.tenant,
        one.conversation_id,
    )
    messages = [
        {
            "id": ids.show("msg", row["id"]),
            "direction": row["direction"],
            "kind": row["kind"],
            "text": row["text"],
            "content": row["content"],
            "at": row["at"].isoformat(),
            "edited_at": _time(row["edited_at"]),
            "deleted_at": _time(row["deleted_at"]),
            "state": row["state"],
            "author": row["author"],
            "files": [ids.show("file", file_id) for file_id in row["files"]],
        }
        for row in rows
    ]
    return {"messenger": one.connector.label, "channel": one.channel_title, "address": one.address, "messages": messages}


def _time(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


async def _consents(runtime: Runtime, unit: UnitOfWork, person: Person) -> list[dict[str, Any]]:
    """What the ledger says of every address of the person, in its order."""
    families = await aliases.families(unit, person.keys)
    keys = sorted(person.keys.union(*families.values()))
    rows = await unit.sql.fetch(
        """
        SELECT e.seq, e.subject_id, e.details_sealed, s.key_sealed FROM consent_entry e
        JOIN consent_subject s ON s.organisation_id = e.organisation_id AND s.id = e.subject_id
        JOIN unnest($2::text[], $3::text[], $4::text[]) AS w(messenger, scope, address) USING (messenger, scope, address)
        WHERE e.organisation_id = $1 ORDER BY e.seq
        """,
        unit.tenant,
        *([key[part] for key in keys] for part in range(3)),
    )
    return [
        {"seq": row["seq"], **open_details(runtime.vault, unit.tenant, row["subject_id"], row["key_sealed"], row["details_sealed"])}
        for row in rows
    ]


async def _files(unit: UnitOfWork, person: Person) -> list[tuple[UUID, str]]:
    rows = await unit.sql.fetch(
        """
        SELECT id, name, mime FROM attachment
        WHERE organisation_id = $1 AND conversation_id = ANY($2::uuid[]) AND state = 'stored' AND message_id IS NOT NULL ORDER BY id
        """,
        unit.tenant,
        person.conversation_ids,
    )
    return [(row["id"], f"files/{ids.show('file', row['id'])}-{safe_name(row['name'], row['mime'])}") for row in rows]


def _pack(
    packed: IO[bytes], runtime: Runtime, access: Access, told: dict[str, Any], files: Sequence[tuple[UUID, str]], t: Translator
) -> None:
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("person.json", json.dumps(told, ensure_ascii=False, indent=2))
        names = {ids.show("file", file_id): name for file_id, name in files}
        archive.writestr("person.html", draw(told, names, t, ZoneInfo(access.zone)))
        for file_id, name in files:
            with runtime.storage.open(access.organisation_id, file_id) as source, archive.open(name, "w") as target:
                while piece := source.read(65_536):
                    target.write(piece)


def draw(told: dict[str, Any], files: dict[str, str], t: Translator, zone: ZoneInfo) -> str:
    """The page for people. Pure."""

    def when(at: str) -> str:
        return datetime.fromisoformat(at).astimezone(zone).strftime("%Y-%m-%d %H:%M")

    def row(*cells: str) -> str:
        return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"

    text = html.escape
    parts = [
        f'<!doctype html><html lang="{t.locale}"><meta charset="utf-8"><title>{text(told["name"])}</title>',
        f"<h1>{text(t('person.export.title', name=told['name']))}</h1>",
        f"<p>{text(t('person.export.lead', organisation=told['organisation'], at=when(told['collected_at'])))}</p>",
        f"<h2>{text(t('person.export.consents'))}</h2><table>",
    ]
    for one in told["consents"]:
        said = ", ".join(f"{name}: {value}" for name, value in sorted(one["evidence"].items()))
        parts.append(row(when(one["at"]), text(one["messenger"]), text(one["address"]), text(one["kind"]), text(said)))
    parts.append("</table>")
    for one in told["conversations"]:
        parts.append(f"<h2>{text(one['messenger'])} · {text(one['channel'])} · {text(one['address'])}</h2><table>")
        for message in one["messages"]:
            who = message["author"] or t(f"person.export.{message['direction']}")
            links = " ".join(f'<a href="{text(files[file])}">{text(files[file])}</a>' for file in message["files"] if file in files)
            what = text(message["text"]) or text(message["content"].get("event", message["kind"]))
            parts.append(row(when(message["at"]), text(who), f"{what} {links}".strip()))
        parts.append("</table>")
    return "\n".join([*parts, "</html>"])
