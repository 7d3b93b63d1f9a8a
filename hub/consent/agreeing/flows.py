"""Roads by which people agree: a flow asks for one or more purposes on one channel.

It is entered by its word as a whole message (in German and English), by a link or its square with the flow's key as payload, by the
public form (`forms.py`), or by subscribing, where that counts (R-221). What it asks for is always the purposes' present words.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from hub.consent import purposes
from hub.consent.agreeing import words
from hub.consent.purposes import KnownPurpose
from hub.core import clock, ids
from hub.core.db import UnitOfWork
from hub.core.errors import Conflict, InvalidInput, NotFound
from hub.core.i18n import LOCALES
from hub.organisations import audit
from hub.organisations.actor import Access

KEY_BYTES: Final = 6
"""48 random bits, eight letters: the payload of a link takes 64 characters everywhere (telegram.md 11), and people see it."""
KEYWORD_LENGTH: Final = 40
CONFIRMATION_LENGTH: Final = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowTerms:
    """What somebody decides about a flow. `keywords` and `confirmations` by language; a missing one is none, and the
    catalogue's."""

    channel_id: UUID
    purpose_ids: Sequence[UUID]
    language: str
    double_opt_in: bool = False
    counts_subscription: bool = False
    keywords: Mapping[str, str] = field(default_factory=dict)
    confirmations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Flow:
    """A flow with the present words of its purposes. `keywords` are as they are compared (`words.plain`)."""

    id: UUID
    key: str
    channel_id: UUID
    language: str
    double_opt_in: bool
    counts_subscription: bool
    purposes: tuple[KnownPurpose, ...]
    keywords: Mapping[str, str]
    confirmations: Mapping[str, str]

    @property
    def shown(self) -> str:
        return ids.show("flow", self.id)

    @property
    def keyword(self) -> str:
        """The word as links and posters show it: of the flow's own language, else of the other one."""
        return (self.keywords.get(self.language) or next(iter(self.keywords.values()), "")).upper()

    def names(self, language: str) -> str:
        """What it is for."""
        return ", ".join(purpose.name(language) for purpose in self.purposes)

    def texts(self, language: str) -> str:
        """What people agree to."""
        return "\n\n".join(purpose.words[language].text for purpose in self.purposes)


async def define_flow(unit: UnitOfWork, access: Access, terms: FlowTerms) -> UUID:
    """Open a road; its id. InvalidInput names the field; Conflict where a word is another flow's of this channel."""
    if terms.language not in LOCALES:
        raise InvalidInput("German or English", field="language")
    known = {purpose.id for purpose in await purposes.list_purposes(unit)}
    wanted = set(terms.purpose_ids)
    if not wanted or not wanted <= known:
        raise InvalidInput("a flow is for at least one purpose that is offered", field="purposes")
    if not await unit.sql.fetchval(
        "SELECT true FROM channel WHERE organisation_id = $1 AND id = $2 FOR UPDATE", unit.tenant, terms.channel_id
    ):
        raise InvalidInput("no such channel", field="channel")
    keywords = {language: _checked_keyword(terms.keywords.get(language, ""), language) for language in LOCALES}
    for other in await living_flows(unit, terms.channel_id):
        for language, keyword in keywords.items():
            if keyword and keyword in other.keywords.values():
                raise Conflict("this word belongs to another flow of the channel", field=f"keyword_{language}")
    for language in LOCALES:
        if len(terms.confirmations.get(language, "")) > CONFIRMATION_LENGTH:
            raise InvalidInput(f"at most {CONFIRMATION_LENGTH} characters", field=f"confirmation_{language}")
    flow_id, key = ids.new_id(), secrets.token_urlsafe(KEY_BYTES)
    await unit.sql.execute(
        """
        INSERT INTO optin_flow (organisation_id, id, key, channel_id, language, double_opt_in, counts_subscription, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        """,
        unit.tenant,
        flow_id,
        key,
        terms.channel_id,
        terms.language,
        terms.double_opt_in,
        terms.counts_subscription,
        clock.now(),
    )
    await unit.sql.execute(
        "INSERT INTO optin_flow_purpose (organisation_id, flow_id, purpose_id) SELECT $1, $2, id FROM unnest($3::uuid[]) AS id",
        unit.tenant,
        flow_id,
        sorted(wanted),
    )
    await unit.sql.execute(
        """
        INSERT INTO optin_flow_text (organisation_id, flow_id, language, keyword, confirmation)
        SELECT $1, $2, language, keyword, confirmation
        FROM unnest($3::text[], $4::text[], $5::text[]) AS row(language, keyword, confirmation)
        """,
        unit.tenant,
        flow_id,
        list(LOCALES),
        [keywords[language] for language in LOCALES],
        [terms.confirmations.get(language, "").replace("\r\n", "\n").strip() for language in LOCALES],
    )
    detail = {"key": key, "channel": ids.show("chn", terms.channel_id), "double_opt_in": terms.double_opt_in}
    await audit.record(unit, access, "flow.defined", ids.show("flow", flow_id), detail)
    return flow_id


def _checked_keyword(typed: str, language: str) -> str:
    """As it is compared; empty for none."""
    keyword = words.plain(typed)
    if typed.strip() and not 0 < len(keyword) <= KEYWORD_LENGTH:
        raise InvalidInput(f"letters and digits, at most {KEYWORD_LENGTH}", field=f"keyword_{language}")
    if keyword and words.is_taken(keyword):
        raise InvalidInput("this word has a meaning already", field=f"keyword_{language}", reason="taken")
    return keyword


async def archive_flow(unit: UnitOfWork, access: Access, flow_id: UUID) -> None:
    """Close a road: its word, its links and its form lead nowhere any more; what was agreed to on it holds. NotFound."""
    flow = await read_flow(unit, flow_id)
    await unit.sql.execute(
        "UPDATE optin_flow SET archived_at = $3 WHERE organisation_id = $1 AND id = $2", unit.tenant, flow_id, clock.now()
    )
    await audit.record(unit, access, "flow.archived", flow.shown, {"key": flow.key})


async def living_flows(unit: UnitOfWork, channel_id: UUID | None = None) -> list[Flow]:
    """Roads that are open, of one channel or of all, the oldest first. A flow lives as long as one of its purposes is offered."""
    return await _read(unit, channel_id=channel_id)


async def read_flow(unit: UnitOfWork, flow_id: UUID) -> Flow:
    """One that is open; NotFound."""
    found = await _read(unit, flow_id=flow_id)
    if not found:
        raise NotFound("no such flow")
    return found[0]


_LIVING: Final = """
SELECT f.id, f.key, f.channel_id, f.language, f.double_opt_in, f.counts_subscription,
       (SELECT array_agg(p.purpose_id) FROM optin_flow_purpose p
        WHERE p.organisation_id = f.organisation_id AND p.flow_id = f.id) AS purpose_ids,
       (SELECT jsonb_object_agg(t.language, jsonb_build_array(t.keyword, t.confirmation)) FROM optin_flow_text t
        WHERE t.organisation_id = f.organisation_id AND t.flow_id = f.id) AS texts
FROM optin_flow f
WHERE f.organisation_id = $1 AND f.archived_at IS NULL AND ($2::uuid IS NULL OR f.channel_id = $2)
  AND ($3::uuid IS NULL OR f.id = $3)
ORDER BY f.created_at, f.id
"""


async def _read(unit: UnitOfWork, *, channel_id: UUID | None = None, flow_id: UUID | None = None) -> list[Flow]:
    rows = await unit.sql.fetch(_LIVING, unit.tenant, channel_id, flow_id)
    if not rows:
        return []
    known = {purpose.id: purpose for purpose in await purposes.list_purposes(unit)}
    found = [_flow(row, known) for row in rows]
    return [flow for flow in found if flow.purposes]


def _flow(row: Any, known: Mapping[UUID, KnownPurpose]) -> Flow:
    wanted = set(row["purpose_ids"])
    return Flow(
        row["id"],
        row["key"],
        row["channel_id"],
        row["language"],
        row["double_opt_in"],
        row["counts_subscription"],
        tuple(purpose for purpose in known.values() if purpose.id in wanted),
        {language: keyword for language, (keyword, _) in row["texts"].items() if keyword},
        {language: said for language, (_, said) in row["texts"].items() if said},
    )
