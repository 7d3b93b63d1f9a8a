"""What a person does with RCS on their phone."""

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from hub.core import clock
from hub.core.errors import Conflict, NotFound
from hub.sandbox.google.world import AGENT, Handset
from hub.sandbox.messengers import Act, PhoneAccount, PhoneChat, PhoneDraft, PhoneFile, PhoneLine, PhonePerson

if TYPE_CHECKING:
    from hub.sandbox.google.simulator import GoogleSimulator

WORDS: Final = {"unsubscribe": ("UNSUBSCRIBE", "STOP"), "subscribe": ("SUBSCRIBE", "START")}
"""A tap on them gives an event and, as if it had been typed, a word (provider file, 10)."""


class GooglePhone:
    can: frozenset[Act] = frozenset({"write", "file", "voice", "place", "press", "read", "typing"})
    extras: Mapping[str, str] = {
        "unsubscribe": "sandbox.google.unsubscribe",
        "subscribe": "sandbox.google.subscribe",
        "expire": "sandbox.google.expire",
        "sticker": "sandbox.google.sticker",
    }

    def __init__(self, simulator: "GoogleSimulator") -> None:
        self._simulator = simulator
        self._world = simulator.world

    def accounts(self) -> Sequence[PhoneAccount]:
        return [PhoneAccount(id=AGENT, title="Radwerk Lindau", address=AGENT)]

    def people(self, account: str) -> Sequence[PhonePerson]:
        return [handset.person for handset in self._world.handsets.values()]

    def add_person(self, account: str, name: str, address: str = "") -> PhonePerson:
        return self._world.add(name, address)

    def chat(self, account: str, person: str) -> PhoneChat:
        handset = self._handset(account, person)
        return PhoneChat(lines=tuple(handset.lines), is_typing=time.monotonic() < handset.is_typing_until)

    def file(self, account: str, file: str) -> tuple[PhoneFile, bytes]:
        found = self._world.files.get(file)
        if found is None:
            raise NotFound("no such file")
        return found

    def write(self, account: str, person: str, draft: PhoneDraft) -> PhoneLine:
        handset = self._handset(account, person)
        if draft.contact or draft.reply_to:
            raise Conflict("RCS for Business has no contacts and no replies")
        number = self._world.next_id("Mx")
        at = draft.at or clock.now()
        what: dict[str, Any] = {
            "id": number,
            "is_theirs": False,
            "text": draft.text,
            "state": "sent",
            "at": at,
        }
        item: dict[str, Any] = {"senderPhoneNumber": person, "messageId": number, "sendTime": _time(at)}
        if draft.file is not None:
            file = self._keep(draft.file, draft.content)
            what |= {"files": (file,), "text": ""}
            told = {"mimeType": file.mime, "fileSizeBytes": file.size, "fileName": file.name}
            item["userFile"] = {"payload": {**told, "fileUri": f"{self._simulator.origin}/files/{file.id}"}}
        elif draft.place is not None:
            what["place"] = draft.place
            # zero values are dropped in proto-JSON
            item["location"] = {name: value for name, value in zip(("latitude", "longitude"), draft.place, strict=True) if value}
        elif draft.text.strip():
            item["text"] = draft.text
        else:
            raise Conflict("nothing to send")
        line = self._world.put(handset, **what)
        self._simulator.tell(item, person)
        return line

    def _keep(self, file: PhoneFile, content: bytes) -> PhoneFile:
        kept = PhoneFile(id=self._world.next_id("p-"), kind=file.kind, name=file.name, mime=file.mime, size=len(content))
        self._world.files[kept.id] = (kept, content)
        return kept

    def extra(self, account: str, person: str, name: str) -> None:
        handset = self._handset(account, person)
        if name in WORDS:
            kind, word = WORDS[name]
            self._simulator.happened(kind, person)
            self.write(account, person, PhoneDraft(text=word))
        elif name == "expire":
            newest = next((line for line in reversed(handset.lines) if line.is_theirs), None)
            if newest is None:
                raise Conflict("the business has sent nothing")
            handset.change(newest.id, is_deleted=True)
            item = {"phoneNumber": person, "messageId": newest.id, "eventType": "TTL_EXPIRATION_REVOKED"}
            self._simulator.tell(item | {"eventId": self._world.next_id("Sv"), "sendTime": _time(clock.now())}, person)
        elif name == "sticker":
            number = self._world.next_id("Mx")
            self._world.put(handset, id=number, is_theirs=False, text="🧸", state="sent")
            sent = {"senderPhoneNumber": person, "messageId": number, "sendTime": _time(clock.now()), "sticker": {"id": "7"}}
            self._simulator.tell(sent, person)
        else:
            raise NotFound("no such kind")

    def press(self, account: str, person: str, line: str, button: str) -> None:
        handset = self._handset(account, person)
        shown = next((one for one in handset.lines if one.id == line), None)
        pressed = next((one for one in shown.buttons if one.id == button), None) if shown else None
        if pressed is None:
            raise NotFound("no such button")
        kind = "ACTION" if pressed.url else "REPLY"
        number = self._world.next_id("Mx")
        if kind == "REPLY":
            self._world.put(handset, id=number, is_theirs=False, text=pressed.label, state="sent")
        answer = {"postbackData": pressed.id, "text": pressed.label, "type": kind}
        item = {"senderPhoneNumber": person, "messageId": number, "sendTime": _time(clock.now()), "suggestionResponse": answer}
        self._simulator.tell(item, person)

    def react(self, account: str, person: str, line: str, emoji: str) -> None:
        raise Conflict("RCS for Business has no reactions")

    def edit(self, account: str, person: str, line: str, text: str) -> None:
        raise Conflict("an RCS message cannot be changed")

    def delete(self, account: str, person: str, line: str) -> None:
        raise Conflict("the business is not told of it")

    def read(self, account: str, person: str) -> None:
        handset = self._handset(account, person)
        for line in handset.lines:
            if line.is_theirs and line.state != "read" and not line.is_deleted:
                handset.change(line.id, state="read")
                self._simulator.happened("READ", person, line.id)

    def set_typing(self, account: str, person: str, typing: bool) -> None:
        self._handset(account, person)
        if typing:
            self._simulator.happened("IS_TYPING", person)

    def set_blocked(self, account: str, person: str, blocked: bool) -> None:
        raise Conflict("Google tells nobody that somebody blocked an agent")

    def restore(self, account: str, person: str, lines: Sequence[PhoneLine]) -> None:
        handset = self._handset(account, person)
        known = {line.id for line in handset.lines}
        handset.lines[:0] = [line for line in lines if line.id not in known]

    def _handset(self, account: str, person: str) -> Handset:
        if account != AGENT:
            raise NotFound("no such account")
        return self._world.handset(person)


def _time(at: Any) -> str:
    return str(at.isoformat().replace("+00:00", "Z"))
