"""Who stands behind each messenger and which documents apply (R-180, R-192). The record is data in the connector's own folder:
`hub/connectors/<name>/provider.json`."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import hub.connectors
from hub.core.errors import NotFound


@dataclass(frozen=True, slots=True)
class Provider:
    """`operator` is the contracting party named in the terms; `version` changes whenever the documents do."""

    provider: str
    operator: str
    version: str
    documents: tuple[dict[str, str], ...]


@cache
def _providers() -> dict[str, Provider]:
    records = (path for folder in hub.connectors.__path__ for path in Path(folder).glob("*/provider.json"))
    raw = {path.parent.name: json.loads(path.read_text("utf-8")) for path in records}
    return {
        name: Provider(entry["provider"], entry["operator"], entry["version"], tuple(entry["documents"]))
        for name, entry in raw.items()
    }


def provider_of(connector: str) -> Provider:
    """The record of a messenger; NotFound where none was written: such a channel cannot be switched on."""
    provider = _providers().get(connector)
    if provider is None:
        raise NotFound(f"no provider record for {connector}")
    return provider
