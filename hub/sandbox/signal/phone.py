"""The people's side: what they do becomes envelopes that wait to be fetched, what the business sends shows here."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from hub.core.errors import Conflict, NotFound
from hub.sandbox.messengers import Act, PhoneAccount, PhoneChat, PhoneDraft, PhoneFile, PhoneLine, PhonePerson
from hub.sandbox.samples import read
from hub.sandbox.signal import envelopes
from hub.sandbox.signal.envelopes import Json
from hub.sandbox.signal.mailbox import Mailbox
from hub.sandbox.signal.world import UUID, Chat, Person, World

PACK: Final = "9acc9e8aba563d26a4994e69263e3b25"
GROUP: Final = {"groupId": "SHViRGVtb0dyb3VwSWQwMDAwMDAwMDAwMDAwMDAwMDE=", "groupName": "Kundenrunde", "revision": 7}
WEEK: Final = 604_800
NUMBER: Final = re.compile(r"\+[0-9]{7,15}")
ENDINGS: Final = {"image": "jpg", "video": "mp4", "audio": "m4a"}


class SignalPhone:
    can: frozenset[Act] = frozenset(
        {"write", "file", "voice", "contact", "reply", "react", "edit", "delete", "read", "typing", "block"}
    )
    extras: Mapping[str, str] = {
        name: f"sandbox.extra.signal.{name}"
        for name in ("sticker", "poll", "view_once", "timer", "payment", "call", "group", "story", "new_phone", "colleague")
    }

    def __init__(self, world: World, mailbox: Mailbox) -> None:
        self._world = world
        self._mailbox = mailbox

    # --- what the business sent

    def take(self, person: Person, line: PhoneLine, timestamp: int) -> None:
        """Shown, and confirmed by the app; of somebody who is blocked nothing is seen, and nobody is told."""
        chat = self._world.chat(person.uuid)
        if chat.is_blocked:
            return
        chat.lines.append(line)
        chat.unread.append(timestamp)
        chat.is_typing = False
        self._receipt(person, "Delivery", [timestamp])

    # --- what people see

    def accounts(self) -> Sequence[PhoneAccount]:
        account = self._world.account
        return [PhoneAccount(id=account.number, title=account.title, address=account.number)]

    def people(self, account: str) -> Sequence[PhonePerson]:
        self._world.own(account)
        return [_shown(one) for one in self._world.people.values()]

    def add_person(self, account: str, name: str, address: str = "") -> PhonePerson:
        """By a number, or by the uuid that an earlier process gave them."""
        self._world.own(account)
        if address and not (UUID.fullmatch(address) or NUMBER.fullmatch(address)):
            raise Conflict("a number in international form, or none")
        return _shown(self._world.add_person(name, address))

    def chat(self, account: str, person: str) -> PhoneChat:
        self._world.own(account)
        chat = self._world.chat(person)
        return PhoneChat(lines=tuple(chat.lines), is_blocked=chat.is_blocked, is_typing=chat.is_typing)

    def file(self, account: str, file: str) -> tuple[PhoneFile, bytes]:
        if file not in self._world.files:
            raise NotFound("no such file")
        return self._world.files[file]

    # --- what people do

    def write(self, account: str, person: str, draft: PhoneDraft) -> PhoneLine:
        somebody, chat = self._ends(account, person)
        if draft.place is not None:
            raise Conflict("the app sends places as links")
        if not (draft.text.strip() or draft.file or draft.contact):
            raise Conflict("the app sends no empty message")
        timestamp = self._world.stamp(draft.at)
        said: Json = {}
        files: tuple[PhoneFile, ...] = ()
        if draft.file is not None:
            files = (self._world.keep_file(replace(draft.file, id=f"{timestamp}-0", size=len(draft.content)), draft.content),)
            said["attachments"] = [self._attachment(files[0], draft.content)]
        if draft.contact is not None:
            said["contacts"] = [{"name": {"given": draft.contact[0]}, "phone": [{"value": draft.contact[1], "type": "MOBILE"}]}]
        if draft.reply_to:
            said["quote"] = self._quote(somebody, chat.line(draft.reply_to))
        line = PhoneLine(
            id=str(timestamp),
            at=envelopes.at(timestamp),
            is_theirs=False,
            text=draft.text,
            files=files,
            contact=draft.contact,
            reply_to=draft.reply_to,
            state="sent",
        )
        chat.lines.append(line)
        self._send(somebody, timestamp, dataMessage=envelopes.data(timestamp, draft.text or None, **said))
        return line

    def extra(self, account: str, person: str, name: str) -> None:
        somebody, chat = self._ends(account, person)
        if name not in self.extras:
            raise NotFound("no such kind")
        timestamp = self._world.stamp()
        line = PhoneLine(id=str(timestamp), at=envelopes.at(timestamp), is_theirs=False, note=f"signal.{name}")
        if name == "colleague":
            text = "Ich rufe Sie gleich an."
            line = replace(line, is_theirs=True, text=text, note="")
            sent = self._destination(somebody) | envelopes.data(timestamp, text)
            source = envelopes.from_account(self._world.account)
            self._mailbox.put(envelopes.envelope(self._world.account, source, timestamp, syncMessage={"sentMessage": sent}))
        else:
            self._send(somebody, timestamp, **self._extra(somebody, name, timestamp))
        chat.lines.append(line)

    def _extra(self, person: Person, name: str, timestamp: int) -> Json:
        match name:
            case "sticker":
                self._world.stickers[PACK, 11] = read("sticker.webp")
                return {"dataMessage": envelopes.data(timestamp, None, sticker={"packId": PACK, "stickerId": 11})}
            case "poll":
                asked = {"question": "Welche Farbe?", "allowMultiple": False, "options": ["Rot", "Blau"]}
                return {"dataMessage": envelopes.data(timestamp, None, pollCreate=asked)}
            case "view_once":
                picture = read("photo-1-800.jpg")
                file = PhoneFile(id="", kind="image", name="", mime="image/jpeg", size=len(picture))
                said = {"viewOnce": True, "attachments": [self._attachment(file, picture)]}
                return {"dataMessage": envelopes.data(timestamp, None) | said}
            case "timer":
                return {"dataMessage": envelopes.data(timestamp, None) | {"isExpirationUpdate": True, "expiresInSeconds": WEEK}}
            case "payment":
                return {"dataMessage": envelopes.data(timestamp, None, payment={"note": "für den Reifen", "receipt": "AAEC"})}
            case "call":
                return {"callMessage": {"offerMessage": {"id": timestamp, "type": "AUDIO_CALL", "opaque": "AAEC"}}}
            case "group":
                group = GROUP | {"type": "DELIVER"}
                return {"dataMessage": envelopes.data(timestamp, "Moin zusammen", groupInfo=group)}
            case "story":
                return {"storyMessage": {"allowsReplies": True, "textAttachment": {"text": "Rad zu verkaufen"}}}
            case _:
                person.is_trusted = False
                return {"dataMessage": envelopes.data(timestamp, "Das ist mein neues Telefon")}

    def press(self, account: str, person: str, line: str, button: str) -> None:
        raise Conflict("Signal has nothing to press")

    def react(self, account: str, person: str, line: str, emoji: str) -> None:
        somebody, chat = self._ends(account, person)
        target = chat.line(line)
        if not emoji and not target.reactions:
            return
        chat.change(line, lambda one: replace(one, reactions=(emoji,) if emoji else ()))
        author = envelopes.author(self._world.account, somebody, is_ours=target.is_theirs, prefix="targetAuthor")
        told = {"emoji": emoji or target.reactions[0], "isRemove": not emoji, "targetSentTimestamp": int(line)}
        timestamp = self._world.stamp()
        self._send(somebody, timestamp, dataMessage=envelopes.data(timestamp, None, reaction=author | told))

    def edit(self, account: str, person: str, line: str, text: str) -> None:
        somebody, chat = self._ends(account, person)
        self._own(chat, line)
        chat.change(line, lambda one: replace(one, text=text, is_edited=True))
        timestamp = self._world.stamp()
        edit = {"targetSentTimestamp": int(line), "dataMessage": envelopes.data(timestamp, text)}
        self._send(somebody, timestamp, editMessage=edit)

    def delete(self, account: str, person: str, line: str) -> None:
        somebody, chat = self._ends(account, person)
        self._own(chat, line)
        chat.change(line, lambda one: replace(one, text="", files=(), is_deleted=True))
        timestamp = self._world.stamp()
        self._send(somebody, timestamp, dataMessage=envelopes.data(timestamp, None, remoteDelete={"timestamp": int(line)}))

    def read(self, account: str, person: str) -> None:
        """One receipt for all of them."""
        somebody, chat = self._ends(account, person)
        unread, chat.unread = chat.unread, []
        if unread:
            self._receipt(somebody, "Read", unread)

    def set_typing(self, account: str, person: str, typing: bool) -> None:
        somebody, _ = self._ends(account, person)
        timestamp = self._world.stamp()
        self._send(somebody, timestamp, typingMessage={"action": "STARTED" if typing else "STOPPED", "timestamp": timestamp})

    def set_blocked(self, account: str, person: str, blocked: bool) -> None:
        """Stays in the app: the business is told nothing (provider file, 9)."""
        _, chat = self._ends(account, person)
        chat.is_blocked = blocked

    def restore(self, account: str, person: str, lines: Sequence[PhoneLine]) -> None:
        _, chat = self._ends(account, person)
        chat.lines = list(lines)

    # --- on the way to the business

    def _ends(self, account: str, person: str) -> tuple[Person, Chat]:
        self._world.own(account)
        return self._world.person(person), self._world.chat(person)

    def _own(self, chat: Chat, line: str) -> None:
        if chat.line(line).is_theirs:
            raise Conflict("only one's own messages can be changed")

    def _attachment(self, file: PhoneFile, content: bytes) -> Json:
        """Downloaded by signal-cli before it says that there is one. A recording has no name."""
        id_ = f"{os.urandom(9).hex()}.{ENDINGS.get(file.mime.partition('/')[0], 'bin')}"
        self._world.attachments[id_] = content
        return envelopes.attachment(id_, file.mime, "" if file.kind == "voice" else file.name, len(content))

    def _quote(self, person: Person, line: PhoneLine) -> Json:
        author = envelopes.author(self._world.account, person, is_ours=line.is_theirs, prefix="author")
        return {"id": int(line.id), "text": line.text, "attachments": []} | author

    def _destination(self, person: Person) -> Json:
        number = person.number or None
        return {"destination": number or person.uuid, "destinationNumber": number, "destinationUuid": person.uuid}

    def _receipt(self, person: Person, kind: str, timestamps: list[int]) -> None:
        when = self._world.stamp()
        self._send(person, when, receiptMessage=envelopes.receipt(when, kind, timestamps))

    def _send(self, person: Person, timestamp: int, **said: Any) -> None:
        """What cannot be opened since the safety number changed is kept, and only that is told."""
        account, source = self._world.account, envelopes.from_person(person)
        whole = envelopes.envelope(account, source, timestamp, **said)
        if person.is_trusted:
            self._mailbox.put(whole)
            return
        person.held.append(whole)
        trouble = {"message": "untrusted identity", "type": "UntrustedIdentityException"}
        self._mailbox.put(envelopes.envelope(account, source, timestamp, exception=trouble))


def _shown(person: Person) -> PhonePerson:
    return PhonePerson(id=person.uuid, name=person.name, address=person.number or person.uuid)
