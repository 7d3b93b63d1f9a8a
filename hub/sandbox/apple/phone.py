"""What a person does in Messages on their iPhone."""

import base64
import gzip
import json
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from hub.core.errors import Conflict, NotFound
from hub.sandbox.apple.rules import BID, PLACEHOLDER
from hub.sandbox.apple.world import ANSWER_SECONDS, BUSINESS, Chat, crypt
from hub.sandbox.messengers import Act, PhoneAccount, PhoneChat, PhoneDraft, PhoneFile, PhoneLine, PhonePerson
from hub.sandbox.samples import sample

if TYPE_CHECKING:
    from hub.sandbox.apple.simulator import AppleSimulator

TAPBACKS: Final = {"de_DE": "Favorisiert: „{text}“", "en_DE": "Loved “{text}”"}
"""A tapback is a sentence in the language of the phone (provider file, 4)."""


class ApplePhone:
    can: frozenset[Act] = frozenset({"write", "file", "voice", "press", "typing"})
    extras: Mapping[str, str] = {
        "pick_two": "sandbox.apple.pick_two",
        "long_answer": "sandbox.apple.long_answer",
        "form": "sandbox.apple.form",
        "tapback": "sandbox.apple.tapback",
        "two_files": "sandbox.apple.two_files",
        "close": "sandbox.apple.close",
    }

    def __init__(self, simulator: "AppleSimulator") -> None:
        self._simulator = simulator
        self._world = simulator.world
        self._sent = 0

    def accounts(self) -> Sequence[PhoneAccount]:
        return [PhoneAccount(id=BUSINESS, title="Radwerk Lindau", address=BUSINESS)]

    def people(self, account: str) -> Sequence[PhonePerson]:
        return [chat.person for chat in self._world.chats.values()]

    def add_person(self, account: str, name: str, address: str = "") -> PhonePerson:
        return self._world.add(name, address)

    def chat(self, account: str, person: str) -> PhoneChat:
        chat = self._chat(account, person)
        return PhoneChat(lines=tuple(chat.lines), is_blocked=chat.is_deleted, is_typing=chat.is_typing)

    def file(self, account: str, file: str) -> tuple[PhoneFile, bytes]:
        found = self._world.files.get(file)
        if found is None:
            raise NotFound("no such file")
        return found

    def write(self, account: str, person: str, draft: PhoneDraft) -> PhoneLine:
        chat = self._chat(account, person)
        if draft.place or draft.contact or draft.reply_to:
            raise Conflict("Messages for Business has no places, contacts and replies")
        if draft.file is None:
            if not draft.text.strip():
                raise Conflict("nothing to send")
            return self._say(chat, draft.text, body=draft.text, at=draft.at)
        body = f"{draft.text} {PLACEHOLDER}".strip()
        return self._say(chat, draft.text, [(draft.file, draft.content)], body=body, at=draft.at)

    def _say(self, chat: Chat, text: str, files: Sequence[tuple[PhoneFile, bytes]] = (), *, body: str, at: Any = None) -> PhoneLine:
        """A message of type text; writing opens a chat that was deleted."""
        chat.is_open, chat.is_deleted = True, False
        number = str(uuid4())
        kept = tuple(self._world.keep(file, content) for file, content in files)
        line = self._world.put(chat, number, is_theirs=False, text=text, files=kept, state="sent", **({"at": at} if at else {}))
        told: dict[str, Any] = {"type": "text", "body": body}
        if files:
            told["attachments"] = [self._attachment(file, content) for file, content in files]
        self._simulator.tell(chat, number, told)
        return line

    def _attachment(self, file: PhoneFile, content: bytes) -> dict[str, Any]:
        """Sealed and stored. Every other one has the names of older texts and no signature in base64 (4)."""
        self._sent += 1
        key = os.urandom(32)
        name = self._world.store(crypt(content, key))
        stored = self._world.storage[name]
        url, signature = f"{self._simulator.origin}/storage/{name}", stored.signature.hex().upper()
        if self._sent % 2 == 0:
            older = {"mmcs-url": url, "mmcs-owner": stored.owner, "mmcs-signature-hex": signature}
            return {"name": file.name, "mime-type": file.mime, "file-size": str(len(content)), "decryption-key": _key(key), **older}
        newer = {"url": url, "owner": stored.owner, "signature": signature, "signature-base64": _base64(stored.signature)}
        return {"name": file.name, "mimeType": file.mime, "size": len(content), "key": _key(key), **newer}

    def extra(self, account: str, person: str, name: str) -> None:
        chat = self._chat(account, person)
        match name:
            case "pick_two":
                self._pick_two(chat)
            case "long_answer":
                self._answer_by_reference(chat)
            case "form":
                self._answer(chat, "Rückruf", {"replyMessage": {"title": "Rückruf"}, "dynamic": _form("Vormittag")})
            case "tapback":
                newest = chat.newest_of_the_business()
                if newest is None:
                    raise Conflict("the business has written nothing")
                words = TAPBACKS[chat.locale].format(text=newest.text)
                self._simulator.tell(chat, str(uuid4()), {"type": "text", "body": words})
                self._world.change(chat, newest.id, reactions=("❤",))
            case "two_files":
                files = [sample("image"), sample("document")]
                self._say(chat, "Bild und Beleg", files, body=f"Bild {PLACEHOLDER} und Beleg {PLACEHOLDER}")
            case "close":
                chat.is_open, chat.is_deleted = False, True
                self._simulator.tell(chat, str(uuid4()), {"type": "close"})
            case _:
                raise NotFound("no such kind")

    def press(self, account: str, person: str, line: str, button: str) -> None:
        chat = self._chat(account, person)
        pressed = next((one for one in chat.line(line).buttons if one.id == button), None)
        if pressed is None:
            raise NotFound("no such button")
        asked = chat.asked[line]
        self._answer(chat, pressed.label, _picked(asked["data"], [button]), asked)

    def _pick_two(self, chat: Chat) -> None:
        lists = [line for line in chat.lines if line.id in chat.asked and "listPicker" in chat.asked[line.id]["data"]]
        if not lists or len(lists[-1].buttons) < 2:
            raise Conflict("there is no list with two items")
        asked, two = chat.asked[lists[-1].id], lists[-1].buttons[:2]
        words = ", ".join(one.label for one in two)
        data = _picked(asked["data"], [one.id for one in two])
        self._answer(chat, words, {**data, "replyMessage": {"title": "Auswahl", "subtitle": words, "style": "small"}}, asked)

    def _answer(self, chat: Chat, text: str, data: dict[str, Any], asked: dict[str, Any] | None = None) -> None:
        chat.is_open, chat.is_deleted = True, False
        number = str(uuid4())
        self._world.put(chat, number, is_theirs=False, text=text, state="sent")
        self._simulator.tell(chat, number, {"type": "interactive", "interactiveData": _interactive(data, asked)})

    def _answer_by_reference(self, chat: Chat) -> None:
        """An answer of more than 10 KB lies at the storage for some seconds (4)."""
        chat.is_open, chat.is_deleted = True, False
        number, key = str(uuid4()), os.urandom(32)
        long = _interactive({"replyMessage": {"title": "Reklamation"}, "dynamic": _form("Die Kette springt. " * 600)}, None)
        sealed = crypt(gzip.compress(json.dumps(long, ensure_ascii=False).encode()), key)
        name = self._world.store(sealed, seconds=ANSWER_SECONDS)
        stored = self._world.storage[name]
        ref = {
            "bid": BID,
            "url": f"{self._simulator.origin}/storage/{name}",
            "owner": stored.owner,
            "size": len(sealed),
            "signature": stored.signature.hex().upper(),
            "signature-base64": _base64(stored.signature),
            "key": _key(key),
        }
        self._world.put(chat, number, is_theirs=False, text="Reklamation", state="sent")
        self._simulator.tell(chat, number, {"type": "interactive", "interactiveDataRef": ref})

    def react(self, account: str, person: str, line: str, emoji: str) -> None:
        raise Conflict("a tapback comes as a sentence: it is an extra")

    def edit(self, account: str, person: str, line: str, text: str) -> None:
        raise Conflict("the business is not told of changes")

    def delete(self, account: str, person: str, line: str) -> None:
        raise Conflict("the business is not told of deletions")

    def read(self, account: str, person: str) -> None:
        raise Conflict("the business is not told what was read")

    def set_typing(self, account: str, person: str, typing: bool) -> None:
        chat = self._chat(account, person)
        self._simulator.tell(chat, str(uuid4()), {"type": "typing_start" if typing else "typing_end"})

    def set_blocked(self, account: str, person: str, blocked: bool) -> None:
        raise Conflict("a person deletes the conversation: it is an extra")

    def restore(self, account: str, person: str, lines: Sequence[PhoneLine]) -> None:
        chat = self._chat(account, person)
        known = {line.id for line in chat.lines}
        chat.lines[:0] = [line for line in lines if line.id not in known]
        chat.is_open = chat.is_open or any(not line.is_theirs for line in lines)

    def _chat(self, account: str, person: str) -> Chat:
        if account != BUSINESS:
            raise NotFound("no such account")
        return self._world.chat(person)


def _interactive(data: dict[str, Any], asked: dict[str, Any] | None) -> dict[str, Any]:
    """The session of a question comes back with its answer; without a question it is a random one."""
    request = asked["data"]["requestIdentifier"] if asked else str(uuid4())
    session = asked.get("sessionIdentifier", str(uuid4())) if asked else str(uuid4())
    return {"bid": BID, "sessionIdentifier": session.upper(), "data": {"version": "1.0", "requestIdentifier": request, **data}}


def _picked(asked: dict[str, Any], chosen: Sequence[str]) -> dict[str, Any]:
    """The answer of a device to a question."""
    if "quick-reply" in asked:
        quick = asked["quick-reply"]
        index = next(place for place, item in enumerate(quick["items"]) if item["identifier"] == chosen[0])
        return {"quick-reply": {**quick, "selectedIndex": index, "selectedIdentifier": chosen[0]}}
    if "listPicker" in asked:
        sections = [
            {**section, "items": [item for item in section["items"] if item["identifier"] in chosen]}
            for section in asked["listPicker"]["sections"]
        ]
        return {"listPicker": {"sections": sections}, "replyMessage": {"title": "Auswahl", "style": "small"}}
    slots = [slot for slot in asked["event"]["timeslots"] if slot["identifier"] in chosen]
    return {"event": {**asked["event"], "timeslots": slots}, "replyMessage": {"title": "Termin gewählt", "style": "icon"}}


def _form(value: str) -> dict[str, Any]:
    page = {"title": "Ihr Anliegen", "items": [{"title": "Ihr Anliegen", "value": value}]}
    return {"version": "1.2", "template": "messageForms", "data": {"selections": [page]}}


def _key(key: bytes) -> str:
    return f"00{key.hex()}"


def _base64(plain: bytes) -> str:
    return base64.b64encode(plain).decode()
