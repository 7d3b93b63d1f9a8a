"""A provider has new terms (R-180): every organisation that uses it is asked again, and has time to answer.

The channel goes on sending for the days of `provider_terms.grace` after the hub first saw the new version; from then on it only
receives (the gate's rule `terms_overdue`) until somebody accepts them on the channels page.
"""

from uuid import UUID
from zoneinfo import ZoneInfo

from hub.channels import history
from hub.channels.owners import Letter, owners_of, send_letters, write_letter
from hub.channels.providers import Provider, provider_of
from hub.core import clock, i18n
from hub.core.calendar import day_of, end_of_day, period_from_event
from hub.core.errors import NotFound
from hub.core.feed import note_change
from hub.organisations import audit, policy
from hub.runtime import Runtime


async def ask_again(runtime: Runtime) -> int:
    """Give every channel under terms that were not accepted its day, and tell the owners; how many channels there were. Safe to
    repeat: a channel is given one day for one version."""
    present = _present(runtime)
    async with runtime.database.system() as unit:
        organisations = await unit.sql.fetch("SELECT DISTINCT organisation_id AS id FROM channel WHERE own_id <> ''")
    found = 0
    for row in organisations:
        count, letters = await _ask(runtime, row["id"], present)
        found += count
        await send_letters(runtime.settings, letters)
    return found


def _present(runtime: Runtime) -> dict[str, Provider]:
    """The terms of today by messenger; one without a record can hardly have been connected."""
    found = {}
    for connector in runtime.connectors:
        try:
            found[connector] = provider_of(connector)
        except NotFound:
            continue
    return found


async def _ask(runtime: Runtime, organisation_id: UUID, present: dict[str, Provider]) -> tuple[int, list[Letter]]:
    async with runtime.database.unit_of_work(organisation_id) as unit:
        rows = await unit.sql.fetch(
            """
            SELECT h.id, h.connector FROM channel h
            JOIN unnest($2::text[], $3::text[]) AS present(connector, version) ON present.connector = h.connector
            WHERE h.organisation_id = $1 AND h.own_id <> '' AND h.terms_due_at IS NULL AND NOT EXISTS (
                SELECT FROM channel_terms t
                WHERE t.organisation_id = $1 AND t.connector = h.connector AND t.version = present.version)
            FOR UPDATE OF h
            """,
            unit.tenant,
            list(present),
            [one.version for one in present.values()],
        )
        if not rows:
            return 0, []
        zone = ZoneInfo(await unit.sql.fetchval("SELECT zone FROM organisation WHERE id = $1", unit.tenant))
        grace = policy.span((await policy.resolve(unit, "provider_terms.grace")).value)
        last_day = period_from_event(day_of(clock.now(), zone), *grace).day
        await unit.sql.execute(
            "UPDATE channel SET terms_due_at = $3 WHERE organisation_id = $1 AND id = ANY($2::uuid[])",
            unit.tenant,
            [row["id"] for row in rows],
            end_of_day(last_day, zone),
        )
        letters = []
        for connector in sorted({row["connector"] for row in rows}):
            provider = present[connector]
            detail = {"version": provider.version, "last_day": last_day.isoformat()}
            await audit.record(unit, None, "terms.asked", connector, detail)
            await history.note_messenger(unit, connector, "terms_asked", provider.version)
            letters += [
                write_letter(
                    runtime.settings,
                    owner,
                    "channels.mail.terms",
                    provider=provider.provider,
                    version=provider.version,
                    day=i18n.format_date(last_day, owner.locale, zone),
                )
                for owner in await owners_of(unit)
            ]
        note_change(unit, "channel", {})
    return len(rows), letters
