"""Where a messenger demands that a person can take over (Instagram, R-188), programs write only while somebody can.

Somebody can while there is a human queue: a team that is there, with an active member whose role may answer. Nothing is automated
without one; when the last such member goes (deactivated, another role, out of the team, the team removed), the gate lets out
nothing that a program wrote (`human_missing`) from that moment on, and within a minute the owners are told. It goes on by itself
when somebody is back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from hub.channels import history
from hub.channels.owners import Letter, owners_of, send_letters, write_letter
from hub.channels.providers import provider_of
from hub.core import clock, ids
from hub.core.db import UnitOfWork
from hub.core.errors import Conflict, NotFound
from hub.core.feed import note_change
from hub.organisations import audit
from hub.organisations.rights import ROLE_RIGHTS, Right
from hub.runtime import Runtime

_ANSWER: Final = ", ".join(f"'{role}'" for role, rights in ROLE_RIGHTS.items() if Right.WRITE_INBOX in rights)
SOMEBODY: Final = f"""
EXISTS (
    SELECT FROM team_member i
    JOIN team t ON t.organisation_id = i.organisation_id AND t.id = i.team_id AND t.removed_at IS NULL
    JOIN member m ON m.organisation_id = i.organisation_id AND m.id = i.member_id AND m.deactivated_at IS NULL
    WHERE i.organisation_id = $1 AND m.role IN ({_ANSWER}))
"""
"""SQL: whether organisation $1 has a human queue with at least one active agent."""


class HumanNeeded(Conflict):
    """This messenger takes no automation without a team in which an active member may answer (R-188)."""

    code = "human_needed"


@dataclass(frozen=True, slots=True)
class Automation:
    """What decides whether programs may write on a channel."""

    human_needed: bool
    human_there: bool

    @property
    def may_run(self) -> bool:
        return self.human_there or not self.human_needed


def needs_human(connector: str) -> bool:
    """Whether a messenger's provider demands it; a messenger without a record demands nothing."""
    try:
        return provider_of(connector).human_needed
    except NotFound:
        return False


async def require(unit: UnitOfWork, connector: str) -> None:
    """Before something is automated on a channel of this messenger. Raises HumanNeeded."""
    automation = Automation(needs_human(connector), await unit.sql.fetchval(f"SELECT {SOMEBODY}", unit.tenant))
    if not automation.may_run:
        raise HumanNeeded(connector)


async def watch(runtime: Runtime) -> int:
    """Tell where automations stopped because nobody is there any more, and where they go on; how many channels that were. Safe to
    repeat, and for several workers at once."""
    demanding = [name for name in runtime.connectors if needs_human(name)]
    async with runtime.database.system() as unit:
        rows = await unit.sql.fetch(
            "SELECT DISTINCT organisation_id AS id FROM channel WHERE connector = ANY($1::text[]) AND welcome <> ''", demanding
        )
    changed = 0
    for row in rows:
        channels, letters = await _watch(runtime, row["id"], demanding)
        changed += channels
        await send_letters(runtime.settings, letters)
    return changed


async def _watch(runtime: Runtime, organisation_id: UUID, demanding: Sequence[str]) -> tuple[int, list[Letter]]:
    async with runtime.database.unit_of_work(organisation_id) as unit:
        is_there: bool = await unit.sql.fetchval(f"SELECT {SOMEBODY}", unit.tenant)
        rows = await unit.sql.fetch(
            """
            UPDATE channel SET automation_stopped_at = CASE WHEN $3 THEN NULL ELSE $4::timestamptz END
            WHERE organisation_id = $1 AND connector = ANY($2::text[]) AND welcome <> '' AND (automation_stopped_at IS NULL) <> $3
            RETURNING id, connector, COALESCE(NULLIF(title, ''), address) AS name
            """,
            unit.tenant,
            demanding,
            is_there,
            clock.now(),
        )
        what, letters = "automation_goes" if is_there else "automation_stopped", []
        told = await owners_of(unit) if rows and not is_there else []
        for row in rows:
            shown, label = ids.show("chn", row["id"]), runtime.connectors.get(row["connector"]).label
            await audit.record(unit, None, f"channel.{what}", shown, {})
            await history.note(unit, row["id"], "change", what)
            note_change(unit, "channel", {"channel": shown})
            letters += [
                write_letter(runtime.settings, owner, "channels.mail.human", name=row["name"], messenger=label) for owner in told
            ]
    return len(rows), letters
