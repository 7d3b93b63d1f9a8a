"""What the hub says by itself to somebody who agrees, stops or asks for their data: the catalogue's words, or the organisation's
own.

    request          the question of a double opt-in; {text} is what is agreed to, {until} when the question is void
    joined           somebody agreed to {purpose}
    stopped          somebody wants nothing more
    stopped_purpose  somebody wants no more {purpose}
    own_data         the link to one's own choices, {link}

{organisation} is the organisation's name. Only these blanks are filled, letter by letter: a text is no program.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, get_args
from zoneinfo import ZoneInfo

from hub.core.db import UnitOfWork
from hub.core.errors import InvalidInput
from hub.core.i18n import LOCALES, Translator, catalogue, format_date, format_time
from hub.organisations import audit
from hub.organisations.actor import Access

TextKind = Literal["request", "joined", "stopped", "stopped_purpose", "own_data"]
KINDS: Final[tuple[TextKind, ...]] = get_args(TextKind)
BLANKS: Final[dict[TextKind, tuple[str, ...]]] = {
    "request": ("organisation", "text", "until"),
    "joined": ("organisation", "purpose"),
    "stopped": ("organisation",),
    "stopped_purpose": ("organisation", "purpose"),
    "own_data": ("organisation", "link"),
}
NEEDED: Final[dict[str, tuple[str, ...]]] = {"request": ("text",), "own_data": ("link",)}
"""Blanks without which a text says nothing."""
LONGEST: Final = 600
_BLANK: Final = re.compile(r"\{([a-z]+)\}")


@dataclass(frozen=True, slots=True)
class Texts:
    """All of an organisation, its own before the catalogue's. `locale`: what is spoken to somebody whose language nobody knows;
    `zone`: in which times are told."""

    organisation: str
    locale: str
    zone: ZoneInfo
    own: dict[tuple[str, str], str]

    def text(self, kind: TextKind, language: str) -> str:
        """As it stands, with its blanks."""
        return self.own.get((kind, language)) or catalogue(language)[f"consent.say.{kind}"]

    def say(self, kind: TextKind, language: str, /, **values: str) -> str:
        """Filled. A blank that nobody knows stays as it is."""
        return fill(self.text(kind, language), organisation=self.organisation, **values)

    def moment(self, at: datetime, language: str) -> str:
        """A day and a time of it, in words."""
        values = {"date": format_date(at, language, self.zone), "time": format_time(at, language, self.zone)}
        return Translator(language)("consent.moment", **values)

    def language_of(self, spoken: str) -> str:
        """A language of the hub for what a messenger says somebody speaks: `en-GB` -> `en`."""
        language = spoken.lower().replace("_", "-").partition("-")[0]
        return language if language in LOCALES else self.locale


def fill(text: str, /, **values: str) -> str:
    """A text with its blanks filled, each once: what stands in a value is no blank."""
    return _BLANK.sub(lambda blank: values.get(blank[1], blank[0]), text)


async def load_texts(unit: UnitOfWork) -> Texts:
    """What this organisation says."""
    row = await unit.sql.fetchrow("SELECT name, locale, zone FROM organisation WHERE id = $1", unit.tenant)
    own = await unit.sql.fetch("SELECT kind, language, text FROM consent_text WHERE organisation_id = $1", unit.tenant)
    return Texts(row["name"], row["locale"], ZoneInfo(row["zone"]), {(one["kind"], one["language"]): one["text"] for one in own})


async def write_text(unit: UnitOfWork, access: Access, kind: str, language: str, typed: str) -> None:
    """Say it in one's own words; an empty text takes the catalogue's again. InvalidInput(field="text")."""
    if kind not in KINDS or language not in LOCALES:
        raise InvalidInput("no such text", field="text")
    text = typed.replace("\r\n", "\n").strip()
    if len(text) > LONGEST:
        raise InvalidInput(f"at most {LONGEST} characters", field="text", reason="long")
    if text and (missing := [name for name in NEEDED.get(kind, ()) if f"{{{name}}}" not in text]):
        raise InvalidInput(f"{{{missing[0]}}} has to stand in it", field="text", reason=missing[0])
    if text:
        await unit.sql.execute(
            """
            INSERT INTO consent_text (organisation_id, kind, language, text) VALUES ($1, $2, $3, $4)
            ON CONFLICT (organisation_id, kind, language) DO UPDATE SET text = excluded.text
            """,
            unit.tenant,
            kind,
            language,
            text,
        )
    else:
        await unit.sql.execute(
            "DELETE FROM consent_text WHERE organisation_id = $1 AND kind = $2 AND language = $3", unit.tenant, kind, language
        )
    await audit.record(unit, access, "consent_text.written", f"{kind}.{language}", {"own": bool(text)})


def proposal(language: str, what: str, organisation: str) -> tuple[str, str]:
    """Name and text of a purpose that is proposed (`service`, `newsletter`), with the organisation's name in it."""
    t = Translator(language)
    return t(f"consent.proposal.{what}.name"), t(f"consent.proposal.{what}.text", organisation=organisation)
