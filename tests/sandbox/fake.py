"""A messenger that no provider has: as little as a simulator can be, for the tests of what surrounds simulators."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import httpx
import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from hub.core import clock
from hub.core.errors import Conflict, NotFound
from hub.sandbox.courier import Courier, Outgoing
from hub.sandbox.faults import KINDS, Faults
from hub.sandbox.messengers import (
    Act,
    PhoneAccount,
    PhoneButton,
    PhoneChat,
    PhoneDraft,
    PhoneFile,
    PhoneLine,
    PhonePerson,
    PhoneSpan,
)

ACCOUNT = PhoneAccount(id="acc-1", title="Radwerk", address="@radwerk")
AYLIN = "p+1/ä="
"""Ids may hold any character."""


class FakePhone:
    """Keeps everything in a list; the business hears of each line."""

    can: frozenset[Act] = frozenset(
        {"write", "file", "voice", "place", "contact", "reply", "react", "edit", "delete", "press", "read", "typing", "block"}
    )
    extras: Mapping[str, str] = {"order": "sandbox.title"}

    def __init__(self, courier: Courier, hook: str) -> None:
        self._courier = courier
        self.hook = hook
        self._people = {AYLIN: PhonePerson(id=AYLIN, name="Aylin Yıldırım", address="+4915155501834")}
        self._lines: dict[str, list[PhoneLine]] = {AYLIN: []}
        self._contents: dict[str, tuple[PhoneFile, bytes]] = {}
        self.blocked: set[str] = set()
        self.typing: set[str] = set()

    def accounts(self) -> Sequence[PhoneAccount]:
        return [ACCOUNT]

    def people(self, account: str) -> Sequence[PhonePerson]:
        return list(self._people.values())

    def add_person(self, account: str, name: str, address: str = "") -> PhonePerson:
        number = address or f"+49151{len(self._people):08}"
        self._people[number] = PhonePerson(id=number, name=name, address=number)
        self._lines.setdefault(number, [])
        return self._people[number]

    def chat(self, account: str, person: str) -> PhoneChat:
        lines = tuple(self._of(person))
        return PhoneChat(lines=lines, is_blocked=person in self.blocked, is_typing=person in self.typing)

    def file(self, account: str, file: str) -> tuple[PhoneFile, bytes]:
        if file not in self._contents:
            raise NotFound("no such file")
        return self._contents[file]

    def write(self, account: str, person: str, draft: PhoneDraft) -> PhoneLine:
        if person in self.blocked:
            raise Conflict("the person has blocked the business")
        files: tuple[PhoneFile, ...] = ()
        if draft.file is not None:
            file = replace(draft.file, id=f"f/{len(self._contents)}")
            self._contents[file.id] = (file, draft.content)
            files = (file,)
        line = PhoneLine(
            id=f"line/{len(self._of(person))}=",
            at=draft.at or clock.now(),
            is_theirs=False,
            text=draft.text,
            files=files,
            place=draft.place,
            contact=draft.contact,
            reply_to=draft.reply_to,
            state="sent",
        )
        self._of(person).append(line)
        self._tell({"line": line.id, "text": line.text})
        return line

    def say(self, person: str, text: str, buttons: tuple[PhoneButton, ...] = (), spans: tuple[PhoneSpan, ...] = ()) -> PhoneLine:
        """The business writes."""
        number = len(self._of(person))
        line = PhoneLine(id=f"line/{number}=", at=clock.now(), is_theirs=True, text=text, buttons=buttons, spans=spans)
        self._of(person).append(line)
        return line

    def extra(self, account: str, person: str, name: str) -> None:
        self._tell({"extra": name})

    def press(self, account: str, person: str, line: str, button: str) -> None:
        self._tell({"pressed": button})

    def react(self, account: str, person: str, line: str, emoji: str) -> None:
        self._change(person, line, reactions=(emoji,) if emoji else ())

    def edit(self, account: str, person: str, line: str, text: str) -> None:
        self._change(person, line, text=text, is_edited=True)

    def delete(self, account: str, person: str, line: str) -> None:
        self._change(person, line, text="", is_deleted=True)

    def read(self, account: str, person: str) -> None:
        self._tell({"read": person})

    def set_typing(self, account: str, person: str, typing: bool) -> None:
        self._tell({"typing": typing})

    def set_blocked(self, account: str, person: str, blocked: bool) -> None:
        (self.blocked.add if blocked else self.blocked.discard)(person)

    def restore(self, account: str, person: str, lines: Sequence[PhoneLine]) -> None:
        self._of(person)[:] = lines

    def _of(self, person: str) -> list[PhoneLine]:
        if person not in self._lines:
            raise NotFound(f"no person {person!r}")
        return self._lines[person]

    def _change(self, person: str, line: str, **changes: Any) -> None:
        lines = self._of(person)
        for number, one in enumerate(lines):
            if one.id == line:
                lines[number] = replace(one, **changes)
                return
        raise NotFound(f"no line {line!r}")

    def _tell(self, body: dict[str, Any]) -> None:
        self._courier.send(Outgoing(self.hook, orjson.dumps(body), {"content-type": "application/json"}))


class FakeSimulator:
    """Its provider's API tells what was asked of it."""

    connector = "fake"
    label = "Fake"
    mark = "sms"

    def __init__(self, http: httpx.AsyncClient, hook: str) -> None:
        self.faults = Faults((*KINDS, "flood_limits"))
        self.courier = Courier(http, self.faults, delays=(0.0,))
        self.phone = FakePhone(self.courier, hook)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        await JSONResponse({"path": scope["path"], "root_path": scope["root_path"], "method": request.method})(scope, receive, send)

    def sample_settings(self, origin: str) -> dict[str, Any]:
        return {"base_url": f"{origin}/fake"}

    def point_to(self, callback_url: str) -> None:
        self.phone.hook = callback_url

    async def stop(self) -> None:
        await self.courier.stop()
