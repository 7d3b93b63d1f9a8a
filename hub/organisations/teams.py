"""Teams: members who share work (R-300). Who may manage members may make, rename and remove teams and say who is in them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import asyncpg

from hub.core import clock
from hub.core.db import UnitOfWork
from hub.core.errors import Conflict, InvalidInput, NotFound
from hub.core.feed import note_change
from hub.core.ids import new_id, show
from hub.organisations import audit
from hub.organisations.actor import Access
from hub.organisations.hooks import TeamRemoved
from hub.organisations.people import clean_name
from hub.runtime import Runtime

MOST_MEMBERS: Final = 500
"""How many members one form may name."""


class TeamExists(Conflict):
    """Another team has this name; capitals make no difference."""

    code = "team_exists"


@dataclass(frozen=True, slots=True)
class Team:
    """A team that is there, or, for the record, one that was."""

    id: UUID
    name: str
    active: bool
    members: frozenset[UUID]


async def read_teams(unit: UnitOfWork) -> dict[UUID, Team]:
    """All teams by id in the order of their names, removed ones too; only active members are in one."""
    rows = await unit.sql.fetch(
        """
        SELECT t.id, t.name, t.removed_at IS NULL AS active,
               coalesce(array_agg(m.id) FILTER (WHERE m.id IS NOT NULL), '{}') AS members
        FROM team t
        LEFT JOIN team_member i ON i.organisation_id = t.organisation_id AND i.team_id = t.id
        LEFT JOIN member m ON m.organisation_id = i.organisation_id AND m.id = i.member_id AND m.deactivated_at IS NULL
        WHERE t.organisation_id = $1 GROUP BY t.id, t.name, t.removed_at ORDER BY lower(t.name), t.id
        """,
        unit.tenant,
    )
    return {row["id"]: Team(row["id"], row["name"], row["active"], frozenset(row["members"])) for row in rows}


async def list_teams(runtime: Runtime, access: Access) -> list[Team]:
    """The teams that are there."""
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        return [team for team in (await read_teams(unit)).values() if team.active]


async def create_team(runtime: Runtime, access: Access, name: str) -> UUID:
    """Make a team without members; its id. Raises InvalidInput(field="name"), TeamExists."""
    name, team_id = clean_name(name), new_id()
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        await _write_name(
            unit, "INSERT INTO team (organisation_id, id, name, created_at) VALUES ($1, $2, $3, $4)", team_id, name, clock.now()
        )
        await _note(unit, access, team_id, "team.made", {"name": name})
    return team_id


async def rename_team(runtime: Runtime, access: Access, team_id: UUID, name: str) -> None:
    """Give a team another name. Raises InvalidInput(field="name"), TeamExists, NotFound."""
    name = clean_name(name)
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        before = await _lock(unit, team_id)
        await _write_name(unit, "UPDATE team SET name = $3 WHERE organisation_id = $1 AND id = $2", team_id, name)
        await _note(unit, access, team_id, "team.renamed", {"from": before, "to": name})


async def set_members(runtime: Runtime, access: Access, team_id: UUID, member_ids: Sequence[UUID]) -> None:
    """Say who is in a team: exactly these. Raises NotFound, also for a member who is not here, InvalidInput(field="members")."""
    if len(member_ids) > MOST_MEMBERS:
        raise InvalidInput(f"more than {MOST_MEMBERS} members", field="members")
    wanted = set(member_ids)
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        await _lock(unit, team_id)
        known = await unit.sql.fetch(
            "SELECT id FROM member WHERE organisation_id = $1 AND id = ANY($2::uuid[]) AND deactivated_at IS NULL",
            unit.tenant,
            list(wanted),
        )
        if len(known) != len(wanted):
            raise NotFound("no such member")
        gone = await unit.sql.fetch(
            """
            DELETE FROM team_member WHERE organisation_id = $1 AND team_id = $2 AND member_id <> ALL($3::uuid[])
            RETURNING member_id
            """,
            unit.tenant,
            team_id,
            list(wanted),
        )
        came = await unit.sql.fetch(
            """
            INSERT INTO team_member (organisation_id, team_id, member_id) SELECT $1, $2, unnest($3::uuid[])
            ON CONFLICT DO NOTHING RETURNING member_id
            """,
            unit.tenant,
            team_id,
            list(wanted),
        )
        detail = {what: sorted(show("mem", row["member_id"]) for row in rows) for what, rows in (("came", came), ("went", gone))}
        if came or gone:
            await _note(unit, access, team_id, "team.members_set", detail)


async def remove_team(runtime: Runtime, access: Access, team_id: UUID) -> None:
    """End a team; what it had to do is nobody's then, unless a member has it too. Raises NotFound."""
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        name = await _lock(unit, team_id)
        await unit.sql.execute(
            "UPDATE team SET removed_at = $3 WHERE organisation_id = $1 AND id = $2", unit.tenant, team_id, clock.now()
        )
        await unit.sql.execute("DELETE FROM team_member WHERE organisation_id = $1 AND team_id = $2", unit.tenant, team_id)
        await runtime.hooks.publish(unit, TeamRemoved(team_id, access))
        await _note(unit, access, team_id, "team.removed", {"name": name})


async def _lock(unit: UnitOfWork, team_id: UUID) -> str:
    """The team's row until the commit; its name."""
    name: str | None = await unit.sql.fetchval(
        "SELECT name FROM team WHERE organisation_id = $1 AND id = $2 AND removed_at IS NULL FOR UPDATE", unit.tenant, team_id
    )
    if name is None:
        raise NotFound("no such team")
    return name


async def _write_name(unit: UnitOfWork, statement: str, team_id: UUID, name: str, *more: Any) -> None:
    try:
        await unit.sql.execute(statement, unit.tenant, team_id, name, *more)
    except asyncpg.UniqueViolationError as error:
        raise TeamExists(name=name) from error


async def _note(unit: UnitOfWork, access: Access, team_id: UUID, action: str, detail: dict[str, Any]) -> None:
    await audit.record(unit, access, action, show("team", team_id), detail)
    note_change(unit, "team", {"team": show("team", team_id)})
