"""The customer's side of Telegram for the phone page: what every messenger has, done with `doing.py`."""

from collections.abc import Mapping, Sequence
from typing import Final

from hub.core.errors import Conflict, InvalidInput, NotFound
from hub.sandbox.messengers import Act, FileKind, PhoneAccount, PhoneChat, PhoneDraft, PhoneFile, PhoneLine, PhonePerson
from hub.sandbox.telegram import doing, lines
from hub.sandbox.telegram.chats import Chat, Person
from hub.sandbox.telegram.entities import marked, read_typed, text_content
from hub.sandbox.telegram.errors import Refused
from hub.sandbox.telegram.extras import DEEDS
from hub.sandbox.telegram.lines import KEY
from hub.sandbox.telegram.media import MediaKind, Medium, content_of
from hub.sandbox.telegram.wire import Json
from hub.sandbox.telegram.world import Bot, World

_MEDIA: Final[dict[FileKind, MediaKind]] = {
    "image": "photo", "video": "video", "voice": "voice", "audio": "audio", "document": "document", "sticker": "sticker",
}  # fmt: skip
BLOCKED: Final = "blocked"
"""The note of a line that says: from here on the person has blocked the bot."""


class TelegramPhone:
    """Of reactions, deletions, reading and typing in a private chat a bot gets to know nothing (provider file, 5)."""

    can: frozenset[Act] = frozenset({"write", "file", "voice", "place", "contact", "reply", "edit", "press", "block"})
    extras: Mapping[str, str] = {name: f"sandbox.telegram.{name}" for name in DEEDS}

    def __init__(self, world: World) -> None:
        self._world = world

    def accounts(self) -> Sequence[PhoneAccount]:
        return [PhoneAccount(id=str(bot.id), title=bot.name, address=f"@{bot.username}") for bot in self._world.bots.values()]

    def people(self, account: str) -> Sequence[PhonePerson]:
        return [_person(one) for one in self._world.people.values()]

    def add_person(self, account: str, name: str, address: str = "") -> PhonePerson:
        first, _, last = name.partition(" ")
        known = self._world.people.get(_number(address)) if address else None
        person = self._world.create_person(
            first,
            last or None,
            known.username if known else None,
            known.language_code if known else "de",
            _number(address) if address else None,
        )
        return _person(person)

    def chat(self, account: str, person: str) -> PhoneChat:
        return lines.show(*self._chat(account, person))

    def file(self, account: str, file: str) -> tuple[PhoneFile, bytes]:
        found = lines.file_of(self._world.bot(_number(account)), file)
        if found is None:
            raise NotFound("no such file")
        return found

    def write(self, account: str, person: str, draft: PhoneDraft) -> PhoneLine:
        bot, chat = self._chat(account, person)
        at = None if draft.at is None else int(draft.at.timestamp())
        reply_to = _number(draft.reply_to) if draft.reply_to else None
        return lines.line_of(bot, chat, doing.write(bot, chat, _content(bot, draft), at, reply_to))

    def extra(self, account: str, person: str, name: str) -> None:
        DEEDS[name](*self._chat(account, person))

    def press(self, account: str, person: str, line: str, button: str) -> None:
        bot, chat = self._chat(account, person)
        if button.startswith(KEY):
            doing.write(bot, chat, text_content(button.removeprefix(KEY)))
        else:
            doing.press(bot, chat, _number(line), button)

    def react(self, account: str, person: str, line: str, emoji: str) -> None:
        raise Conflict("a bot gets to know of reactions only in groups")

    def edit(self, account: str, person: str, line: str, text: str) -> None:
        plain, marks = read_typed(text)
        doing.edit(*self._chat(account, person), _number(line), plain, marks=marks)

    def delete(self, account: str, person: str, line: str) -> None:
        raise Conflict("a bot gets to know of deletions only in business chats")

    def read(self, account: str, person: str) -> None:
        raise Conflict("a bot gets to know nothing of reading")

    def set_typing(self, account: str, person: str, typing: bool) -> None:
        raise Conflict("a bot gets to know nothing of typing")

    def set_blocked(self, account: str, person: str, blocked: bool) -> None:
        doing.set_blocked(*self._chat(account, person), blocked)

    def restore(self, account: str, person: str, lines: Sequence[PhoneLine]) -> None:
        """A line whose number is not known any more (an empty id) gets a free one near its place: it did appear on the phone."""
        bot, chat = self._chat(account, person)
        said = [line for line in lines if not line.note]
        taken = {int(line.id) for line in said if line.id}
        number, past = 0, []
        for line in said:
            number = int(line.id) if line.id else number + 1
            while not line.id and number in taken:
                number += 1
            taken.add(number)
            past.append(doing.Past(number, int(line.at.timestamp()), line.is_theirs, _remembered(line)))
        doing.restore(bot, chat, past, is_blocked=any(line.note == BLOCKED for line in lines))

    def _chat(self, account: str, person: str) -> tuple[Bot, Chat]:
        return self._world.chat(_number(account), _number(person))


def _number(id_: str) -> int:
    """Telegram's ids are numbers. Raises NotFound for any other."""
    if not id_.isascii() or not id_.isdigit():
        raise NotFound(f"no such id: {id_!r}")
    return int(id_)


def _person(person: Person) -> PhonePerson:
    name = " ".join(part for part in (person.first_name, person.last_name) if part)
    return PhonePerson(id=str(person.id), name=name, address=str(person.id))


def _content(bot: Bot, draft: PhoneDraft) -> Json:
    """The fields of a Message."""
    if draft.place is not None:
        return {"location": {"latitude": draft.place[0], "longitude": draft.place[1]}}
    if draft.contact is not None:
        return {"contact": {"first_name": draft.contact[0], "phone_number": draft.contact[1]}}
    if draft.file is None:
        return text_content(draft.text) if draft.text.startswith("/start") else _marked("text", draft.text)
    kind: MediaKind = "animation" if draft.file.mime == "image/gif" else _MEDIA[draft.file.kind]
    try:
        content = content_of(bot.files, Medium(kind, draft.content, draft.file.name, draft.file.mime))
    except Refused as refused:
        raise InvalidInput(refused.description, field="file") from None
    return content | (_marked("caption", draft.text) if draft.text else {})


def _marked(field: str, text: str) -> Json:
    plain, marks = read_typed(text)
    return marked(field, plain.strip(), marks)


def _remembered(line: PhoneLine) -> Json:
    """Fields of a Message for what an earlier process showed. Of a file its id is enough; of an album the first stands for all."""
    if line.place is not None:
        return {"location": {"latitude": line.place[0], "longitude": line.place[1]}}
    if line.contact is not None:
        return {"contact": {"first_name": line.contact[0], "phone_number": line.contact[1]}}
    if not line.files:
        return text_content(line.text)
    file = line.files[0]
    caption = marked("caption", line.text, ()) if line.text else {}
    return {_MEDIA[file.kind]: {"file_id": file.id} if file.id else {}} | caption
