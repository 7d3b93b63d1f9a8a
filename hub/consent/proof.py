"""The proof of what one person agreed to: a document that holds without this hub (R-200, R-222). `docs/consent.md` has the format,
`docs/verify_proof.py` checks it with nothing but Python.

It reveals the entries of this person and of nobody else: each with salt and details, so that its commitment and hash can be
computed anew, and with the path from its hash to the root of a checkpoint that is signed. Of all others only hashes are in it.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from hub.consent.checkpoints import Checkpoint, Signer, all_checkpoints
from hub.consent.fold import Fold
from hub.consent.history import Person, Record, ground_of, read_person
from hub.consent.locks import Key
from hub.consent.merkle import levels_of, path_to
from hub.consent.purposes import list_purposes
from hub.core import clock, ids
from hub.core.db import UnitOfWork
from hub.core.errors import NotFound
from hub.runtime import Runtime

FORMAT: Final = "hub-proof-1"
PREFIX: Final = b"hub proof 1\x00"
"""Stands before the document where it is signed."""


class NothingOnRecord(NotFound):
    """The ledger says nothing of this address."""

    code = "nothing_on_record"


@dataclass(slots=True)
class Prover:
    """Makes proofs over the ledger as the newest checkpoint found it. What lies under one checkpoint is read once."""

    runtime: Runtime
    unit: UnitOfWork
    signer: Signer
    checkpoints: list[Checkpoint]
    purposes: dict[str, Any]
    organisation: dict[str, str]
    _levels: dict[int, list[list[bytes]]] = field(default_factory=dict)

    async def prove(self, keys: Sequence[Key]) -> dict[str, Any]:
        """The signed document about the person behind these addresses. NothingOnRecord."""
        newest = self.checkpoints[-1] if self.checkpoints else None
        person = await read_person(self.runtime, self.unit, keys, until_seq=newest.seq if newest else 0)
        if not person.records:
            raise NothingOnRecord("nothing on record")
        now = clock.now()
        entries = [await self._entry(record) for record in person.records]
        used = {entry["checkpoint"] for entry in entries}
        return self.sign(
            {
                "format": FORMAT,
                "made_at": now.isoformat(),
                "organisation": self.organisation,
                "person": {"name": person.name, "addresses": [_address(self.runtime, person, key) for key in person.addresses]},
                "purposes": {
                    purpose_id: self.purposes[purpose_id]
                    for purpose_id in sorted({str(one.said.purpose_id) for one in person.records if one.said.purpose_id})
                },
                "state": state_of(person, person.state_at(None)),
                "entries": entries,
                "checkpoints": [_checkpoint(one) for one in self.checkpoints if one.seq in used],
            }
        )

    def sign(self, document: dict[str, Any]) -> dict[str, Any]:
        """The document with key and signature."""
        key = {"id": ids.show("key", self.signer.id), "algorithm": "Ed25519", "public": self.signer.public.hex()}
        whole = {**document, "key": key}
        return {**whole, "signature": self.signer.sign(PREFIX + canonical(whole)).hex()}

    async def _entry(self, record: Record) -> dict[str, Any]:
        seq = record.said.seq
        checkpoint = next(one for one in self.checkpoints if one.seq >= seq)
        levels = await self._levels_of(checkpoint)
        return {
            "seq": seq,
            "at": record.said.at.isoformat(),
            "kind": record.said.kind,
            "subject": str(record.subject_id),
            "salt": record.salt.hex(),
            "details": record.details,
            "commitment": record.commitment.hex(),
            "sealed_hash": record.sealed_hash.hex(),
            "previous_hash": record.previous_hash.hex(),
            "hash": record.hash.hex(),
            "checkpoint": checkpoint.seq,
            "path": [[side, node.hex()] for side, node in path_to(levels, seq - checkpoint.after_seq - 1)],
        }

    async def _levels_of(self, checkpoint: Checkpoint) -> list[list[bytes]]:
        if checkpoint.seq not in self._levels:
            rows = await self.unit.sql.fetch(
                "SELECT hash FROM consent_entry WHERE organisation_id = $1 AND seq > $2 AND seq <= $3 ORDER BY seq",
                self.unit.tenant,
                checkpoint.after_seq,
                checkpoint.seq,
            )
            self._levels[checkpoint.seq] = levels_of([row["hash"] for row in rows])
        return self._levels[checkpoint.seq]


async def open_prover(runtime: Runtime, unit: UnitOfWork, signer: Signer) -> Prover:
    """A prover over the newest checkpoint (`checkpoints.make_checkpoint`, in a transaction before this one)."""
    purposes = {
        str(one.id): {"key": one.key, "kind": one.kind, "name": {language: words.name for language, words in one.words.items()}}
        for one in await list_purposes(unit, with_archived=True)
    }
    row = await unit.sql.fetchrow("SELECT id, name FROM organisation WHERE id = $1", unit.tenant)
    return Prover(runtime, unit, signer, await all_checkpoints(unit), purposes, {"id": str(row["id"]), "name": row["name"]})


def canonical(document: dict[str, Any]) -> bytes:
    """The bytes that are signed: JSON with sorted keys and no spaces, in UTF-8."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def state_of(person: Person, folded: Fold) -> list[dict[str, Any]]:
    """What holds for each address of which something was said, in the words of `states.py`, and for each purpose its entry."""
    now, told = clock.now(), []
    for key in person.addresses:
        if key not in folded.states:
            continue
        state = folded.states[key]
        words = {axis: getattr(state, axis).value for axis in ("choice", "marketing", "reach", "bar")}
        purposes: list[dict[str, Any]] = []
        for (address, purpose_id), grant in sorted(folded.grants.items(), key=lambda item: str(item[0])):
            if address == key:
                value = grant.state(state.stopped.at, now)
                moment = ground_of(grant, state, value)
                at, seq = (moment.at, moment.ground) if moment else (None, None)
                purposes.append({"purpose": str(purpose_id), "state": value, "since": at.isoformat() if at else None, "entry": seq})
        told.append({"messenger": key[0], "scope": key[1], "address": key[2], **words, "purposes": purposes})
    return told


def _address(runtime: Runtime, person: Person, key: Key) -> dict[str, str]:
    known = person.known.get(key)
    label = runtime.connectors.get(key[0]).label if key[0] in runtime.connectors else key[0]
    address = {"messenger": key[0], "messenger_name": label, "scope": key[1], "address": key[2]}
    return address | ({"shown": known.shown, "channel": known.channel} if known else {"shown": key[2], "channel": ""})


def _checkpoint(one: Checkpoint) -> dict[str, Any]:
    return {
        "seq": one.seq,
        "after_seq": one.after_seq,
        "at": one.at.isoformat(),
        "head": one.head.hex(),
        "root": one.root.hex(),
        "signature": one.signature.hex(),
    }


async def subjects_with(unit: UnitOfWork, address: str, messenger: str) -> list[Key]:
    """Addresses of the ledger that read like this, on one messenger or on all."""
    rows = await unit.sql.fetch(
        """
        SELECT messenger, scope, address FROM consent_subject
        WHERE organisation_id = $1 AND address = $2 AND ($3 = '' OR messenger = $3) AND messenger <> ''
        ORDER BY messenger, scope
        """,
        unit.tenant,
        address,
        messenger,
    )
    return [(row["messenger"], row["scope"], row["address"]) for row in rows]
