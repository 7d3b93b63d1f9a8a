"""The customer's side: what a person does on the phone, and what the account is told of it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from hub.core import clock
from hub.core.errors import Conflict, NotFound
from hub.sandbox._graph.delivering import Webhooks, milliseconds
from hub.sandbox._graph.extras import EXTRAS
from hub.sandbox._graph.refusals import Json
from hub.sandbox._graph.world import Page, Thread, World
from hub.sandbox.messengers import Act, PhoneAccount, PhoneChat, PhoneDraft, PhoneFile, PhoneLine, PhonePerson

TYPES: Final = {"voice": "audio", "audio": "audio", "image": "image", "video": "video", "document": "file", "sticker": "image"}
"""What Meta calls each kind of file."""
NAMES: Final = {"❤": "love", "❤️": "love", "😆": "smile", "😮": "wow", "😢": "sad", "😠": "angry", "👍": "like", "👎": "dislike"}
EDITS: Final = 5
"""How often a message can be changed."""


class GraphPhone:
    """People who write to the accounts of one app."""

    def __init__(self, world: World, webhooks: Webhooks) -> None:
        self.can: frozenset[Act] = world.flavour.can
        self.extras: Mapping[str, str] = world.flavour.extras
        self.origin = ""
        """Where the simulator is reached, with a slash at its end; known from the first call."""
        self._world = world
        self._webhooks = webhooks
        self._edits: dict[str, int] = {}

    def accounts(self) -> Sequence[PhoneAccount]:
        return [PhoneAccount(id=page.id, title=page.title, address=page.name) for page in self._world.pages.values()]

    def people(self, account: str) -> Sequence[PhonePerson]:
        return [thread.person for thread in self._world.page(account).threads.values()]

    def add_person(self, account: str, name: str, address: str = "") -> PhonePerson:
        return self._world.add_person(self._world.page(account), name, address)

    def chat(self, account: str, person: str) -> PhoneChat:
        thread = self._world.page(account).thread(person)
        return PhoneChat(lines=tuple(thread.lines), is_blocked=thread.is_blocked, is_typing=thread.is_typing)

    def file(self, account: str, file: str) -> tuple[PhoneFile, bytes]:
        self._world.page(account)
        if file not in self._world.files:
            raise NotFound("no such file")
        return self._world.files[file]

    def write(self, account: str, person: str, draft: PhoneDraft) -> PhoneLine:
        page, thread = self._open(account, person)
        if draft.contact is not None or (draft.place is not None and "place" not in self.can):
            raise Conflict("this app sends no contacts and no places")
        line = PhoneLine(id=self._world.next_mid(), at=draft.at or clock.now(), is_theirs=False, text=draft.text, state="delivered")
        message: Json = {"mid": line.id}
        if draft.text:
            message["text"] = draft.text
        if draft.file is not None:
            kept = self._world.keep_file(draft.file, draft.content)
            line = replace(line, files=(kept,))
            message["attachments"] = [{"type": TYPES[kept.kind], "payload": {"url": self.link(kept)}}]
        elif draft.place is not None:
            latitude, longitude = draft.place
            line = replace(line, place=draft.place)
            payload = {"coordinates": {"lat": latitude, "long": longitude}}
            message["attachments"] = [{"type": "location", "payload": payload}]
        elif not draft.text.strip():
            raise Conflict("there is nothing to send")
        if draft.reply_to:
            line = replace(line, reply_to=thread.line(draft.reply_to).id)
            message["reply_to"] = {"mid": draft.reply_to, "is_self_reply": not thread.line(draft.reply_to).is_theirs}
        self.said(page, thread, line, message)
        return line

    def said(self, page: Page, thread: Thread, line: PhoneLine, message: Json) -> None:
        """The person wrote; the account is told."""
        thread.lines.append(line)
        thread.acted(line.at)
        self._webhooks.event(page, thread, "message", message, line.at)

    def told(self, page: Page, thread: Thread, line: PhoneLine, app_id: str) -> None:
        """The account wrote, through this app or another one: it hears of that, and that it arrived."""
        message: Json = {"mid": line.id, "is_echo": True, "app_id": int(app_id)}
        if line.text:
            message["text"] = line.text
        if line.files:
            message["attachments"] = [{"type": TYPES[one.kind], "payload": {"url": self.link(one)}} for one in line.files]
        self._webhooks.echo(page, thread, message)
        self._webhooks.event(page, thread, "delivery", {"mids": [line.id], "watermark": milliseconds(line.at)})

    def link(self, file: PhoneFile) -> str:
        return f"{self.origin}files/{file.id}"

    def extra(self, account: str, person: str, name: str) -> None:
        if name not in self.extras:
            raise NotFound("no such kind")
        page, thread = self._open(account, person)
        EXTRAS[name](self, self._world, self._webhooks, page, thread)

    def press(self, account: str, person: str, line: str, button: str) -> None:
        """Buttons of a template stay and come as postbacks; quick replies are the person's own message, and go."""
        page, thread = self._open(account, person)
        shown = thread.line(line)
        pressed = next((one for one in shown.buttons if one.id == button and not one.url), None)
        if pressed is None:
            raise NotFound("no such button")
        now = clock.now()
        answer = PhoneLine(id=self._world.next_mid(), at=now, is_theirs=False, text=pressed.label, state="delivered")
        if shown.id in self._world.quick:
            thread.change(replace(shown, buttons=()))
            message = {"mid": answer.id, "text": pressed.label, "quick_reply": {"payload": pressed.id}}
            self.said(page, thread, answer, message)
            return
        thread.lines.append(answer)
        thread.acted(now)
        payload = {} if thread.owner else {"payload": pressed.id}
        self._webhooks.event(page, thread, "postback", {"mid": answer.id, "title": pressed.label, **payload}, now)

    def react(self, account: str, person: str, line: str, emoji: str) -> None:
        page, thread = self._open(account, person)
        thread.change(replace(thread.line(line), reactions=(emoji,) if emoji else ()))
        if emoji:
            told = {"reaction": NAMES.get(emoji, "other"), "emoji": emoji, "action": "react", "mid": line}
            thread.acted(clock.now())
        else:
            told = {"action": "unreact", "mid": line}
        self._webhooks.event(page, thread, "reaction", told)

    def edit(self, account: str, person: str, line: str, text: str) -> None:
        page, thread = self._open(account, person)
        mine = self._mine(thread, line)
        number = self._edits[line] = self._edits.get(line, 0) + 1
        if number > EDITS or not mine.text or not text.strip():
            raise Conflict("only words can be changed, five times")
        thread.change(replace(mine, text=text, is_edited=True))
        self._webhooks.event(page, thread, "message_edit", {"mid": line, "text": text, "num_edit": number})

    def delete(self, account: str, person: str, line: str) -> None:
        page, thread = self._open(account, person)
        thread.change(replace(self._mine(thread, line), text="", files=(), is_deleted=True))
        self._webhooks.event(page, thread, "message", {"mid": line, "is_deleted": True})

    def read(self, account: str, person: str) -> None:
        page, thread = self._open(account, person)
        theirs = [line for line in thread.lines if line.is_theirs]
        if not theirs:
            return
        thread.lines = [replace(line, state="read") if line.is_theirs else line for line in thread.lines]
        by_message: Any = {"mid": theirs[-1].id}
        by_time: Any = {"watermark": milliseconds(clock.now())}
        self._webhooks.event(page, thread, "read", by_message if self._world.flavour.topic == "instagram" else by_time)

    def set_typing(self, account: str, person: str, typing: bool) -> None:
        """Nobody gets to know."""

    def set_blocked(self, account: str, person: str, blocked: bool) -> None:
        """The account is told nothing: its next message is refused."""
        self._world.page(account).thread(person).is_blocked = blocked

    def restore(self, account: str, person: str, lines: Sequence[PhoneLine]) -> None:
        thread = self._world.page(account).thread(person)
        known = {line.id for line in thread.lines}
        thread.lines[:0] = [line for line in lines if line.id not in known]
        wrote: list[datetime] = [line.at for line in thread.lines if not line.is_theirs]
        for at in wrote:
            thread.acted(at)

    def _open(self, account: str, person: str) -> tuple[Page, Thread]:
        page = self._world.page(account)
        thread = page.thread(person)
        if thread.is_blocked:
            raise Conflict("the account is blocked on this phone")
        return page, thread

    def _mine(self, thread: Thread, line: str) -> PhoneLine:
        mine = thread.line(line)
        if mine.is_theirs or mine.is_deleted:
            raise Conflict("only one's own messages can be changed")
        return mine
