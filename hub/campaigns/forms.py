"""The form of a draft: what was typed, and back, so that nothing typed is lost when something is wrong."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from starlette.datastructures import FormData

from hub.campaigns.audience import Audience, read_audience
from hub.campaigns.models import Campaign
from hub.campaigns.service import Draft
from hub.campaigns.writing import Letter, read_letter
from hub.core import ids
from hub.core.errors import InvalidInput
from hub.core.i18n import LOCALES
from hub.inbox.page.when import read_local

DAYS: Final = ("written_since", "granted_since")


@dataclass(frozen=True, slots=True)
class Typed:
    """The fields as they stand on the page; `channels`, `letters` and `prices` by shown id of the channel."""

    name: str
    purpose: str
    channels: tuple[str, ...]
    letters: Mapping[str, Letter]
    prices: Mapping[str, str]
    language: str
    days: Mapping[str, str]
    send_at: str

    def letter(self, channel: str) -> Letter:
        """What was typed for a channel."""
        return self.letters.get(channel, Letter())


def typed_of(campaign: Campaign, zone: ZoneInfo) -> Typed:
    """A draft as its form shows it."""
    audience = read_audience(campaign.audience)
    return Typed(
        campaign.name,
        ids.show("pur", campaign.purpose_id),
        tuple(ids.show("chn", one) for one in audience.channel_ids),
        {ids.show("chn", UUID(channel)): read_letter(kept) for channel, kept in campaign.letters.items()},
        {ids.show("chn", UUID(channel)): price for channel, price in campaign.prices.items()},
        audience.language,
        {name: day.isoformat() for name, day in audience.days().items()},
        campaign.send_at.astimezone(zone).strftime("%Y-%m-%dT%H:%M") if campaign.send_at else "",
    )


def read_typed(form: FormData) -> Typed:
    """What a browser sent."""

    def one(name: str) -> str:
        value = form.get(name, "")
        return value if isinstance(value, str) else ""

    channels = [value for value in form.getlist("with") if isinstance(value, str)]
    letters = {}
    for channel in channels:
        template = one(f"template-{channel}")
        if template:
            values = tuple(value for value in form.getlist(f"value-{channel}-{template}") if isinstance(value, str))
            letters[channel] = Letter(template_id=ids.read("tpl", template), values=values)
        else:
            letters[channel] = Letter(one(f"text-{channel}"))
    return Typed(
        one("name"),
        one("purpose"),
        tuple(value for value in form.getlist("channel") if isinstance(value, str)),
        letters,
        {channel: one(f"price-{channel}") for channel in channels},
        one("language"),
        {name: one(name) for name in DAYS},
        one("send_at"),
    )


def draft_of(typed: Typed, zone: ZoneInfo) -> Draft:
    """What it means. InvalidInput names the field; NotFound."""
    if typed.language and typed.language not in LOCALES:
        raise InvalidInput("no such language", field="language")
    audience = Audience(
        tuple(ids.read("chn", one) for one in typed.channels), typed.language, **{name: _day(typed, name) for name in DAYS}
    )
    return Draft(
        typed.name,
        ids.read("pur", typed.purpose),
        audience,
        {ids.read("chn", channel): letter for channel, letter in typed.letters.items()},
        {ids.read("chn", channel): price for channel, price in typed.prices.items()},
        read_local(typed.send_at, zone) if typed.send_at else None,
    )


def _day(typed: Typed, name: str) -> date | None:
    text = typed.days.get(name, "")
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise InvalidInput("not a day", field=name) from error
