"""One person of the register, with their history and the proof of it.

GET  /o/{slug}/consent/person             what holds on a day, and how it came to it. Opening it is audited
POST /o/{slug}/consent/person/withdraw    no more of one purpose, or nothing at all
POST /o/{slug}/consent/person/proof       the proof as a file

A person is named by messenger, scope and address in the query: consent is kept for addresses, also of those who never wrote.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated, Final, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from hub.consent import hand_out, register
from hub.consent.evidence import in_words
from hub.consent.fold import Fold, Said
from hub.consent.history import Person, ground_of, read_person
from hub.consent.locks import Key
from hub.consent.pages_register import answer_file, person_place
from hub.consent.purposes import KnownPurpose, list_purposes, read_purpose
from hub.consent.retention import last_day_of_proof
from hub.consent.states import Grant, State
from hub.consent.watch import read_watch
from hub.core import clock, ids
from hub.core.calendar import day_of, end_of_day
from hub.core.errors import InvalidInput, NotFound
from hub.core.i18n import Translator
from hub.core.pages import locale_of, render
from hub.organisations import audit
from hub.organisations.access import requires
from hub.organisations.actor import Access
from hub.organisations.policy import resolve
from hub.organisations.rights import Right
from hub.runtime import Runtime

router = APIRouter()

Reader = Annotated[Access, requires(Right.READ_CONSENT)]
Writer = Annotated[Access, requires(Right.WRITE_INBOX)]
Text = Annotated[str, Query(max_length=200)]
Typed = Annotated[str, Form(max_length=400)]

PINS: Final[Mapping[str, tuple[str, str]]] = {
    "granted": ("good", "check"),
    "opted_in": ("good", "check"),
    "unblocked": ("good", "check"),
    "unbarred": ("good", "check"),
    "withdrawn": ("bad", "x"),
    "opt_out": ("bad", "x"),
    "marketing_stopped": ("bad", "x"),
    "blocked": ("bad", "block"),
    "barred": ("bad", "block"),
    "asked": ("accent", "send"),
    "overridden": ("warn", "hand"),
    "handed_out": ("accent", "shield"),
    "linked": ("", "link"),
}
"""Colour and icon of an entry in the history."""


def _runtime(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


def _key(messenger: Text, address: Text, scope: Text = "") -> Key:
    return (messenger, scope, address)


def _posted_key(messenger: Typed, address: Typed, scope: Annotated[str, Form(max_length=400)] = "") -> Key:
    return (messenger, scope, address)


@dataclass(frozen=True, slots=True)
class Standing:
    """What holds for one purpose at one address (`purpose` None: for the address as a whole), and the entry it rests on."""

    key: Key
    purpose: KnownPurpose | None
    state: str
    since: datetime | None
    ground: Said | None


@router.get("/o/{slug}/consent/person")
async def person_page(
    request: Request, access: Reader, key: Annotated[Key, Depends(_key)], on: Text = "", said: Text = ""
) -> Response:
    """One person. `on`: the day at whose end things are shown as they were."""
    runtime, zone, t = _runtime(request), ZoneInfo(access.zone), Translator(locale_of(request))
    at = _read_day(on, zone)
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        person = await read_person(runtime, unit, [key])
        if not person.records and key not in person.known:
            raise NotFound("nobody has this address")
        purposes = await list_purposes(unit, with_archived=True)
        used = await register.last_used(unit, person.addresses)
        retention = await resolve(unit, "proof.retention")
        watch = await read_watch(unit)
        subjects = sorted({str(record.subject_id) for record in person.records})
        if subjects:
            await audit.record(unit, access, "consent.opened", subjects[0], {"subjects": subjects})
    return render(
        request,
        "consent/person.html",
        person=person,
        key=key,
        standings=_standings(runtime, person, person.state_at(at), purposes, at or clock.now()),
        records=sorted(person.records, key=lambda record: (record.said.at, record.said.seq), reverse=True),
        purposes={one.id: one for one in purposes},
        today=day_of(clock.now(), zone),
        on=day_of(at, zone) if at else None,
        kept_until=last_day_of_proof(used, zone, retention.value) if used else None,
        watch=watch,
        pins=PINS,
        connectors=runtime.connectors,
        is_withdrawn=said == "withdrawn",
        short=lambda record: f"{record.hash.hex()[:4]}…{record.hash.hex()[-4:]}",
        texts=lambda said: _texts(t, said),
        ground=lambda said: _ground(t, said),
    )


def _texts(t: Translator, said: Said) -> list[tuple[str, str]]:
    """What of the evidence is told in the history beside the text: names of the catalogue with words for people."""
    told = ("source", "method", "text_version", "actor", "to", "purpose", "note", "message_id", "file")
    return [(name, in_words(t, name, said.evidence[name])) for name in told if said.evidence.get(name)]


def _ground(t: Translator, said: Said) -> str:
    """What a state rests on, in one line."""
    text = said.evidence.get("text", "")
    if not text:
        return in_words(t, "source", said.evidence["source"])
    version = said.evidence.get("text_version")
    quoted = t("consent.person.quoted", text=f"{text[:60].rstrip()}…" if len(text) > 60 else text)
    return f"{quoted}, {t('consent.person.version', number=version)}" if version else quoted


def _read_day(on: str, zone: ZoneInfo) -> datetime | None:
    """The last instant of a day; None for today and for what is yet to come."""
    if not on:
        return None
    try:
        day = date.fromisoformat(on)
        if day >= day_of(clock.now(), zone):
            return None
        return end_of_day(day, zone).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidInput("not a day", field="on") from error


def _standings(runtime: Runtime, person: Person, folded: Fold, purposes: list[KnownPurpose], now: datetime) -> list[Standing]:
    said = {record.said.seq: record.said for record in person.records}
    found = []
    for key in person.addresses:
        state = folded.states.get(key) or State()
        for value, moment, is_told in (
            ("opted_out", state.choice.since, state.choice.value == "opted_out"),
            ("blocked", state.reach.since, state.reach.value == "blocked"),
            ("barred", state.bar.since, state.bar.value == "barred"),
        ):
            if is_told:
                found.append(Standing(key, None, value, moment.at, said.get(moment.ground or 0)))
        for purpose in purposes:
            grant = folded.grants.get((key, purpose.id))
            if grant is None and purpose.is_archived:
                continue
            value = (grant or Grant()).state(state.stopped.at, now)
            ground = ground_of(grant, state, value) if grant else None
            found.append(
                Standing(key, purpose, value, ground.at if ground else None, said.get(ground.ground or 0) if ground else None)
            )
    return found


@router.post("/o/{slug}/consent/person/withdraw")
async def withdraw(
    request: Request, access: Writer, key: Annotated[Key, Depends(_posted_key)], purpose: Typed = "", note: Typed = ""
) -> Response:
    """Write down that the person wants no more; without a purpose nothing at all."""
    runtime = _runtime(request)
    purpose_id: UUID | None = ids.read("pur", purpose) if purpose else None
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        if purpose_id:
            await read_purpose(unit, purpose_id)
        person = await read_person(runtime, unit, [key])
        if not person.records and key not in person.known:
            raise NotFound("nobody has this address")
    await register.withdraw(runtime, access, key, purpose_id, note)
    return RedirectResponse(person_place(access, key, said="withdrawn"), 303)


@router.post("/o/{slug}/consent/person/proof")
async def proof(
    request: Request,
    access: Reader,
    key: Annotated[Key, Depends(_posted_key)],
    form: Annotated[Literal["json", "pdf"], Form()] = "pdf",
) -> Response:
    """The proof as a file: JSON for machines, or PDF for people with the JSON inside."""
    machine, paper = await hand_out.prove_person(
        _runtime(request), access.organisation_id, access, [key], access.locale, access.zone
    )
    return answer_file(paper if form == "pdf" else machine)
