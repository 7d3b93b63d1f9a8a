"""The people's side: what they do becomes signed callbacks, what the bot sends is shown, fetched and confirmed."""

import asyncio
import hashlib
import hmac
import html
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, Literal
from urllib.parse import quote

import httpx
import orjson

from hub.core import clock, ids
from hub.core.errors import Conflict, NotFound
from hub.sandbox.courier import Courier, Outgoing
from hub.sandbox.messengers import Act, PhoneAccount, PhoneButton, PhoneChat, PhoneDraft, PhoneFile, PhoneLine, PhonePerson
from hub.sandbox.viber.checks import Refused, check_message
from hub.sandbox.viber.world import Bot, Chat, Json, Person, World

Kind = Literal["image", "video", "voice", "audio", "document", "sticker"]
SENT_AS: Final[dict[str, str]] = {"image": "picture", "video": "video"}
SHOWN_AS: Final[dict[str, Kind]] = {"picture": "image", "video": "video", "file": "document"}
LONGEST_TEXT: Final = 7000
HOST: Final = "SN-CHAT-07_"


class ViberPhone:
    can: frozenset[Act] = frozenset({"write", "file", "place", "contact", "press", "read", "block"})
    extras: Mapping[str, str] = {
        "open": "sandbox.extra.viber.open",
        "subscribe": "sandbox.extra.viber.subscribe",
        "sticker": "sandbox.extra.viber.sticker",
        "link": "sandbox.extra.viber.link",
        "media_missing": "sandbox.extra.viber.media_missing",
        "future": "sandbox.extra.viber.future",
    }

    def __init__(self, world: World, courier: Courier, http: httpx.AsyncClient) -> None:
        self.origin = ""
        """Where the sandbox is reached, so that files have an address."""
        self._world = world
        self._courier = courier
        self._http = http
        self._fetching: set[asyncio.Task[None]] = set()

    async def stop(self) -> None:
        for task in self._fetching:
            task.cancel()
        await asyncio.gather(*self._fetching, return_exceptions=True)

    async def settled(self) -> None:
        """Until every file is fetched and every callback delivered."""
        while self._fetching:
            await asyncio.gather(*self._fetching)
        await self._courier.settled()

    # --- what the bot sent

    async def test(self, bot: Bot, url: str) -> int | str:
        body = self._body({"event": "webhook", "message_token": self._world.next_token()})
        try:
            answer = await self._http.post(url, content=body, headers=self._headers(bot, body))
        except httpx.HTTPError as error:
            return type(error).__name__
        return answer.status_code

    def take(self, bot: Bot, person: Person, token: int, message: Json) -> None:
        """Files are fetched by the app; one that is not there fails on the device, after Viber had taken the message."""
        if message["type"] in SHOWN_AS:
            task = asyncio.create_task(self._fetch(bot, person, token, message))
            self._fetching.add(task)
            task.add_done_callback(self._fetching.discard)
            return
        self._show(bot, person, self._line(str(token), message), message)

    async def _fetch(self, bot: Bot, person: Person, token: int, message: Json) -> None:
        try:
            answer = await self._http.get(message["media"])
            is_there = answer.status_code == 200
        except httpx.HTTPError:
            is_there = False
        if not is_there:
            self._tell(bot, person, "failed", message_token=token, desc="media could not be fetched")
            return
        mime = answer.headers.get("content-type", "").partition(";")[0]
        name = message.get("file_name") or message["media"].rpartition("/")[2]
        file = PhoneFile(id=f"t{token}", kind=SHOWN_AS[message["type"]], name=name, mime=mime, size=len(answer.content))
        self._world.keep_file(file, answer.content)
        self._show(bot, person, replace(self._line(str(token), message), files=(file,)), message)

    def _line(self, line: str, message: Json) -> PhoneLine:
        """A message that was taken, as the app shows it."""
        place, contact = message.get("location"), message.get("contact")
        card = f"{contact['name']} {contact['phone_number']}" if contact else ""
        return PhoneLine(
            id=line,
            at=clock.now(),
            is_theirs=True,
            text=message.get("text") or card or (message.get("media", "") if message["type"] == "url" else ""),
            place=(place["lat"], place["lon"]) if place else None,
            buttons=tuple(
                PhoneButton(id=button["ActionBody"], label=html.unescape(button["Text"]))
                for button in message.get("keyboard", {}).get("Buttons", [])
            ),
        )

    def _show(self, bot: Bot, person: Person, line: PhoneLine, message: Json) -> None:
        """The keyboard of an earlier message vanishes with the next one."""
        chat = self._world.chat(bot.id, person.id)
        chat.lines = [replace(one, buttons=()) for one in chat.lines]
        chat.lines.append(line)
        chat.tracking_data = message.get("tracking_data", "")
        chat.unread.append(line.id)
        if line.id.isdigit():
            self._tell(bot, person, "delivered", message_token=int(line.id))

    # --- what people see

    def accounts(self) -> Sequence[PhoneAccount]:
        return [PhoneAccount(id=one.id, title=one.name, address=one.uri) for one in self._world.bots.values()]

    def people(self, account: str) -> Sequence[PhonePerson]:
        self._world.bot(account)
        return [PhonePerson(id=one.id, name=one.name, address=one.id) for one in self._world.people.values()]

    def add_person(self, account: str, name: str, address: str = "") -> PhonePerson:
        self._world.bot(account)
        person = self._world.add_person(name, address)
        return PhonePerson(id=person.id, name=person.name, address=person.id)

    def chat(self, account: str, person: str) -> PhoneChat:
        chat = self._world.chat(account, person)
        return PhoneChat(lines=tuple(chat.lines), is_blocked=bool(chat.lines) and not chat.is_subscribed)

    def file(self, account: str, file: str) -> tuple[PhoneFile, bytes]:
        if file not in self._world.files:
            raise NotFound("no such file")
        return self._world.files[file]

    # --- what people do

    def write(self, account: str, person: str, draft: PhoneDraft) -> PhoneLine:
        bot, somebody, chat = self._ends(account, person)
        if draft.reply_to:
            raise Conflict("the app tells the bot nothing of a reply")
        files: tuple[PhoneFile, ...] = ()
        if draft.place is not None:
            message: Json = {"type": "location", "location": {"lat": draft.place[0], "lon": draft.place[1]}}
        elif draft.contact is not None:
            message = {"type": "contact", "contact": {"name": draft.contact[0], "phone_number": draft.contact[1]}}
        elif draft.file is not None:
            kept = replace(draft.file, id=ids.new_id().hex, size=len(draft.content))
            files = (self._world.keep_file(kept, draft.content),)
            message = self._file_message(kept, draft.text)
        else:
            message = {"type": "text", "text": draft.text}
            if not 0 < len(draft.text) <= LONGEST_TEXT:
                raise Conflict("the app does not send this")
        token = self._message(bot, somebody, chat, message, draft.at)
        line = PhoneLine(
            id=token, at=draft.at or clock.now(), is_theirs=False, text=draft.text, files=files, place=draft.place, state="sent"
        )
        chat.lines.append(line)
        return line

    def _file_message(self, file: PhoneFile, text: str) -> Json:
        """The address is time-limited at Viber; here it is good while the sandbox runs."""
        kind = SENT_AS.get(file.kind, "file")
        media = f"{self.origin}/viber/media/{file.id}/{quote(file.name or 'file')}"
        caption = {"text": text} if text and kind == "picture" else {}
        return {"type": kind, "media": media, "file_name": file.name, "size": file.size, **caption}

    def extra(self, account: str, person: str, name: str) -> None:
        bot, somebody, chat = self._ends(account, person)
        if name not in self.extras:
            raise NotFound("no such kind")
        if name == "open":
            self._open(bot, somebody, chat)
            return
        if name == "subscribe":
            chat.is_subscribed = True
            self._tell(bot, somebody, "subscribed", user=self._user(bot, somebody))
            return
        messages: dict[str, Json] = {
            "sticker": {"type": "sticker", "sticker_id": 40133, "media": f"{self.origin}/viber/media/sticker/40133.png"},
            "link": {"type": "url", "media": "https://radwerk.example/angebot"},
            "media_missing": {"type": "picture", "text": "Slomljene"},
            "future": {"type": "hologram", "text": "von morgen"},
        }
        chat.lines.append(PhoneLine(id=ids.new_id().hex, at=clock.now(), is_theirs=False, note=f"viber.{name}"))
        self._message(bot, somebody, chat, messages[name], None)

    def _open(self, bot: Bot, person: Person, chat: Chat) -> None:
        """Opening a chat subscribes nobody. What the answer holds is shown, if it is a message."""

        def welcome(answer: httpx.Response) -> None:
            if not answer.content:
                return
            try:
                message = orjson.loads(answer.content)
                check_message(message, len(answer.content))
            except (orjson.JSONDecodeError, Refused):
                chat.lines.append(PhoneLine(id=ids.new_id().hex, at=clock.now(), is_theirs=True, note="viber.welcome_refused"))
                return
            self._show(bot, person, self._line(f"w{ids.new_id().hex}", message), message)

        told: Json = {"type": "open", "user": self._user(bot, person), "subscribed": chat.is_subscribed}
        self._tell(bot, person, "conversation_started", answered=welcome, **told)

    def press(self, account: str, person: str, line: str, button: str) -> None:
        """A press is a text: the words that the button brings back."""
        bot, somebody, chat = self._ends(account, person)
        if all(one.id != button for one in chat.line(line).buttons):
            raise NotFound("no such button")
        token = self._message(bot, somebody, chat, {"type": "text", "text": button}, None)
        chat.lines.append(PhoneLine(id=token, at=clock.now(), is_theirs=False, text=button, state="sent"))

    def react(self, account: str, person: str, line: str, emoji: str) -> None:
        raise Conflict("the bot is told nothing of reactions")

    def edit(self, account: str, person: str, line: str, text: str) -> None:
        raise Conflict("the bot is told nothing of changes")

    def delete(self, account: str, person: str, line: str) -> None:
        raise Conflict("the bot is told nothing of deletions")

    def set_typing(self, account: str, person: str, typing: bool) -> None:
        raise Conflict("the bot is told nothing of typing")

    def read(self, account: str, person: str) -> None:
        """Once, for the newest, however many were unread."""
        bot, somebody, chat = self._ends(account, person)
        unread, chat.unread = [line for line in chat.unread if line.isdigit()], []
        if unread:
            self._tell(bot, somebody, "seen", message_token=int(unread[-1]))

    def set_blocked(self, account: str, person: str, blocked: bool) -> None:
        """Unsubscribing; the way back is to write, or to subscribe again."""
        bot, somebody, chat = self._ends(account, person)
        if chat.is_subscribed == (not blocked):
            return
        chat.is_subscribed = not blocked
        if blocked:
            self._tell(bot, somebody, "unsubscribed")
        else:
            self._tell(bot, somebody, "subscribed", user=self._user(bot, somebody))

    def restore(self, account: str, person: str, lines: Sequence[PhoneLine]) -> None:
        chat = self._world.chat(account, person)
        chat.lines, chat.is_subscribed = list(lines), True

    # --- on the way to the hub

    def _ends(self, account: str, person: str) -> tuple[Bot, Person, Chat]:
        return self._world.bot(account), self._world.person(person), self._world.chat(account, person)

    def _user(self, bot: Bot, person: Person) -> Json:
        """The name only for a bot that asked for it."""
        named = {"name": person.name} if bot.wants_names else {}
        return {"id": person.id, **named, "language": person.language, "country": "DE", "api_version": 10}

    def _message(self, bot: Bot, person: Person, chat: Chat, message: Json, at: datetime | None) -> str:
        """The first message subscribes, without an event of its own. What the bot gave along comes back."""
        chat.is_subscribed, chat.unanswered = True, 0
        given = {"tracking_data": chat.tracking_data} if chat.tracking_data else {}
        token = self._world.next_token()
        told = {"sender": self._user(bot, person), "message": {**message, **given}, "silent": False}
        self._tell(bot, person, "message", message_token=token, at=at, **told)
        return str(token)

    def _tell(
        self,
        bot: Bot,
        person: Person,
        event: str,
        *,
        message_token: int = 0,
        at: datetime | None = None,
        answered: Any = None,
        **fields: Any,
    ) -> None:
        """A callback, if the bot has an address and wants this event. Statuses and opt-outs name only the id."""
        if not bot.webhook or (event != "message" and event not in bot.events):
            return
        about = {} if "user" in fields or "sender" in fields else {"user_id": person.id}
        told = {"event": event, "message_token": message_token or self._world.next_token(), **about, **fields}
        body = self._body(told, at)
        self._courier.send(Outgoing(bot.webhook, body, self._headers(bot, body), answered), queue=person.id)

    def _body(self, told: Json, at: datetime | None = None) -> bytes:
        moment = int((at or clock.now()).timestamp() * 1000)
        return orjson.dumps({**told, "timestamp": moment, "chat_hostname": HOST})

    def _headers(self, bot: Bot, body: bytes) -> dict[str, str]:
        signature = hmac.new(bot.token.encode(), body, hashlib.sha256).hexdigest()
        return {"content-type": "application/json", "x-viber-content-signature": signature}
