"""What `hub channels` does: a small runtime for one command."""

from datetime import date
from zoneinfo import ZoneInfo

from hub.channels import demands, outages
from hub.channels.approval import set_approval
from hub.channels.endings import end_messenger, first_moment
from hub.core import ids
from hub.core.calendar import end_of_day
from hub.core.hooks import Hooks
from hub.core.settings import Settings
from hub.runtime import open_runtime


async def end_from_command_line(settings: Settings, connector: str, from_day: date, reason: str) -> tuple[int, int]:
    """How many organisations use the messenger, and how many owners got a mail. Raises what `end_messenger` raises."""
    async with open_runtime(settings, Hooks(), pool=1) as runtime:
        return await end_messenger(runtime, connector, from_day, reason)


async def approve_from_command_line(settings: Settings, channel: str, word: str, reason: str) -> None:
    """Raises what `set_approval` raises, and NotFound for a malformed id."""
    async with open_runtime(settings, Hooks(), pool=1) as runtime:
        await set_approval(runtime, ids.read("chn", channel), word, reason)


async def demand_from_command_line(settings: Settings, hooks: Hooks, slug: str, demand: demands.Demand) -> int:
    """How many owners got a mail. `hooks`: who listens stops what waits to be sent. Raises what `demands.execute` raises."""
    async with open_runtime(settings, hooks, pool=1) as runtime:
        return await demands.execute(runtime, slug, demand)


async def release_from_command_line(settings: Settings, slug: str, reason: str) -> None:
    """Raises what `demands.release` raises."""
    async with open_runtime(settings, Hooks(), pool=1) as runtime:
        await demands.release(runtime, slug, reason)


async def report_from_command_line(settings: Settings, from_day: date, to_day: date, slug: str) -> list[tuple[str, outages.Report]]:
    """The outages of these days by organisation, both days whole and in its zone; `slug` names one, else all. NotFound."""
    reports = []
    async with open_runtime(settings, Hooks(), pool=1) as runtime:
        async with runtime.database.system() as unit:
            if slug:
                await demands.organisation_of(unit, slug)
            rows = await unit.sql.fetch("SELECT id, slug, zone FROM organisation WHERE $1 IN ('', slug) ORDER BY slug", slug)
        for row in rows:
            zone = ZoneInfo(row["zone"])
            async with runtime.database.unit_of_work(row["id"]) as unit:
                report = await outages.report(unit, first_moment(from_day, zone), end_of_day(to_day, zone))
                reports.append((row["slug"], report))
    return reports


async def judge_from_command_line(settings: Settings, slug: str, outage: str, fault: str, reason: str) -> None:
    """Raises what `outages.judge` raises, and NotFound for a malformed id or an unknown organisation."""
    async with open_runtime(settings, Hooks(), pool=1) as runtime:
        async with runtime.database.system() as unit:
            organisation_id = await demands.organisation_of(unit, slug)
        await outages.judge(runtime, organisation_id, ids.read("out", outage), fault, reason)
