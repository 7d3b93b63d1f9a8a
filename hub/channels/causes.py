"""Why a channel is not well and what to do now, in words: the hub's own causes, and those that a connector has words for
(`channel.<connector>.health.<cause>`, with `.next` where it knows what to do)."""

from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from hub.core import i18n
from hub.core.i18n import Translator, catalogue

OURS: Final = ("auth_failed", "provider_unavailable", "taken_elsewhere")
"""Causes that every messenger has: what the send errors and the poll of the same code leave behind (`connectors/errors.py`)."""


def cause_words(t: Translator, connector: str, label: str, cause: str, since: datetime | None, zone: ZoneInfo) -> tuple[str, str]:
    """What is wrong, and what to do. `label` is the messenger's name; a cause that nobody has words for is still told."""
    texts = catalogue(t.locale)
    own = f"channel.{connector}.health.{cause}"
    known = cause if cause in OURS else "other"
    when = ""
    if since is not None:
        day, time = i18n.format_date(since, t.locale, zone), i18n.format_time(since, t.locale, zone)
        when = t("channels.since", day=day, time=time)
    key = next((one for one in (own, f"channels.why.{cause}") if one in texts), f"channels.cause.{known}")
    what = t(key, messenger=label, since=when)
    return what, t(f"{own}.next", messenger=label) if f"{own}.next" in texts else t(f"channels.next.{known}", messenger=label)
