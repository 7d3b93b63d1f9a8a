"""Messages whose words a provider has approved before: what it keeps, as rows, with a history of what became of each.

sync      everything it has, at set-up, once a day and when it says that something changed (`care.py`)
hear      what it says of one of them (`TemplateChanged`)
create    submit one; delete: take one away
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from hub.channels.accounts import OpenChannel, read_channel
from hub.connectors.contract import AnyConnector, SyncsTemplates, TemplateRecord
from hub.connectors.events import TemplateChanged
from hub.connectors.http import connector_client
from hub.core import clock, ids
from hub.core.db import UnitOfWork
from hub.core.errors import Conflict, NotFound
from hub.core.feed import note_change
from hub.organisations import audit
from hub.organisations.actor import Access
from hub.runtime import Runtime

APPROVED: Final = "approved"
"""The provider's word for one that may be sent."""
SHOWN: Final = 20
"""Lines of a template's history that a page shows."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A template of a channel (`models.Template`)."""

    id: UUID
    provider_id: str
    name: str
    language: str
    category: str
    status: str
    components: list[dict[str, Any]]
    reason: str
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Became:
    """A line of a template's history."""

    at: datetime
    status: str
    category: str
    reason: str
    member: str
    """Whose act it was, by name; empty: the provider's."""


class NoTemplates(Conflict):
    """This messenger knows no templates."""

    code = "no_templates"


async def list_templates(unit: UnitOfWork, channel_id: UUID, *, only_approved: bool = False) -> list[Kept]:
    """The templates that the provider has, by name and language."""
    rows = await unit.sql.fetch(
        """
        SELECT id, provider_id, name, language, category, status, components, reason, updated_at FROM template
        WHERE organisation_id = $1 AND channel_id = $2 AND gone_at IS NULL AND ($3 OR status = $4) ORDER BY name, language
        """,
        unit.tenant,
        channel_id,
        not only_approved,
        APPROVED,
    )
    return [Kept(**row) for row in rows]


async def histories_of(unit: UnitOfWork, template_ids: Collection[UUID]) -> dict[UUID, list[Became]]:
    """What became of each of these templates, the newest first, as far as a page shows it."""
    rows = await unit.sql.fetch(
        """
        SELECT e.template_id, e.at, e.status, e.category, e.reason, COALESCE(p.name, '') AS member
        FROM unnest($2::uuid[]) AS asked(id)
        CROSS JOIN LATERAL (
            SELECT * FROM template_event WHERE organisation_id = $1 AND template_id = asked.id ORDER BY at DESC, id DESC LIMIT $3
        ) AS e
        LEFT JOIN member m ON m.organisation_id = $1 AND m.id = e.member_id
        LEFT JOIN person p ON p.id = m.person_id
        ORDER BY e.at DESC, e.id DESC
        """,
        unit.tenant,
        list(template_ids),
        SHOWN,
    )
    histories: dict[UUID, list[Became]] = {template_id: [] for template_id in template_ids}
    for row in rows:
        values = dict(row)
        histories[values.pop("template_id")].append(Became(**values))
    return histories


async def read_template(unit: UnitOfWork, channel_id: UUID, template_id: UUID) -> Kept:
    """A template of this channel that the provider has; NotFound."""
    for one in await list_templates(unit, channel_id):
        if one.id == template_id:
            return one
    raise NotFound("no such template")


async def sync(runtime: Runtime, channel: OpenChannel) -> None:
    """Take over the provider's list. Raises what `SyncsTemplates.list_templates` raises."""
    connector = syncing(channel.connector)
    async with connector_client(runtime.settings.trusted_hosts) as http:
        records = await connector.list_templates(channel.account, http)
    async with runtime.database.unit_of_work(channel.organisation_id) as unit:
        await _keep(unit, channel.channel_id, records)
        gone = await unit.sql.fetch(
            """
            UPDATE template SET gone_at = $3, updated_at = $3
            WHERE organisation_id = $1 AND channel_id = $2 AND gone_at IS NULL
              AND NOT EXISTS (SELECT FROM unnest($4::text[], $5::text[]) AS row(name, language)
                              WHERE row.name = template.name AND row.language = template.language)
            RETURNING id, category
            """,
            unit.tenant,
            channel.channel_id,
            clock.now(),
            [record.name for record in records],
            [record.language for record in records],
        )
        await _note(unit, [(row["id"], "gone", row["category"], "") for row in gone])
        if gone:
            _tell(unit, channel.channel_id)


async def hear(unit: UnitOfWork, channel_id: UUID, event: TemplateChanged) -> None:
    """What the provider says of one of them. One that we have not got yet comes with the next sync, which is now."""
    row = await unit.sql.fetchrow(
        """
        UPDATE template SET status = COALESCE(NULLIF($5, ''), status), category = COALESCE(NULLIF($6, ''), category), reason = $7,
               updated_at = $8
        WHERE organisation_id = $1 AND channel_id = $2 AND name = $3 AND language = $4 AND gone_at IS NULL AND updated_at <= $8
        RETURNING id, status, category
        """,
        unit.tenant,
        channel_id,
        event.name,
        event.language,
        event.status,
        event.category,
        event.reason,
        event.at,
    )
    if row is not None:
        await _note(unit, [(row["id"], row["status"], row["category"], event.reason)], at=event.at)
        _tell(unit, channel_id)
    await unit.sql.execute(
        "UPDATE channel SET care_at = $3 WHERE organisation_id = $1 AND id = $2", unit.tenant, channel_id, clock.now()
    )


async def create(runtime: Runtime, access: Access, channel_id: UUID, template: TemplateRecord) -> UUID:
    """Submit a template to the provider, which mostly decides later; its id. Raises NotFound, NoTemplates, and what
    `SyncsTemplates.create_template` raises."""
    channel = await _open(runtime, access, channel_id)
    connector = syncing(channel.connector)
    async with connector_client(runtime.settings.trusted_hosts) as http:
        made = await connector.create_template(template, channel.account, http)
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        kept = await _keep(unit, channel_id, [made], by=access)
        shown = {"template": made.name, "language": made.language}
        await audit.record(unit, access, "template.created", ids.show("chn", channel_id), shown)
    return kept[made.name, made.language]


async def delete(runtime: Runtime, access: Access, channel_id: UUID, template_id: UUID) -> None:
    """Take a template away at the provider; its history stays. Raises what `create` raises."""
    channel = await _open(runtime, access, channel_id)
    connector = syncing(channel.connector)
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        kept = await read_template(unit, channel_id, template_id)
    record = TemplateRecord(
        provider_id=kept.provider_id,
        name=kept.name,
        language=kept.language,
        category=kept.category,
        status=kept.status,
        components=tuple(kept.components),
        reason=kept.reason,
    )
    async with connector_client(runtime.settings.trusted_hosts) as http:
        await connector.delete_template(record, channel.account, http)
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        await unit.sql.execute(
            "UPDATE template SET gone_at = $3, updated_at = $3 WHERE organisation_id = $1 AND id = $2",
            unit.tenant,
            template_id,
            clock.now(),
        )
        await _note(unit, [(template_id, "gone", kept.category, "")], by=access)
        shown = {"template": kept.name, "language": kept.language}
        await audit.record(unit, access, "template.deleted", ids.show("chn", channel_id), shown)
        _tell(unit, channel_id)


async def _open(runtime: Runtime, access: Access, channel_id: UUID) -> OpenChannel:
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        return await read_channel(runtime, unit, channel_id)


def syncing(connector: AnyConnector) -> SyncsTemplates[Any]:
    """Raises NoTemplates."""
    if not isinstance(connector, SyncsTemplates):
        raise NoTemplates(f"{connector.label} has no templates")
    return connector


async def _keep(
    unit: UnitOfWork, channel_id: UUID, records: Sequence[TemplateRecord], *, by: Access | None = None
) -> dict[tuple[str, str], UUID]:
    """Write what the provider has, and a line of history where status, category or reason is another; ids by name and language."""
    known: Mapping[tuple[str, str], Any] = {
        (row["name"], row["language"]): row
        for row in await unit.sql.fetch(
            """
            SELECT id, name, language, status, category, reason, gone_at IS NOT NULL AS is_gone FROM template
            WHERE organisation_id = $1 AND channel_id = $2 FOR UPDATE
            """,
            unit.tenant,
            channel_id,
        )
    }
    kept = {
        place: known[place]["id"] if place in known else ids.new_id() for one in records for place in [(one.name, one.language)]
    }
    await unit.sql.execute(
        """
        INSERT INTO template (organisation_id, id, channel_id, provider_id, name, language, category, status, components, reason,
                              updated_at)
        SELECT $1, id, $2, provider_id, name, language, category, status, components::jsonb, reason, $3
        FROM unnest($4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[])
            AS row(id, provider_id, name, language, category, status, components, reason)
        ON CONFLICT (organisation_id, channel_id, name, language) DO UPDATE
        SET provider_id = excluded.provider_id, category = excluded.category, status = excluded.status,
            components = excluded.components, reason = excluded.reason, updated_at = excluded.updated_at, gone_at = NULL
        """,
        unit.tenant,
        channel_id,
        clock.now(),
        [kept[record.name, record.language] for record in records],
        [record.provider_id for record in records],
        [record.name for record in records],
        [record.language for record in records],
        [record.category for record in records],
        [record.status for record in records],
        [json.dumps(list(record.components)) for record in records],
        [record.reason for record in records],
    )
    became = [
        (kept[record.name, record.language], record.status, record.category, record.reason)
        for record in records
        if _differs(known.get((record.name, record.language)), record)
    ]
    await _note(unit, became, by=by)
    if became:
        _tell(unit, channel_id)
    return kept


def _differs(known: Any, record: TemplateRecord) -> bool:
    return known is None or (False, record.status, record.category, record.reason) != tuple(
        known[name] for name in ("is_gone", "status", "category", "reason")
    )


async def _note(
    unit: UnitOfWork, became: Collection[tuple[UUID, str, str, str]], *, at: datetime | None = None, by: Access | None = None
) -> None:
    """Add lines (template, status, category, reason) to the histories."""
    if not became:
        return
    await unit.sql.execute(
        """
        INSERT INTO template_event (organisation_id, id, template_id, at, status, category, reason, member_id)
        SELECT $1, id, template_id, $2, status, category, reason, $3
        FROM unnest($4::uuid[], $5::uuid[], $6::text[], $7::text[], $8::text[]) AS row(id, template_id, status, category, reason)
        """,
        unit.tenant,
        at or clock.now(),
        by.member_id if by else None,
        [ids.new_id() for _ in became],
        *(list(column) for column in zip(*became, strict=True)),
    )


def _tell(unit: UnitOfWork, channel_id: UUID) -> None:
    note_change(unit, "channel", {"channel": ids.show("chn", channel_id)})
