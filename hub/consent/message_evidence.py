"""The five fields by which a provider finds a message again (R-201): what a report of it consists of."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final
from uuid import UUID

from hub.core.vault import Vault

FIELDS: Final = ("timestamp", "content", "destination", "message_id", "sender")


@dataclass(frozen=True, slots=True)
class Evidence:
    """A message as the provider knows it. `timestamp`: the provider's time in ISO 8601, UTC; `message_id`: its own, ours where
    it has named none; `sender`: the account it left from, with who wrote it."""

    timestamp: str
    content: str
    destination: str
    message_id: str
    sender: str


def seal_evidence(vault: Vault, evidence: Evidence, *, organisation_id: UUID, table: str, row_id: UUID) -> bytes:
    """Sealed, so that it outlives the person as evidence and nothing else."""
    place = _place(organisation_id, table, row_id)
    return vault.seal(json.dumps(asdict(evidence), ensure_ascii=False, sort_keys=True), **place)


def open_evidence(vault: Vault, sealed: bytes, *, organisation_id: UUID, table: str, row_id: UUID) -> Evidence:
    """The five fields; SealBroken."""
    said: Mapping[str, str] = json.loads(vault.open(sealed, **_place(organisation_id, table, row_id)))
    return Evidence(**said)


def _place(organisation_id: UUID, table: str, row_id: UUID) -> dict[str, Any]:
    return {"organisation_id": organisation_id, "table": table, "column": "evidence_sealed", "row_id": row_id}
