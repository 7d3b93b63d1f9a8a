"""Who stands behind each messenger and which documents apply (R-180, R-192, R-291). The record is data in the connector's folder:
`hub/connectors/<name>/provider.json`."""

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

import hub.connectors
from hub.core.errors import NotFound


@dataclass(frozen=True, slots=True)
class Provider:
    """`operator` is the contracting party named in the terms; `version` changes whenever the documents do.

    `regions` are where the messenger keeps or reads messages: country codes or `EU`, `here` for this hub alone, `world` for what
    nobody can name (R-262).
    `forwards`: what the hub hands on to the provider that stands between (R-204); words `channel.<messenger>.forwards.<name>`.
    `human_needed`: programs may write only while a person can take over (R-188).
    `link` is the form of an address by which a customer begins to write, with `{name}` (the address without its @), `{digits}`,
    `{address}` or `{own_id}` in it; empty: there is none. `start` is the same for a link that says what they come for: as
    `{payload}`, which the provider hands to us, or as `{text}`, which stands in their field and is sent by them.
    """

    provider: str
    operator: str
    version: str
    documents: tuple[dict[str, str], ...]
    regions: tuple[str, ...] = ()
    link: str = ""
    start: str = ""
    human_needed: bool = False
    forwards: tuple[str, ...] = ()

    def link_to(self, own_id: str, address: str) -> str:
        """Where a customer begins to write to this account; empty where the messenger has no such link."""
        return _fill(self.link, own_id, address)

    def start_of(self, own_id: str, address: str, *, payload: str, text: str) -> str:
        """The same link for who comes with a payload or a text; the plain one where the messenger carries neither."""
        return _fill(self.start or self.link, own_id, address, payload=payload, text=quote(text))

    @property
    def starts_with(self) -> Literal["payload", "text", ""]:
        """What such a link carries."""
        return "payload" if "{payload}" in self.start else "text" if self.start else ""


def _fill(form: str, own_id: str, address: str, **more: str) -> str:
    digits = re.sub(r"\D", "", address)
    return form.format(name=address.removeprefix("@"), digits=digits, address=address, own_id=own_id, **more)


@cache
def _providers() -> dict[str, Provider]:
    records = (path for folder in hub.connectors.__path__ for path in Path(folder).glob("*/provider.json"))
    return {path.parent.name: _read(json.loads(path.read_text("utf-8"))) for path in records}


def _read(entry: dict[str, Any]) -> Provider:
    return Provider(
        entry["provider"],
        entry["operator"],
        entry["version"],
        tuple(entry["documents"]),
        tuple(entry.get("regions", ())),
        entry.get("link", ""),
        entry.get("start", ""),
        entry.get("human_needed", False),
        tuple(entry.get("forwards", ())),
    )


def provider_of(connector: str) -> Provider:
    """The record of a messenger; NotFound where none was written: such a channel cannot be switched on."""
    provider = _providers().get(connector)
    if provider is None:
        raise NotFound(f"no provider record for {connector}")
    return provider
