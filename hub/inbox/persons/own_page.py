"""The customer's own page: what they allowed, what is stored about them, and the switches for it; without log-in.

GET  /c/{token}             every purpose with its text, state and since when
POST /c/{token}/grant       agree to one             POST /c/{token}/withdraw     take one back
POST /c/{token}/stop        nothing more at all

The link is the only key (`consent/agreeing/own_link.py`): it was sent to this address on this messenger, nobody can guess or alter
one, and it ends by itself. There is no session and no cookie, so there is nothing that another site could abuse; search engines are
told to stay away, and the address is not told to others (referrer).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from hub.consent.agreeing import choices, own_link, texts
from hub.consent.locks import Key
from hub.core import ids
from hub.core.db import UnitOfWork
from hub.core.i18n import LOCALES, Translator
from hub.core.limits import Limit, take
from hub.core.pages import locale_of, render
from hub.organisations.access import public
from hub.runtime import Runtime

router = APIRouter(dependencies=[Depends(public("the link itself was sent to the person whose page it is"))])

LOOKS: Final = Limit("own_page", 60, 60)
"""Requests from one address of the internet, right links and wrong ones."""
Lang = Annotated[str, Query(max_length=5)]
Purpose = Annotated[str, Form(max_length=40)]


@dataclass(frozen=True, slots=True)
class Kept:
    """What is stored beside the register: under which name, how many messages and files, and since when."""

    name: str
    messages: int
    files: int
    first_at: datetime | None


@dataclass(frozen=True, slots=True)
class _Visit:
    runtime: Runtime
    token: str
    organisation_id: UUID
    subject_id: UUID


async def _visit(request: Request, token: str) -> _Visit:
    """Who looks. NotFound for what is no link of ours, or over; TooMany."""
    runtime: Runtime = request.app.state.runtime
    await take(runtime.queue, LOOKS, request.client.host if request.client else "")
    organisation_id, subject_id = own_link.open_link(runtime.vault, token)
    return _Visit(runtime, token, organisation_id, subject_id)


Visit = Annotated[_Visit, Depends(_visit)]


@router.get("/c/{token}")
async def own_page(request: Request, visit: Visit, lang: Lang = "") -> Response:
    """Everything at a glance."""
    language = lang if lang in LOCALES else locale_of(request)
    async with visit.runtime.database.unit_of_work(visit.organisation_id) as unit:
        key = await own_link.whose(unit, visit.subject_id)
        found = await choices.read_choices(unit, key, visit.subject_id)
        kept = await _kept(unit, key)
        said = await texts.load_texts(unit)
    answer = render(
        request,
        "consent/own_page.html",
        t=Translator(language),
        zone=said.zone,
        organisation=said.organisation,
        connector=visit.runtime.connectors.get(key[0]),
        address=key[2],
        found=found,
        kept=kept,
        token=visit.token,
        links={code: f"/c/{visit.token}?lang={code}" for code in LOCALES},
    )
    answer.headers["x-robots-tag"] = "noindex, nofollow"
    answer.headers["referrer-policy"] = "no-referrer"
    return answer


async def _kept(unit: UnitOfWork, key: Key) -> Kept:
    messenger, scope, address = key
    row = await unit.sql.fetchrow(
        """
        SELECT COALESCE(max(k.name), '') AS name, count(m.id) AS messages, min(m.at) AS first_at,
               COALESCE(sum((
                   SELECT count(*) FROM attachment a WHERE a.organisation_id = m.organisation_id AND a.message_id = m.id
               )), 0) AS files
        FROM identity i
        JOIN channel h ON h.organisation_id = i.organisation_id AND h.id = i.channel_id
        JOIN conversation c ON c.organisation_id = i.organisation_id AND c.identity_id = i.id
        JOIN contact k ON k.organisation_id = c.organisation_id AND k.id = c.contact_id
        LEFT JOIN message m ON m.organisation_id = c.organisation_id AND m.conversation_id = c.id AND m.direction IN ('in', 'out')
        WHERE i.organisation_id = $1 AND h.connector = $2 AND ($3 = '' OR h.id::text = $3) AND i.provider_user_id = $4
        """,
        unit.tenant,
        messenger,
        scope,
        address,
    )
    return Kept(row["name"], row["messages"], int(row["files"]), row["first_at"])


@router.post("/c/{token}/grant")
async def grant(visit: Visit, purpose: Purpose = "", lang: Lang = "") -> Response:
    """Agree to one purpose, in the words that the page showed."""
    language = lang if lang in LOCALES else "de"
    async with visit.runtime.database.unit_of_work(visit.organisation_id) as unit:
        key = await own_link.whose(unit, visit.subject_id)
        await choices.grant(visit.runtime, unit, key, ids.read("pur", purpose), language)
    return _back(visit, lang)


@router.post("/c/{token}/withdraw")
async def withdraw(visit: Visit, purpose: Purpose = "", lang: Lang = "") -> Response:
    """Take one back; what waits for it leaves no more."""
    async with visit.runtime.database.unit_of_work(visit.organisation_id) as unit:
        key = await own_link.whose(unit, visit.subject_id)
        await choices.withdraw(visit.runtime, unit, key, ids.read("pur", purpose))
    return _back(visit, lang)


@router.post("/c/{token}/stop")
async def stop(visit: Visit, lang: Lang = "") -> Response:
    """Nothing more at all, as the word STOP on the messenger."""
    async with visit.runtime.database.unit_of_work(visit.organisation_id) as unit:
        key = await own_link.whose(unit, visit.subject_id)
        await choices.stop(visit.runtime, unit, key)
    return _back(visit, lang)


def _back(visit: _Visit, lang: str) -> Response:
    return RedirectResponse(f"/c/{visit.token}{f'?lang={lang}' if lang in LOCALES else ''}", 303)
