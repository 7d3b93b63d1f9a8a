"""A provider ends its messenger (R-185): the operator says from which day on, once for all organisations.

From the beginning of that day on nothing leaves over any account of the messenger (the gate's rule `messenger_ended`); what a
provider still delivers is stored as before, and the history stays.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from hub.channels import history
from hub.channels.owners import owners_of, send_letters, write_letter
from hub.core import clock, i18n
from hub.core.calendar import end_of_day
from hub.core.db import UnitOfWork
from hub.core.errors import InvalidInput
from hub.core.feed import note_change
from hub.organisations import audit
from hub.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of one messenger. `from_day` is the first day without it."""

    connector: str
    from_day: date
    reason: str


def first_moment(day: date, zone: ZoneInfo) -> datetime:
    """00:00 of `day` in `zone`, which is 24:00 of the day before, as an aware UTC instant."""
    return end_of_day(day - timedelta(days=1), zone)


async def read_endings(unit: UnitOfWork) -> dict[str, Ending]:
    """All messengers that end or have ended, by connector."""
    rows = await unit.sql.fetch("SELECT connector, from_day, reason FROM messenger_end")
    return {row["connector"]: Ending(**row) for row in rows}


async def end_messenger(runtime: Runtime, connector: str, from_day: date, reason: str) -> tuple[int, int]:
    """Keep the end of a messenger, write it into the history of every organisation that uses it, and tell their owners by mail.

    How many organisations use it, and how many owners got a mail. Safe to repeat: another day or reason takes the place of the
    former, and the owners are told again. Raises NotFound for a messenger that is not installed, InvalidInput without a reason.
    """
    label = runtime.connectors.get(connector).label
    if not reason.strip():
        raise InvalidInput("a reason is needed", field="reason")
    async with runtime.database.system() as unit:
        await unit.sql.execute(
            """
            INSERT INTO messenger_end (connector, from_day, reason, decided_at) VALUES ($1, $2, $3, $4)
            ON CONFLICT (connector) DO UPDATE SET from_day = $2, reason = $3, decided_at = $4
            """,
            connector,
            from_day,
            reason.strip(),
            clock.now(),
        )
        organisations = await unit.sql.fetch("SELECT DISTINCT organisation_id AS id FROM channel WHERE connector = $1", connector)
    sent = 0
    for row in organisations:
        async with runtime.database.unit_of_work(row["id"]) as unit:
            detail = {"from_day": from_day.isoformat(), "reason": reason.strip()}
            await audit.record(unit, None, "messenger.ended", connector, detail)
            await history.note_messenger(unit, connector, "messenger_ended", reason.strip())
            note_change(unit, "channel", {})
            owners = await owners_of(unit)
        letters = [
            write_letter(
                runtime.settings,
                owner,
                "channels.mail.ended",
                messenger=label,
                reason=reason.strip(),
                day=i18n.format_date(from_day, owner.locale, ZoneInfo(owner.zone)),
            )
            for owner in owners
        ]
        sent += await send_letters(runtime.settings, letters)
    return len(organisations), sent
