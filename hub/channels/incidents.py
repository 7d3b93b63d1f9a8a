"""A channel that turned red is told to the owners by mail, once for each incident, and once more when it works again.

`channel.told_at` is the memory. It is set before the mails leave, so that two workers never tell the same; if the mail server takes
none of them it is taken back, and the next round tries again. Without a mail server the pages alone tell.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from hub.channels import history
from hub.channels.causes import cause_words
from hub.channels.owners import Letter, Owner, owners_of, send_letters, write_letter
from hub.core import clock
from hub.core.i18n import Translator
from hub.core.mail import can_send
from hub.runtime import Runtime

PATIENCE: Final = timedelta(minutes=10)
"""How long a provider may be away before somebody is told: most outages end by themselves sooner. What waits for a person
(`attention`) is told at once."""

_DUE: Final = """
SELECT organisation_id, id FROM channel
WHERE state = 'on' AND told_at IS NULL AND (health = 'attention' OR health = 'failing' AND health_since <= $1)
   OR told_at IS NOT NULL AND health = 'healthy'
"""

_TAKE: Final = """
UPDATE channel SET told_at = CASE health WHEN 'healthy' THEN NULL ELSE $3::timestamptz END
WHERE organisation_id = $1 AND id = $2 AND (told_at IS NULL) = (health <> 'healthy')
RETURNING id, connector, title, state, health, health_cause, health_since
"""


@dataclass(frozen=True, slots=True)
class _News:
    """What the owners of one organisation are told of one channel."""

    organisation_id: UUID
    channel_id: UUID
    is_over: bool
    letters: list[Letter]


async def tell_owners(runtime: Runtime) -> int:
    """Tell what changed since the last round; how many mails the server took. Several workers may do so at once."""
    if not can_send(runtime.settings):
        return 0
    async with runtime.database.system() as unit:
        due = await unit.sql.fetch(_DUE, clock.now() - PATIENCE)
    sent = 0
    for row in due:
        news = await _take(runtime, row["organisation_id"], row["id"])
        if news is None:
            continue
        taken = await send_letters(runtime.settings, news.letters)
        sent += taken
        if news.letters and not taken and not news.is_over:
            await _give_back(runtime, news)
    return sent


async def _take(runtime: Runtime, organisation_id: UUID, channel_id: UUID) -> _News | None:
    """The news of a channel, which nobody else tells from now on; None when it was told meanwhile."""
    async with runtime.database.unit_of_work(organisation_id) as unit:
        row = await unit.sql.fetchrow(_TAKE, organisation_id, channel_id, clock.now())
        if row is None:
            return None
        is_over = row["health"] == "healthy"
        if is_over and row["state"] != "on":
            return None
        letters = [_write(runtime, owner, row) for owner in await owners_of(unit)]
        await history.note(unit, channel_id, "change", "owners_told_well" if is_over else "owners_told")
    return _News(organisation_id, channel_id, is_over, letters)


def _write(runtime: Runtime, owner: Owner, row: Any) -> Letter:
    t, label = Translator(owner.locale), runtime.connectors.get(row["connector"]).label
    if row["health"] == "healthy":
        return write_letter(runtime.settings, owner, "channels.mail.well", name=row["title"], messenger=label)
    what, then = cause_words(t, row["connector"], label, row["health_cause"], row["health_since"], ZoneInfo(owner.zone))
    return write_letter(runtime.settings, owner, "channels.mail.ill", name=row["title"], messenger=label, cause=what, next=then)


async def _give_back(runtime: Runtime, news: _News) -> None:
    async with runtime.database.unit_of_work(news.organisation_id) as unit:
        await unit.sql.execute(
            "UPDATE channel SET told_at = NULL WHERE organisation_id = $1 AND id = $2", news.organisation_id, news.channel_id
        )
