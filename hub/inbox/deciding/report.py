"""The owners' monthly list of overrides (R-226): sent once after each month in which there was one."""

from datetime import timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from hub.channels.owners import Letter, owners_of, send_letters, write_letter
from hub.core import clock, i18n
from hub.core.calendar import day_of
from hub.inbox.deciding.overriding import Month, Override, overrides_between, read_month
from hub.organisations import audit
from hub.runtime import Runtime

REPORTED = "consent.overrides_reported"


async def report_overrides(runtime: Runtime) -> int:
    """Tell the owners of every organisation about last month's overrides, unless they were told; how many organisations. The page
    shows the same list at any time, so a mail that is not taken loses nothing."""
    async with runtime.database.system() as unit:
        organisations = await unit.sql.fetch("SELECT id, zone FROM organisation")
    told = 0
    for row in organisations:
        letters = await _report(runtime, row["id"], ZoneInfo(row["zone"]))
        await send_letters(runtime.settings, letters)
        told += bool(letters)
    return told


async def _report(runtime: Runtime, organisation_id: UUID, zone: ZoneInfo) -> list[Letter]:
    last = day_of(clock.now(), zone).replace(day=1) - timedelta(days=1)
    month = read_month(f"{last:%Y-%m}", zone)
    async with runtime.database.unit_of_work(organisation_id) as unit:
        is_due = await unit.sql.fetchval(
            """
            SELECT EXISTS (SELECT FROM consent_entry WHERE organisation_id = $1 AND kind = 'overridden' AND at >= $2 AND at < $3)
               AND NOT EXISTS (SELECT FROM audit_entry WHERE organisation_id = $1 AND action = $4 AND target = $5)
            """,
            unit.tenant,
            month.begins,
            month.ends,
            REPORTED,
            month.shown,
        )
        if not is_due:
            return []
        found = await overrides_between(unit, runtime.vault, month.begins, month.ends)
        await audit.record(unit, None, REPORTED, month.shown, {"overrides": len(found)})
        return [
            write_letter(
                runtime.settings,
                owner,
                "overrides.mail",
                page=f"consent/overrides?month={month.shown}",
                month=month_name(month, owner.locale),
                number=len(found),
                list="\n".join(_line(one, owner.locale, zone) for one in found),
            )
            for owner in await owners_of(unit)
        ]


def month_name(month: Month, locale: str) -> str:
    """`November 2026` in a language of the hub."""
    return i18n.format_month(month.first, locale)


def _line(one: Override, locale: str, zone: ZoneInfo) -> str:
    return f"- {i18n.format_date(one.at, locale, zone)}, {one.by}: {one.reason}"
