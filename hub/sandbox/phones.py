"""The API of the phone page: to be a customer on any messenger, to make things go wrong, and to see what happened. JSON.

    GET    /phone                                      every messenger: what a person can do there, its accounts, its faults
    PUT    /phone/{connector}/faults                   SetFault
    GET    /phone/{connector}/deliveries               the last webhooks, and how many wait
    GET    /phone/{connector}/settings                 what a business types into the set-up form to connect the sample account
    POST   /phone/{connector}/hook                     PointTo: what a business types into the provider's console
    GET    /phone/{connector}/{account}/people
    POST   /phone/{connector}/{account}/people         NewPerson; the same address again renames them
    GET    /phone/{connector}/{account}/chat?person=   what the phone shows; notes in words
    PUT    /phone/{connector}/{account}/chat           Restore what an earlier process showed; the business is told nothing
    GET    /phone/{connector}/{account}/file?id=       the bytes of a file of either side
    POST   /phone/{connector}/{account}/file?person=…  the bytes of a file are sent
    POST   /phone/{connector}/{account}/{act}          write, extra, press, react, edit, delete, read, typing, block

Ids of people, lines and files are the messenger's own and may hold any character, so they stand in no path. Refusals are
`{"error": code, "detail": …}` with 404, 409, 413 or 422.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from hub.core import pages
from hub.core.errors import InvalidInput, NotFound
from hub.core.i18n import Translator
from hub.sandbox import access
from hub.sandbox.courier import Delivery
from hub.sandbox.downloads import bytes_of
from hub.sandbox.messengers import (
    Act,
    FileKind,
    Phone,
    PhoneAccount,
    PhoneChat,
    PhoneDraft,
    PhoneFile,
    PhoneLine,
    PhonePerson,
    Simulator,
)
from hub.sandbox.phone_bodies import (
    Block,
    Edit,
    Extra,
    NewPerson,
    OfLine,
    OfPerson,
    PointTo,
    Press,
    React,
    Restore,
    SetFault,
    Typing,
    Write,
)
from hub.sandbox.registry import Simulators
from hub.sandbox.samples import sample

LARGEST_FILE: Final = 64 << 20
"""Bytes of one file from the phone."""
DELIVERIES_SHOWN: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownFault:
    left: int | None
    until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownMessenger:
    """A messenger as the phone page chooses it. `extras`, `fault_kinds`: names with their words; `faults`: those that are on."""

    connector: str
    label: str
    mark: str
    can: Sequence[Act]
    extras: dict[str, str]
    accounts: Sequence[PhoneAccount]
    fault_kinds: dict[str, str]
    faults: dict[str, ShownFault]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownDeliveries:
    """The last tries, newest first."""

    waiting: int
    deliveries: Sequence[Delivery]


def _simulator(request: Request, connector: str) -> Simulator:
    simulators: Simulators = request.app.state.simulators
    return simulators.get(connector)


TheSimulator = Annotated[Simulator, Depends(_simulator)]


def _phone(simulator: TheSimulator, account: str) -> Phone:
    if account not in (one.id for one in simulator.phone.accounts()):
        raise NotFound(f"no account {account!r}")
    return simulator.phone


ThePhone = Annotated[Phone, Depends(_phone)]


def _words(request: Request) -> Translator:
    return Translator(pages.locale_of(request))


Words = Annotated[Translator, Depends(_words)]


def _shown(phone: Phone, account: str, person: str, t: Translator) -> PhoneChat:
    """The chat with its notes in words."""
    chat = phone.chat(account, person)
    lines = [replace(line, note=t(f"sandbox.note.{line.note}", text=line.text)) if line.note else line for line in chat.lines]
    return replace(chat, lines=tuple(lines))


router = APIRouter()


@router.get("/")
async def phone(request: Request) -> Response:
    """The phone page. Everything on it comes from this API."""
    return pages.render(request, "sandbox/phone.html")


@router.get("/phone")
async def messengers(request: Request, t: Words) -> list[ShownMessenger]:
    simulators: Simulators = request.app.state.simulators
    return [_messenger(one, t) for one in simulators.all()]


def _messenger(simulator: Simulator, t: Translator) -> ShownMessenger:
    return ShownMessenger(
        connector=simulator.connector,
        label=simulator.label,
        mark=simulator.mark,
        can=sorted(simulator.phone.can),
        extras={name: t(key) for name, key in simulator.phone.extras.items()},
        accounts=simulator.phone.accounts(),
        fault_kinds={kind: t(f"sandbox.fault.{kind}") for kind in simulator.faults.kinds},
        faults={kind: ShownFault(left=one.left, until=one.until) for kind, one in simulator.faults.active().items()},
    )


@router.put("/phone/{connector}/faults")
async def set_fault(simulator: TheSimulator, body: SetFault, t: Words) -> ShownMessenger:
    if body.on:
        try:
            simulator.faults.switch_on(body.kind, times=body.times, seconds=body.seconds, **body.values)
        except ValueError as error:
            raise InvalidInput(str(error), field="kind") from None
    else:
        simulator.faults.switch_off(body.kind)
    return _messenger(simulator, t)


@router.get("/phone/{connector}/deliveries")
async def deliveries(simulator: TheSimulator) -> ShownDeliveries:
    newest = list(simulator.courier.deliveries)[: -DELIVERIES_SHOWN - 1 : -1]
    return ShownDeliveries(waiting=simulator.courier.waiting, deliveries=newest)


@router.get("/phone/{connector}/settings")
async def settings(request: Request, simulator: TheSimulator) -> dict[str, Any]:
    """Worth something only to the simulator of this machine."""
    return simulator.sample_settings(str(request.base_url).rstrip("/"))


@router.post("/phone/{connector}/hook")
async def point_to(simulator: TheSimulator, body: PointTo) -> ShownDeliveries:
    simulator.point_to(body.url)
    return await deliveries(simulator)


@router.get("/phone/{connector}/{account}/people")
async def people(phone: ThePhone, account: str) -> Sequence[PhonePerson]:
    return phone.people(account)


@router.post("/phone/{connector}/{account}/people")
async def add_person(phone: ThePhone, account: str, body: NewPerson) -> PhonePerson:
    return phone.add_person(account, body.name, body.address)


@router.get("/phone/{connector}/{account}/chat")
async def chat(phone: ThePhone, account: str, person: str, t: Words) -> PhoneChat:
    return _shown(phone, account, person, t)


@router.put("/phone/{connector}/{account}/chat")
async def restore(phone: ThePhone, account: str, body: Restore, t: Words) -> PhoneChat:
    phone.restore(account, body.person, body.lines)
    return _shown(phone, account, body.person, t)


@router.get("/phone/{connector}/{account}/file")
async def file(request: Request, phone: ThePhone, account: str, id: str) -> Response:
    """Always as an attachment: what somebody sends is never a page of this site. Pictures and players do not mind."""
    shown, content = phone.file(account, id)
    headers = {"content-disposition": f"attachment; filename*=UTF-8''{quote(shown.name)}", "cache-control": "private, max-age=3600"}
    return bytes_of(content, shown.mime or "application/octet-stream", request.headers.get("range", ""), headers)


@router.post("/phone/{connector}/{account}/file", response_model=None)
async def send_file(
    request: Request,
    phone: ThePhone,
    account: str,
    person: str,
    kind: FileKind,
    name: str,
    mime: str,
    text: str = "",
    reply_to: str = "",
) -> PhoneLine | Response:
    if int(request.headers.get("content-length", 0)) > LARGEST_FILE:
        return access.answer(413, "too_large", f"at most {LARGEST_FILE >> 20} MB")
    content = await request.body()
    sent = PhoneFile(id="", kind=kind, name=name, mime=mime, size=len(content))
    return phone.write(account, person, PhoneDraft(text=text, reply_to=reply_to, file=sent, content=content))


@router.post("/phone/{connector}/{account}/write")
async def write(phone: ThePhone, account: str, body: Write) -> PhoneLine:
    sent, content = (None, b"") if body.sample is None else sample(body.sample)
    draft = PhoneDraft(
        text=body.text, reply_to=body.reply_to, file=sent, content=content, place=body.place, contact=body.contact, at=body.at
    )
    return phone.write(account, body.person, draft)


@router.post("/phone/{connector}/{account}/extra")
async def extra(phone: ThePhone, account: str, body: Extra, t: Words) -> PhoneChat:
    if body.name not in phone.extras:
        raise NotFound(f"no extra {body.name!r}")
    phone.extra(account, body.person, body.name)
    return _shown(phone, account, body.person, t)


@router.post("/phone/{connector}/{account}/press")
async def press(phone: ThePhone, account: str, body: Press, t: Words) -> PhoneChat:
    phone.press(account, body.person, body.line, body.button)
    return _shown(phone, account, body.person, t)


@router.post("/phone/{connector}/{account}/react")
async def react(phone: ThePhone, account: str, body: React, t: Words) -> PhoneChat:
    phone.react(account, body.person, body.line, body.emoji)
    return _shown(phone, account, body.person, t)


@router.post("/phone/{connector}/{account}/edit")
async def edit(phone: ThePhone, account: str, body: Edit, t: Words) -> PhoneChat:
    phone.edit(account, body.person, body.line, body.text)
    return _shown(phone, account, body.person, t)


@router.post("/phone/{connector}/{account}/delete")
async def delete(phone: ThePhone, account: str, body: OfLine, t: Words) -> PhoneChat:
    phone.delete(account, body.person, body.line)
    return _shown(phone, account, body.person, t)


@router.post("/phone/{connector}/{account}/read")
async def read(phone: ThePhone, account: str, body: OfPerson, t: Words) -> PhoneChat:
    phone.read(account, body.person)
    return _shown(phone, account, body.person, t)


@router.post("/phone/{connector}/{account}/typing")
async def set_typing(phone: ThePhone, account: str, body: Typing, t: Words) -> PhoneChat:
    phone.set_typing(account, body.person, body.is_typing)
    return _shown(phone, account, body.person, t)


@router.post("/phone/{connector}/{account}/block")
async def set_blocked(phone: ThePhone, account: str, body: Block, t: Words) -> PhoneChat:
    phone.set_blocked(account, body.person, body.is_blocked)
    return _shown(phone, account, body.person, t)
