"""The people's side: what they do becomes sealed containers for the business, what the business sends is opened here."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final, Literal

from nacl.public import Box

from hub.core import clock
from hub.core.errors import Conflict, NotFound
from hub.sandbox.courier import Courier, Outgoing
from hub.sandbox.messengers import Act, PhoneAccount, PhoneChat, PhoneDraft, PhoneFile, PhoneLine, PhonePerson
from hub.sandbox.threema import containers
from hub.sandbox.threema.world import Chat, Gateway, Person, World

PLACE: Final = (47.545871, 9.683104)
LONGEST_TEXT: Final = 3500
Kind = Literal["image", "video", "voice", "audio", "document", "sticker"]
KINDS: Final[dict[str, Kind]] = {"image": "image", "video": "video", "audio": "voice"}
EMOJI: Final = {containers.ACKNOWLEDGED: "👍", containers.DECLINED: "👎"}


def _kind(mime: str, rendering: int) -> Kind:
    """As what the app shows a file."""
    if rendering == 2:
        return "sticker"
    return KINDS.get(mime.partition("/")[0], "document") if rendering == 1 else "document"


class ThreemaPhone:
    can: frozenset[Act] = frozenset(
        {"write", "file", "voice", "place", "reply", "react", "edit", "delete", "read", "typing", "block"}
    )
    extras: Mapping[str, str] = {
        "poll": "sandbox.extra.threema.poll",
        "call": "sandbox.extra.threema.call",
        "old_picture": "sandbox.extra.threema.old_picture",
        "group": "sandbox.extra.threema.group",
        "envelope": "sandbox.extra.threema.envelope",
        "future": "sandbox.extra.threema.future",
    }

    def __init__(self, world: World, courier: Courier) -> None:
        self._world = world
        self._courier = courier

    # --- what the business sent

    def take_text(self, gateway: Gateway, person: Person, message: str, text: str) -> None:
        """Of basic mode: Threema sealed it itself."""
        self._show(gateway, person, PhoneLine(id=message, at=clock.now(), is_theirs=True, text=text), confirms=False)

    def take_box(self, gateway: Gateway, person: Person, message: str, nonce: bytes, box: bytes, *, confirms: bool) -> None:
        """A nonce that came before, or a box that does not open, is thrown away in silence, as the app does; so is what somebody
        sends who is blocked."""
        chat = self._world.chat(gateway.id, person.id)
        opened = containers.unpack(nonce, box, person.private_key, gateway.public_key)
        if chat.is_blocked or nonce in chat.nonces or opened is None:
            return
        chat.nonces.add(nonce)
        kind, data = opened
        at = clock.now()
        match kind:
            case containers.TEXT:
                line = PhoneLine(id=message, at=at, is_theirs=True, text=data.decode())
            case containers.PLACE:
                first, *words = data.decode().split("\n")
                latitude, longitude = (float(word) for word in first.split(",")[:2])
                text = "\n".join(words).replace("\\n", "\n")
                line = PhoneLine(id=message, at=at, is_theirs=True, text=text, place=(latitude, longitude))
            case containers.FILE:
                line = self._file_line(message, at, data)
            case containers.RECEIPT:
                self._take_reaction(chat, data)
                return
            case _:
                line = PhoneLine(id=message, at=at, is_theirs=True, note="threema.unknown")
        self._show(gateway, person, line, confirms=confirms)

    def _show(self, gateway: Gateway, person: Person, line: PhoneLine, *, confirms: bool) -> None:
        chat = self._world.chat(gateway.id, person.id)
        if chat.is_blocked:
            return
        chat.lines.append(line)
        if confirms:
            chat.unread.append(line.id)
            self._receipt(gateway, person, containers.RECEIVED, [line.id])

    def _file_line(self, message: str, at: datetime, data: bytes) -> PhoneLine:
        told = json.loads(data)
        sealed = self._world.blobs.get(told["b"])
        content = None if sealed is None else containers.open_file(sealed, bytes.fromhex(told["k"]))
        if content is None:
            return PhoneLine(id=message, at=at, is_theirs=True, note="threema.file_gone")
        kind = _kind(told["m"], told.get("j", 0))
        file = PhoneFile(id=message, kind=kind, name=told.get("n", ""), mime=told["m"], size=len(content))
        self._world.keep_file(file, content)
        return PhoneLine(id=message, at=at, is_theirs=True, text=told.get("d", ""), files=(file,))

    def _take_reaction(self, chat: Chat, data: bytes) -> None:
        emoji = EMOJI.get(data[0])
        if emoji is not None:
            chat.change(data[1:9].hex(), lambda line: replace(line, reactions=(emoji,)))
        elif data[0] == containers.READ:
            chat.change(data[1:9].hex(), lambda line: replace(line, state="read"))

    # --- what people see

    def accounts(self) -> Sequence[PhoneAccount]:
        return [PhoneAccount(id=one.id, title=one.title, address=one.id) for one in self._world.gateways.values()]

    def people(self, account: str) -> Sequence[PhonePerson]:
        self._world.gateway(account)
        return [PhonePerson(id=one.id, name=one.name, address=one.id) for one in self._world.people.values()]

    def add_person(self, account: str, name: str, address: str = "") -> PhonePerson:
        self._world.gateway(account)
        if address and (len(address) != 8 or not address.isalnum() or address != address.upper()):
            raise Conflict("a Threema ID has eight capital letters and digits")
        person = self._world.add_person(name, address)
        return PhonePerson(id=person.id, name=person.name, address=person.id)

    def chat(self, account: str, person: str) -> PhoneChat:
        chat = self._world.chat(account, person)
        return PhoneChat(lines=tuple(chat.lines), is_blocked=chat.is_blocked)

    def file(self, account: str, file: str) -> tuple[PhoneFile, bytes]:
        if file not in self._world.files:
            raise NotFound("no such file")
        return self._world.files[file]

    # --- what people do

    def write(self, account: str, person: str, draft: PhoneDraft) -> PhoneLine:
        gateway, somebody, chat = self._ends(account, person)
        message = os.urandom(8).hex()
        at = draft.at or clock.now()
        if draft.contact is not None:
            raise Conflict("the app sends contacts as files")
        if draft.place is not None:
            kind, data = containers.PLACE, containers.place_data(*draft.place)
        elif draft.file is not None:
            kind, data = containers.FILE, self._file_data(draft)
        else:
            kind, data = containers.TEXT, self._quoting(chat, draft).encode()
        if not data or len(draft.text.encode()) > LONGEST_TEXT:
            raise Conflict("the app does not send this")
        files: tuple[PhoneFile, ...] = ()
        if draft.file is not None:
            files = (self._world.keep_file(replace(draft.file, id=message, size=len(draft.content)), draft.content),)
        line = PhoneLine(
            id=message,
            at=at,
            is_theirs=False,
            text=draft.text,
            files=files,
            place=draft.place,
            reply_to=draft.reply_to,
            state="sent",
        )
        chat.lines.append(line)
        self._send(gateway, somebody, kind, data, message=message, at=at)
        return line

    def _quoting(self, chat: Chat, draft: PhoneDraft) -> str:
        if not draft.reply_to:
            return draft.text
        return f"> quote #{chat.line(draft.reply_to).id}\n\n{draft.text}"

    def _file_data(self, draft: PhoneDraft) -> bytes:
        assert draft.file is not None
        key, sealed = containers.seal_file(draft.content)
        shown = {"document": 0, "sticker": 2}.get(draft.file.kind, 1)
        more = {"j": shown, "i": int(shown == 1)} | ({"d": draft.text} if draft.text else {})
        blob = self._world.keep_blob(sealed)
        return containers.file_data(blob, key, draft.file.mime, draft.file.name, len(draft.content), **more)

    def extra(self, account: str, person: str, name: str) -> None:
        gateway, somebody, chat = self._ends(account, person)
        if name not in self.extras:
            raise NotFound("no such kind")
        kind, data = self._extra(gateway, somebody, name)
        message = os.urandom(8).hex()
        chat.lines.append(PhoneLine(id=message, at=clock.now(), is_theirs=False, note=f"threema.{name}"))
        self._send(gateway, somebody, kind, data, message=message)

    def _extra(self, gateway: Gateway, person: Person, name: str) -> tuple[int, bytes]:
        match name:
            case "poll":
                asked = {"d": "Welche Farbe soll der Rahmen haben?", "s": 0, "a": 0, "t": 0, "o": 0, "c": []}
                return containers.POLL, os.urandom(8) + json.dumps(asked, ensure_ascii=False).encode()
            case "call":
                return containers.CALL, json.dumps({"callId": 1, "offer": {"sdpType": "offer", "sdp": "v=0"}}).encode()
            case "old_picture":
                nonce, content = os.urandom(24), b"\xff\xd8\xff\xe0 old picture \xff\xd9"
                sealed = Box(person.private_key, gateway.public_key).encrypt(content, nonce).ciphertext
                return containers.IMAGE, containers.image_data(self._world.keep_blob(sealed), len(content), nonce)
            case "group":
                return containers.GROUP_TEXT, person.id.encode() + os.urandom(8) + b"Hallo Gruppe"
            case "envelope":
                return containers.ENVELOPE, os.urandom(40)
            case _:
                return 0x2A, b"von morgen"

    def press(self, account: str, person: str, line: str, button: str) -> None:
        raise Conflict("there is nothing to press")

    def react(self, account: str, person: str, line: str, emoji: str) -> None:
        """Newer apps send their reaction; no emoji takes the one back that is there."""
        gateway, somebody, chat = self._ends(account, person)
        before = chat.line(line).reactions
        if not emoji and not before:
            return
        chat.change(line, lambda one: replace(one, reactions=(emoji,) if emoji else ()))
        data = containers.about_message(line, 2, emoji) if emoji else containers.about_message(line, 3, before[0])
        self._send(gateway, somebody, containers.REACTION, data)

    def edit(self, account: str, person: str, line: str, text: str) -> None:
        gateway, somebody, chat = self._ends(account, person)
        self._own(chat, line)
        chat.change(line, lambda one: replace(one, text=text, is_edited=True))
        self._send(gateway, somebody, containers.EDIT, containers.about_message(line, 2, text))

    def delete(self, account: str, person: str, line: str) -> None:
        gateway, somebody, chat = self._ends(account, person)
        self._own(chat, line)
        chat.change(line, lambda one: replace(one, text="", files=(), is_deleted=True))
        self._send(gateway, somebody, containers.DELETE, containers.about_message(line))

    def read(self, account: str, person: str) -> None:
        """One receipt for all of them."""
        gateway, somebody, chat = self._ends(account, person)
        unread, chat.unread = chat.unread, []
        if unread:
            self._receipt(gateway, somebody, containers.READ, unread)

    def answer_receipt(self, account: str, person: str, line: str, status: int) -> None:
        """The two buttons of older apps, whose answer travels as a receipt."""
        gateway, somebody, chat = self._ends(account, person)
        self._receipt(gateway, somebody, status, [chat.line(line).id])

    def set_typing(self, account: str, person: str, typing: bool) -> None:
        gateway, somebody, _ = self._ends(account, person)
        self._send(gateway, somebody, containers.TYPING, bytes([typing]))

    def set_blocked(self, account: str, person: str, blocked: bool) -> None:
        """Stays in the app: the business is told nothing (provider file, 8)."""
        self._world.chat(account, person).is_blocked = blocked

    def restore(self, account: str, person: str, lines: Sequence[PhoneLine]) -> None:
        self._world.chat(account, person).lines = list(lines)

    # --- on the way to the business

    def _ends(self, account: str, person: str) -> tuple[Gateway, Person, Chat]:
        return self._world.gateway(account), self._world.person(person), self._world.chat(account, person)

    def _own(self, chat: Chat, line: str) -> None:
        if chat.line(line).is_theirs:
            raise Conflict("only one's own messages can be changed")

    def _receipt(self, gateway: Gateway, person: Person, status: int, messages: Sequence[str]) -> None:
        data = bytes([status]) + b"".join(bytes.fromhex(message) for message in messages)
        self._send(gateway, person, containers.RECEIPT, data)

    def _send(
        self, gateway: Gateway, person: Person, kind: int, data: bytes, *, message: str = "", at: datetime | None = None
    ) -> None:
        """A callback, if the console has an address; an id in basic mode hears nothing."""
        if not gateway.callback_url or gateway.private_key is not None:
            return
        nonce, box = containers.pack(kind, data, person.private_key, gateway.public_key)
        fields = {
            "from": person.id,
            "to": gateway.id,
            "messageId": message or os.urandom(8).hex(),
            "date": str(int((at or clock.now()).timestamp())),
            "nonce": nonce.hex(),
            "box": box.hex(),
        }
        body = containers.callback_form(gateway.secret, fields, person.name)
        headers = {"content-type": "application/x-www-form-urlencoded"}
        self._courier.send(Outgoing(gateway.callback_url, body, headers), queue=person.id)
