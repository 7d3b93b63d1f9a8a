"""All messengers of the contract in the order of the catalogue page: those this hub has, those it has not, and one that is no more.

What a messenger can do stands in its connector's capabilities, what it is about in its words (`channel.<name>.about.…`); here
stands only what is true of it whether it is installed or not (`catalogue.json`). A connector that is not listed comes last.
"""

import json
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Final

from hub.channels.providers import Provider, provider_of
from hub.connectors.contract import AnyConnector, Capabilities
from hub.connectors.registry import Registry
from hub.core.errors import NotFound
from hub.core.i18n import Translator, catalogue, format_number

LISTED: Final = Path(__file__).with_name("catalogue.json")
ABOUT: Final = ("official", "road", "costs", "data")
"""What a card says of its messenger in its own words (R-262, R-291), besides who stands behind it."""


@dataclass(frozen=True, slots=True)
class Messenger:
    """A card of the catalogue.

    `connector` and `provider` are None for one that this hub has not got; `ended` is the last day of one that is no more, and
    `successor` the name of the one to take instead. `notices` are keys of what must be known before it is connected
    (`channels.notice.<key>`).
    """

    name: str
    label: str
    mark: str
    connector: AnyConnector | None = None
    provider: Provider | None = None
    ended: date | None = None
    successor: str = ""
    notices: tuple[str, ...] = ()


@cache
def _listed() -> tuple[dict[str, Any], ...]:
    return tuple(json.loads(LISTED.read_text("utf-8")))


def messengers(connectors: Registry) -> list[Messenger]:
    """The whole catalogue. A connector without a provider record cannot be connected, so it is none (R-180)."""
    usable = {}
    for name, connector in connectors.items():
        try:
            usable[name] = (connector, provider_of(name))
        except NotFound:
            continue
    found = [_messenger(entry, *usable.get(entry["name"], (None, None))) for entry in _listed()]
    known = {entry["name"] for entry in _listed()}
    others = sorted((one for one in usable.values() if one[0].connector not in known), key=lambda one: one[0].label)
    return found + [Messenger(one.connector, one.label, one.mark, one, provider) for one, provider in others]


def _messenger(entry: dict[str, Any], connector: AnyConnector | None, provider: Provider | None) -> Messenger:
    return Messenger(
        entry["name"],
        connector.label if connector else entry["label"],
        connector.mark if connector else entry["mark"],
        connector,
        provider,
        date.fromisoformat(entry["ended"]) if "ended" in entry else None,
        entry.get("successor", ""),
        tuple(entry.get("notices", ())),
    )


def about(t: Translator, name: str) -> dict[str, str]:
    """What the connector's own words say of a messenger; what it does not say is missing."""
    texts = catalogue(t.locale)
    keys = {one: f"channel.{name}.about.{one}" for one in ABOUT}
    return {one: t(key) for one, key in keys.items() if key in texts}


def can_do(t: Translator, can: Capabilities) -> str:
    """What a messenger can do, in plain words: „Texte bis 4.096 Zeichen, Bilder, Sprachnachrichten, …“."""
    known = [t("channels.can.text", longest=format_number(can.max_text, t.locale))]
    kinds = [kind for kind in ("image", "video", "voice", "document") if kind in can.media]
    known += [t(f"channels.can.{kind}") for kind in kinds]
    for has, key in (
        (can.location, "location"),
        (can.contact, "contact"),
        (can.choice, "choice"),
        (can.cards, "cards"),
        (can.times, "times"),
        (can.templates, "templates"),
        ("react" in can.actions, "react"),
        ("edit" in can.actions, "edit"),
    ):
        if has:
            known.append(t(f"channels.can.{key}"))
    return ", ".join(known)
