"""The customer's side: what a person does on their phone, and the webhooks that follow."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from hub.core import clock
from hub.core.errors import Conflict, InvalidInput, NotFound
from hub.sandbox.messengers import Act, PhoneAccount, PhoneButton, PhoneChat, PhoneDraft, PhoneFile, PhoneLine, PhonePerson
from hub.sandbox.whatsapp.extras import EXTRAS
from hub.sandbox.whatsapp.webhooks import Webhooks
from hub.sandbox.whatsapp.world import Chat, Line, Number, Person, new_wamid

Json = dict[str, Any]
ACTS: Final[frozenset[Act]] = frozenset(
    {"write", "file", "voice", "place", "contact", "reply", "react", "edit", "delete", "press", "read", "block"}
)


class WhatsAppPhone:
    can = ACTS
    extras: Mapping[str, str] = {name: f"sandbox.whatsapp.{name}" for name in EXTRAS}

    def __init__(self, number: Number, webhooks: Webhooks) -> None:
        self._number = number
        self._webhooks = webhooks

    def accounts(self) -> Sequence[PhoneAccount]:
        return [PhoneAccount(id=self._number.id, title=self._number.name, address=self._number.display)]

    def people(self, account: str) -> Sequence[PhonePerson]:
        self._must_be(account)
        return [_shown_person(chat.person) for chat in self._number.chats.values()]

    def add_person(self, account: str, name: str, address: str = "") -> PhonePerson:
        self._must_be(account)
        return _shown_person(self._number.add_person(name, address))

    def chat(self, account: str, person: str) -> PhoneChat:
        chat = self._chat(account, person)
        is_typing = chat.typing_until is not None and clock.now() < chat.typing_until
        return PhoneChat(lines=tuple(_shown(line) for line in chat.lines), is_blocked=chat.is_blocked, is_typing=is_typing)

    def file(self, account: str, file: str) -> tuple[PhoneFile, bytes]:
        self._must_be(account)
        if file not in self._number.media:
            raise NotFound(f"no file {file}")
        medium = self._number.media[file]
        return medium.file, medium.content

    def write(self, account: str, person: str, draft: PhoneDraft) -> PhoneLine:
        chat = self._chat(account, person)
        if chat.is_blocked:
            raise Conflict("the business is blocked")
        if draft.reply_to:
            chat.line(draft.reply_to)
        kind, said, shown = self._content(draft)
        context = {"from": self._number.phone, "id": draft.reply_to} if draft.reply_to else None
        return _shown(self.say(chat, kind, said, context=context, reply_to=draft.reply_to, at=draft.at, **shown))

    def say(self, chat: Chat, kind: str, said: Any, *, at: Any = None, extra: Json | None = None, **shown: Any) -> Line:
        """A message of the person: on their phone, on its way to the business, and the window opens. `context` and what is in
        `extra` stand beside the message's kind; the rest is what the phone shows."""
        context = shown.pop("context", None)
        line = Line(new_wamid(), at or clock.now(), False, kind, said, state="delivered", **shown)
        chat.lines.append(line)
        chat.wrote_at = line.at
        message = self.frame(chat, line) | {"type": kind, **({} if said is None else {kind: said}), **(extra or {})}
        self._webhooks.messages(chat, [message | ({"context": context} if context else {})])
        return line

    def frame(self, chat: Chat, line: Line) -> Json:
        """Who, which and when."""
        person = chat.person
        number = {} if person.hides_number else {"from": person.phone}
        return number | {"from_user_id": person.bsuid, "id": line.id, "timestamp": str(int(line.at.timestamp()))}

    def extra(self, account: str, person: str, name: str) -> None:
        if name not in EXTRAS:
            raise NotFound(f"no such kind: {name}")
        EXTRAS[name](self, self._webhooks, self._number, self._chat(account, person))

    def press(self, account: str, person: str, line: str, button: str) -> None:
        """A reply button, a row of a list, or a button of a template, which come back in three shapes (5.7)."""
        chat = self._chat(account, person)
        question = chat.line(line)
        pressed = next((one for one in question.buttons if one.id == button), None)
        if pressed is None or pressed.url:
            raise NotFound(f"no button {button}")
        context = {"from": self._number.phone, "id": question.id}
        if question.kind == "template":
            said: Json = {"payload": _payload(question, pressed), "text": pressed.label}
            self.say(chat, "button", said, context=context, text=pressed.label, reply_to=question.id)
            return
        is_row = question.said["interactive"]["type"] == "list"
        kind = "list_reply" if is_row else "button_reply"
        chosen = {"id": pressed.id, "title": pressed.label} | ({"description": pressed.description} if pressed.description else {})
        said = {"type": kind, kind: chosen}
        self.say(chat, "interactive", said, context=context, text=pressed.label, reply_to=question.id)

    def react(self, account: str, person: str, line: str, emoji: str) -> None:
        chat = self._chat(account, person)
        target = chat.line(line)
        target.reactions = {**target.reactions, "person": emoji}
        said = {"message_id": target.id} | ({"emoji": emoji} if emoji else {})
        self._tell(chat, "reaction", said)

    def edit(self, account: str, person: str, line: str, text: str) -> None:
        """Text or the words of a file."""
        chat, mine = self._mine(account, person, line)
        if mine.kind == "text":
            mine.said = {"body": text}
        elif "caption" in mine.said or mine.kind in ("image", "video", "document"):
            mine.said = {**mine.said, "caption": text}
        else:
            raise Conflict("this message cannot be changed")
        mine.text, mine.is_edited = text, True
        changed = {"original_message_id": mine.id, "message": {"type": mine.kind, mine.kind: mine.said}}
        self._tell(chat, "edit", changed)

    def delete(self, account: str, person: str, line: str) -> None:
        chat, mine = self._mine(account, person, line)
        mine.is_deleted, mine.text, mine.files = True, "", ()
        self._tell(chat, "revoke", {"original_message_id": mine.id})

    def read(self, account: str, person: str) -> None:
        chat = self._chat(account, person)
        for line in chat.lines:
            if line.is_theirs and line.state != "read":
                line.state = "read"
                self._webhooks.status(chat, line, "read")

    def set_typing(self, account: str, person: str, typing: bool) -> None:
        raise Conflict("WhatsApp does not tell a business that somebody writes")

    def set_blocked(self, account: str, person: str, blocked: bool) -> None:
        """The business hears nothing of it (13)."""
        self._chat(account, person).is_blocked = blocked

    def restore(self, account: str, person: str, lines: Sequence[PhoneLine]) -> None:
        chat = self._chat(account, person)
        for line in lines:
            said = {"body": line.text} if not line.files else {}
            files: Json = {"files": line.files, "place": line.place, "buttons": line.buttons, "note": line.note}
            chat.lines.append(Line(line.id, line.at, line.is_theirs, "text", said, line.text, reply_to=line.reply_to, **files))
            if not line.is_theirs:
                chat.wrote_at = max(line.at, chat.wrote_at or line.at)

    def _tell(self, chat: Chat, kind: str, said: Json) -> None:
        """What changes an earlier message has an id and a time of its own."""
        frame = self.frame(chat, Line(new_wamid(), clock.now(), False, kind, said))
        self._webhooks.messages(chat, [frame | {"type": kind, kind: said}])

    def _content(self, draft: PhoneDraft) -> tuple[str, Any, Json]:
        """A draft as WhatsApp sends it, and what the phone shows of it."""
        if draft.file is not None:
            return self._file(draft, draft.file)
        if draft.place is not None:
            return "location", {"latitude": draft.place[0], "longitude": draft.place[1]}, {"place": draft.place}
        if draft.contact is not None:
            name, phone = draft.contact
            card = {"name": {"formatted_name": name, "first_name": name.split()[0]}, "phones": [{"phone": phone, "type": "CELL"}]}
            return "contacts", [card], {"text": f"{name} {phone}"}
        if not draft.text.strip():
            raise InvalidInput("a message says something", field="text")
        return "text", {"body": draft.text}, {"text": draft.text}

    def _file(self, draft: PhoneDraft, file: PhoneFile) -> tuple[str, Json, Json]:
        kept = self._number.keep(file.kind, file.name, file.mime, draft.content, is_ours=False)
        kind = "audio" if file.kind == "voice" else file.kind
        said: Json = {"id": kept.id, "mime_type": file.mime}
        if kind == "audio":
            said["voice"] = file.kind == "voice"
        if kind == "document":
            said["filename"] = file.name
        if draft.text and kind in ("image", "video", "document"):
            said["caption"] = draft.text
        return kind, said, {"text": draft.text, "files": (kept,)}

    def _mine(self, account: str, person: str, line: str) -> tuple[Chat, Line]:
        chat = self._chat(account, person)
        mine = chat.line(line)
        if mine.is_theirs or mine.is_deleted:
            raise Conflict("only a message of one's own")
        return chat, mine

    def _chat(self, account: str, person: str) -> Chat:
        self._must_be(account)
        return self._number.chat(person)

    def _must_be(self, account: str) -> None:
        if account != self._number.id:
            raise NotFound(f"no account {account}")


def _payload(question: Line, pressed: PhoneButton) -> str:
    """What the sender put behind a template's button, else its words."""
    index = str(question.buttons.index(pressed))
    for part in question.said["template"].get("components", []):
        if part.get("sub_type") == "quick_reply" and str(part.get("index")) == index:
            return str(part["parameters"][0]["payload"])
    return pressed.label


def _shown_person(person: Person) -> PhonePerson:
    return PhonePerson(id=person.phone, name=person.name, address=person.bsuid if person.hides_number else person.phone)


def _shown(line: Line) -> PhoneLine:
    state: Any = "" if line.is_theirs else line.state
    reactions = tuple(emoji for emoji in line.reactions.values() if emoji)
    return PhoneLine(
        id=line.id,
        at=line.at,
        is_theirs=line.is_theirs,
        text=line.text,
        files=line.files,
        place=line.place,
        buttons=line.buttons,
        reply_to=line.reply_to,
        reactions=reactions,
        state=state,
        is_edited=line.is_edited,
        is_deleted=line.is_deleted,
        note=line.note,
    )
