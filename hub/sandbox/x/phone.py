"""What a person does with direct messages of X."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from hub.core import clock
from hub.core.errors import Conflict, NotFound
from hub.sandbox.messengers import Act, PhoneAccount, PhoneChat, PhoneDraft, PhoneFile, PhoneLine, PhonePerson
from hub.sandbox.x.world import OWN, USERNAME, Chat

if TYPE_CHECKING:
    from hub.sandbox.x.simulator import XSimulator

LINK: Final = "https://t.co/Sandbox001"
TYPES: Final = {"image": "photo", "video": "video", "voice": "audio", "audio": "audio"}


class XPhone:
    can: frozenset[Act] = frozenset({"write", "file", "voice", "read", "typing", "block"})
    extras: Mapping[str, str] = {
        "encrypted": "sandbox.x.encrypted",
        "quick_reply": "sandbox.x.quick_reply",
        "elsewhere": "sandbox.x.elsewhere",
        "revoke": "sandbox.x.revoke",
    }

    def __init__(self, simulator: "XSimulator") -> None:
        self._simulator = simulator
        self._world = simulator.world

    def accounts(self) -> Sequence[PhoneAccount]:
        return [PhoneAccount(id=OWN, title="Radwerk Lindau", address=f"@{USERNAME}")]

    def people(self, account: str) -> Sequence[PhonePerson]:
        return [chat.person for chat in self._world.chats.values()]

    def add_person(self, account: str, name: str, address: str = "") -> PhonePerson:
        return self._world.add(name, address)

    def chat(self, account: str, person: str) -> PhoneChat:
        chat = self._chat(account, person)
        return PhoneChat(lines=tuple(chat.lines), is_blocked=chat.is_closed)

    def file(self, account: str, file: str) -> tuple[PhoneFile, bytes]:
        found = self._world.files.get(file)
        if found is None:
            raise NotFound("no such file")
        return found

    def write(self, account: str, person: str, draft: PhoneDraft) -> PhoneLine:
        chat = self._chat(account, person)
        if draft.place or draft.contact or draft.reply_to:
            raise Conflict("direct messages of X have no places, contacts and replies")
        at = draft.at or clock.now()
        if draft.file is None:
            if not draft.text.strip():
                raise Conflict("nothing to send")
            line = self._world.put(chat, is_theirs=False, text=draft.text, state="sent", at=at)
            self._simulator.told(chat, line)
            return line
        if draft.file.kind not in TYPES:
            raise Conflict("X takes pictures, films and voice notes")
        number = self._world.next_id()
        kind, name, mime = draft.file.kind, draft.file.name, draft.file.mime
        file = PhoneFile(id=f"{number}-{name}", kind=kind, name=name, mime=mime, size=len(draft.content))
        self._world.files[file.id] = (file, draft.content)
        line = self._world.put(chat, is_theirs=False, text=draft.text, files=(file,), state="sent", at=at)
        self._simulator.told(chat, line, self._attachment(line, file, number))
        return line

    def _attachment(self, line: PhoneLine, file: PhoneFile, number: str) -> dict[str, Any]:
        """The file, and the text with the link that stands for it."""
        text = f"{line.text} {LINK}".strip()
        url = f"{self._simulator.origin}/ton/{line.id}/{number}/{file.id}"
        media: dict[str, Any] = {
            "id": int(number),
            "id_str": number,
            "indices": [len(text) - len(LINK), len(text)],
            "media_url_https": url,
            "url": LINK,
            "type": TYPES[file.kind],
            "sizes": {},
        }
        if media["type"] != "photo":
            media["video_info"] = {"variants": [{"bitrate": 832000, "content_type": file.mime, "url": url}]}
        return {"text": text, "attachment": {"type": "media", "media": media}}

    def extra(self, account: str, person: str, name: str) -> None:
        chat = self._chat(account, person)
        match name:
            case "encrypted":
                line = self._world.put(chat, is_theirs=False, text="🔒", state="sent")
                envelope = {"id": line.id, "created_at_msec": str(int(line.at.timestamp() * 1000)), "sender_id": person}
                conversation = {"conversation_id": f"{person}:{OWN}", "encoded_event": "CwABAAAAEzIwODA0MDA4MjUy"}
                self._simulator.happened("chat.received", envelope | conversation)
            case "quick_reply":
                line = self._world.put(chat, is_theirs=False, text="Bestellstatus", state="sent")
                self._simulator.told(chat, line, {"quick_reply_response": {"type": "options", "metadata": "hub:status"}})
            case "elsewhere":
                line = self._world.put(chat, is_theirs=True, text="Das habe ich unterwegs geschrieben.")
                self._simulator.told(chat, line)
            case "revoke":
                self._simulator.revoked()
            case _:
                raise NotFound("no such kind")

    def press(self, account: str, person: str, line: str, button: str) -> None:
        raise Conflict("direct messages of X have nothing to press")

    def react(self, account: str, person: str, line: str, emoji: str) -> None:
        raise Conflict("the business is not told of reactions")

    def edit(self, account: str, person: str, line: str, text: str) -> None:
        raise Conflict("the business is not told of changes")

    def delete(self, account: str, person: str, line: str) -> None:
        raise Conflict("the business is not told of deletions")

    def read(self, account: str, person: str) -> None:
        chat = self._chat(account, person)
        theirs = [line for line in chat.lines if line.is_theirs]
        if not theirs or theirs[-1].state == "read":
            return
        for line in theirs:
            chat.change(line.id, state="read")
        mark = {"sender_id": person, "target": {"recipient_id": OWN}, "last_read_event_id": theirs[-1].id}
        self._mark("dm.read", "direct_message_mark_read_events", chat, mark)

    def set_typing(self, account: str, person: str, typing: bool) -> None:
        chat = self._chat(account, person)
        if typing:
            mark = {"sender_id": person, "target": {"recipient_id": OWN}}
            self._mark("dm.indicate_typing", "direct_message_indicate_typing_events", chat, mark)

    def _mark(self, kind: str, name: str, chat: Chat, mark: dict[str, Any]) -> None:
        now = {"created_timestamp": str(int(clock.now().timestamp() * 1000))}
        self._simulator.happened(kind, {name: [now | mark], "users": self._world.users(chat)})

    def set_blocked(self, account: str, person: str, blocked: bool) -> None:
        """The business is not told; its next message is refused."""
        self._chat(account, person).is_closed = blocked

    def restore(self, account: str, person: str, lines: Sequence[PhoneLine]) -> None:
        chat = self._chat(account, person)
        known = {line.id for line in chat.lines}
        chat.lines[:0] = [line for line in lines if line.id not in known]

    def _chat(self, account: str, person: str) -> Chat:
        if account != OWN:
            raise NotFound("no such account")
        return self._world.chat(person)
