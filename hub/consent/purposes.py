"""What an organisation writes to people for, and the exact words that they agree to.

A purpose has a key that stays and texts that get a new version whenever one of them changes, always in German and English together:
whoever agreed to version 3 agreed to those words and to no others. Versions are never changed and never removed.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from hub.core import clock, ids
from hub.core.db import UnitOfWork
from hub.core.errors import Conflict, InvalidInput, NotFound
from hub.core.i18n import LOCALES
from hub.organisations import audit
from hub.organisations.actor import Access

_KEY: Final = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,38}[a-z0-9])?")
NAME_LENGTH: Final = 60
TEXT_LENGTH: Final = 2000


@dataclass(frozen=True, slots=True)
class Wording:
    """A purpose in one language: what it is called, and what people agree to."""

    name: str
    text: str

    @property
    def text_hash(self) -> bytes:
        """As evidence names it."""
        return hashlib.sha256(self.text.encode()).digest()


@dataclass(frozen=True, slots=True)
class KnownPurpose:
    """A purpose with its newest words. `kind`: service or marketing."""

    id: UUID
    key: str
    kind: str
    version: int
    words: Mapping[str, Wording]
    is_archived: bool

    def name(self, language: str) -> str:
        """What it is called in a language of the hub."""
        return self.words[language].name


_NEWEST: Final = """
SELECT p.id, p.key, p.kind, p.archived_at, t.version, t.language, t.name, t.text
FROM purpose p
JOIN purpose_text t ON t.organisation_id = p.organisation_id AND t.purpose_id = p.id
WHERE p.organisation_id = $1 AND ($2::uuid IS NULL OR p.id = $2)
  AND t.version = (SELECT max(n.version) FROM purpose_text n WHERE n.organisation_id = p.organisation_id AND n.purpose_id = p.id)
ORDER BY p.archived_at IS NOT NULL, p.position, p.key, t.language
"""


async def list_purposes(unit: UnitOfWork, *, with_archived: bool = False) -> list[KnownPurpose]:
    """All purposes in the organisation's order."""
    found = await _read(unit, None)
    return found if with_archived else [purpose for purpose in found if not purpose.is_archived]


async def read_purpose(unit: UnitOfWork, purpose_id: UUID) -> KnownPurpose:
    """One purpose, archived or not; NotFound."""
    found = await _read(unit, purpose_id)
    if not found:
        raise NotFound("no such purpose")
    return found[0]


async def _read(unit: UnitOfWork, purpose_id: UUID | None) -> list[KnownPurpose]:
    found: dict[UUID, tuple[Any, dict[str, Wording]]] = {}
    for row in await unit.sql.fetch(_NEWEST, unit.tenant, purpose_id):
        _, words = found.setdefault(row["id"], (row, {}))
        words[row["language"]] = Wording(row["name"], row["text"])
    return [
        KnownPurpose(row["id"], row["key"], row["kind"], row["version"], words, row["archived_at"] is not None)
        for row, words in found.values()
    ]


async def first_purpose(unit: UnitOfWork, kind: str) -> UUID | None:
    """The organisation's first purpose of this kind; None where it has none."""
    found: UUID | None = await unit.sql.fetchval(
        """
        SELECT id FROM purpose WHERE organisation_id = $1 AND kind = $2 AND archived_at IS NULL ORDER BY position, key LIMIT 1
        """,
        unit.tenant,
        kind,
    )
    return found


async def define_purpose(unit: UnitOfWork, access: Access, *, key: str, kind: str, words: Mapping[str, Wording]) -> UUID:
    """Add a purpose with version 1 of its words; its id. InvalidInput names the field; Conflict where the key is taken."""
    if not _KEY.fullmatch(key):
        raise InvalidInput("1 to 40 lower-case letters, digits, hyphens and underscores", field="key")
    if kind not in ("service", "marketing"):
        raise InvalidInput("service or marketing", field="kind")
    words = _checked(words)
    purpose_id: UUID | None = await unit.sql.fetchval(
        """
        INSERT INTO purpose (organisation_id, id, key, kind, position, created_at)
        SELECT $1, $2, $3, $4, COALESCE(max(position), 0) + 1, $5 FROM purpose WHERE organisation_id = $1
        ON CONFLICT (organisation_id, key) DO NOTHING RETURNING id
        """,
        unit.tenant,
        ids.new_id(),
        key,
        kind,
        clock.now(),
    )
    if purpose_id is None:
        raise Conflict(f"a purpose is called {key} already", field="key")
    await _write_version(unit, access, purpose_id, 1, words)
    await audit.record(unit, access, "purpose.defined", key, {"kind": kind})
    return purpose_id


async def revise_purpose(unit: UnitOfWork, access: Access, purpose_id: UUID, words: Mapping[str, Wording]) -> int:
    """Give a purpose other words; the version that holds from now on. The same words again are no new version."""
    words = _checked(words)
    await unit.sql.execute("SELECT FROM purpose WHERE organisation_id = $1 AND id = $2 FOR UPDATE", unit.tenant, purpose_id)
    purpose = await read_purpose(unit, purpose_id)
    if dict(purpose.words) == dict(words):
        return purpose.version
    await _write_version(unit, access, purpose_id, purpose.version + 1, words)
    await audit.record(unit, access, "purpose.revised", purpose.key, {"version": purpose.version + 1})
    return purpose.version + 1


async def archive_purpose(unit: UnitOfWork, access: Access, purpose_id: UUID) -> None:
    """Offer a purpose nowhere any more; what was agreed to stays on record. NotFound."""
    purpose = await read_purpose(unit, purpose_id)
    await unit.sql.execute(
        "UPDATE purpose SET archived_at = $3 WHERE organisation_id = $1 AND id = $2 AND archived_at IS NULL",
        unit.tenant,
        purpose_id,
        clock.now(),
    )
    await audit.record(unit, access, "purpose.archived", purpose.key, {})


async def wording_of(unit: UnitOfWork, purpose_id: UUID, version: int, language: str) -> Wording:
    """The words of one version; NotFound."""
    row = await unit.sql.fetchrow(
        """
        SELECT name, text FROM purpose_text WHERE organisation_id = $1 AND purpose_id = $2 AND version = $3 AND language = $4
        """,
        unit.tenant,
        purpose_id,
        version,
        language,
    )
    if row is None:
        raise NotFound("no such version of that purpose")
    return Wording(row["name"], row["text"])


def _checked(words: Mapping[str, Wording]) -> dict[str, Wording]:
    checked = {}
    for language in LOCALES:
        said = words.get(language)
        if said is None or not said.name.strip() or not said.text.strip():
            raise InvalidInput("name and text are needed in German and English", field=f"text_{language}")
        name, text = said.name.strip(), said.text.replace("\r\n", "\n").strip()
        if len(name) > NAME_LENGTH:
            raise InvalidInput(f"at most {NAME_LENGTH} characters", field=f"name_{language}")
        if len(text) > TEXT_LENGTH:
            raise InvalidInput(f"at most {TEXT_LENGTH} characters", field=f"text_{language}")
        checked[language] = Wording(name, text)
    return checked


async def _write_version(unit: UnitOfWork, access: Access, purpose_id: UUID, version: int, words: Mapping[str, Wording]) -> None:
    await unit.sql.execute(
        """
        INSERT INTO purpose_text (organisation_id, purpose_id, version, language, name, text, text_hash, created_at, created_by)
        SELECT $1, $2, $3, language, name, text, text_hash, $4, $5
        FROM unnest($6::text[], $7::text[], $8::text[], $9::bytea[]) AS row(language, name, text, text_hash)
        """,
        unit.tenant,
        purpose_id,
        version,
        clock.now(),
        access.member_id,
        list(words),
        [said.name for said in words.values()],
        [said.text for said in words.values()],
        [said.text_hash for said in words.values()],
    )
