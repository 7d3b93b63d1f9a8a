"""The versions of a purpose's words, and what each changed."""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from hub.consent.purposes import Wording
from hub.core.db import UnitOfWork

Change = Literal["same", "gone", "new"]
_PIECES: Final = re.compile(r"\s+|\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Version:
    """One version in both languages; `by` is who wrote it, `changes` what is different from the one before in each language."""

    number: int
    created_at: datetime
    by: str
    words: dict[str, Wording]
    changes: dict[str, Sequence[tuple[Change, str]]]


async def list_versions(unit: UnitOfWork, purpose_id: UUID) -> list[Version]:
    """All versions of a purpose, the newest first."""
    rows = await unit.sql.fetch(
        """
        SELECT x.version, x.language, x.name, x.text, x.created_at, COALESCE(p.name, '') AS by
        FROM purpose_text x
        LEFT JOIN member m ON m.organisation_id = x.organisation_id AND m.id = x.created_by
        LEFT JOIN person p ON p.id = m.person_id
        WHERE x.organisation_id = $1 AND x.purpose_id = $2 ORDER BY x.version, x.language
        """,
        unit.tenant,
        purpose_id,
    )
    versions: dict[int, Version] = {}
    for row in rows:
        one = versions.setdefault(row["version"], Version(row["version"], row["created_at"], row["by"], {}, {}))
        said = one.words[row["language"]] = Wording(row["name"], row["text"])
        before = versions.get(row["version"] - 1)
        if before:
            one.changes[row["language"]] = differences(before.words[row["language"]].text, said.text)
    return list(reversed(versions.values()))


def differences(before: str, after: str) -> list[tuple[Change, str]]:
    """What stayed, what went and what came, word by word; the text after it is what stayed and what came."""
    old, new = _PIECES.findall(before), _PIECES.findall(after)
    found: list[tuple[Change, str]] = []
    for what, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if what == "equal":
            found.append(("same", "".join(new[c:d])))
            continue
        if a < b:
            found.append(("gone", "".join(old[a:b])))
        if c < d:
            found.append(("new", "".join(new[c:d])))
    return found
