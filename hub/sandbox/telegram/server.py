"""The Bot API over HTTP: `/bot<token>/<method>`. Plain ASGI.

Parameters come as query, form, multipart or JSON; the real server turns all of them into texts first, and so does this one.
What a real server knows and this one does not (`parse_mode`, media) is answered 501, never silently done otherwise.
"""

import asyncio
import json
import re
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, Final

import httpx
from starlette.datastructures import UploadFile
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from hub.core import clock
from hub.sandbox.telegram.faults import Fault
from hub.sandbox.telegram.webhook import Address, Options, Webhook
from hub.sandbox.telegram.world import (
    DEFAULT_UPDATES,
    TOKEN,
    TYPING_LIFE,
    UPDATE_KINDS,
    Bot,
    Chat,
    Entry,
    Json,
    State,
    Update,
    World,
    dump,
    known_updates,
    text_content,
    unix_now,
    utf16,
)

LONGEST_TEXT: Final = 4096
LONGEST_BODY: Final = 10_000_000
LONGEST_POLL: Final = 50
LONGEST_CALLBACK_TEXT: Final = 200
DELETABLE_SECONDS: Final = 48 * 3600
HANG_SECONDS: Final = 60.0
SLOW_SECONDS: Final = 3.0
PORTS: Final = (443, 80, 88, 8443)
ACTIONS: Final = frozenset({
    "cancel", "typing", "record_video", "upload_video", "record_audio", "record_voice", "upload_audio", "upload_voice",
    "upload_photo", "upload_document", "choose_sticker", "pick_up_location", "find_location", "record_video_note",
    "upload_video_note",
})  # fmt: skip
_REACTIONS: Final = """
❤ 👍 👎 🔥 🥰 👏 😁 🤔 🤯 😱 🤬 😢 🎉 🤩 🤮 💩 🙏 👌 🕊 🤡 🥱 🥴 😍 🐳 ❤‍🔥 🌚 🌭 💯 🤣 ⚡ 🍌 🏆 💔 🤨 😐 🍓
🍾 💋 🖕 😈 😴 😭 🤓 👻 👨‍💻 👀 🎃 🙈 😇 😨 🤝 ✍ 🤗 🫡 🎅 🎄 ☃ 💅 🤪 🗿 🆒 💘 🙉 🦄 😘 💊 🙊 😎 👾 🤷‍♂ 🤷 🤷‍♀ 😡
"""
REACTIONS: Final = frozenset(_REACTIONS.split())

CONFLICT_WEBHOOK: Final = (
    "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
)
CONFLICT_SET_WEBHOOK: Final = "Conflict: terminated by setWebhook request"
CONFLICT_GET_UPDATES: Final = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
NOT_MODIFIED: Final = (
    "message is not modified: specified new message content and reply markup are exactly the same as a current content and "
    "reply markup of the message"
)
QUERY_TOO_OLD: Final = "query is too old and response timeout expired or query ID is invalid"


class Refused(Exception):
    """An answer that is not ok."""

    def __init__(self, code: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.parameters = parameters


class _Cut(Exception):
    """Done, but nobody gets to know."""

    def __init__(self, after: float) -> None:
        super().__init__()
        self.after = after


class Done:
    """An answer that is ok."""

    def __init__(self, result: object, description: str = "") -> None:
        self.result = result
        self.description = description


class Arguments:
    """The parameters of a call, all texts, as the real server sees them."""

    def __init__(self, values: dict[str, str], files: frozenset[str] = frozenset()) -> None:
        self._values = values
        self.files = files
        """Names of uploaded parts."""

    @classmethod
    def of_json(cls, body: Json) -> "Arguments":
        """From a JSON object: numbers, booleans and nested objects become texts; null is absent."""
        texts = {}
        for name, value in body.items():
            if value is not None:
                texts[name] = value if isinstance(value, str) else dump(value)
        return cls(texts)

    def has(self, name: str) -> bool:
        return name in self._values

    def text(self, name: str) -> str:
        return self._values.get(name, "")

    def integer(self, name: str, default: int = 0, low: int = -(2**31), high: int = 2**31 - 1) -> int:
        """A whole number moved into its limits; 0 for a text that is none."""
        text = self.text(name).strip()
        value = default if not text else int(text) if re.fullmatch(r"[+-]?[0-9]{1,19}", text) else 0
        return min(max(value, low), high)

    def boolean(self, name: str) -> bool:
        return self.text(name).strip().lower() in ("true", "yes", "1")

    def json(self, name: str, refusal: str) -> Any:
        """The value of nested JSON, None when it is absent. Raises Refused with this text."""
        if not self.text(name):
            return None
        try:
            return json.loads(self.text(name))
        except ValueError:
            raise Refused(400, f"Bad Request: {refusal}") from None


class TelegramServer:
    """The simulated api.telegram.org."""

    def __init__(self, world: World, options: Options, http: httpx.AsyncClient) -> None:
        """`http` carries updates to webhooks; closed by whoever made it."""
        self._world = world
        self._options = options
        self._http = http
        self._polls: dict[int, asyncio.Future[str]] = {}
        self._next_set_webhook: dict[int, float] = {}
        self._methods: dict[str, Callable[[Bot, Arguments], Awaitable[Done]]] = {
            "getme": self._get_me,
            "setwebhook": self._set_webhook,
            "deletewebhook": self._delete_webhook,
            "getwebhookinfo": self._get_webhook_info,
            "getupdates": self._get_updates,
            "sendmessage": self._send_message,
            "sendchataction": self._send_chat_action,
            "editmessagetext": self._edit_message_text,
            "deletemessage": self._delete_message,
            "answercallbackquery": self._answer_callback_query,
            "setmessagereaction": self._set_message_reaction,
        }

    async def stop(self) -> None:
        """End deliveries and open polls."""
        for poll in self._polls.values():
            poll.cancel()
        for bot in self._world.bots.values():
            if bot.webhook is not None:
                await bot.webhook.stop()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            response = await self._answer(request)
        except ClientDisconnect:
            return
        except _Cut as cut:
            await _hang_up(receive, send, cut.after)
            return
        await response(scope, receive, send)

    async def run(self, bot: Bot, method: str, arguments: Arguments) -> Done:
        """Execute a method (name in lower case) with the faults of the bot. Raises Refused."""
        handler = self._methods.get(method)
        if handler is None:
            raise Refused(404, "Not Found: method not found")
        _fail(bot, method)
        slow = bot.faults.take("slow", method)
        lost = bot.faults.take("lost_answer", method)
        done = await handler(bot, arguments)
        if slow is not None:
            await asyncio.sleep(SLOW_SECONDS if slow.delay is None else slow.delay)
        if lost is not None:
            raise _Cut(HANG_SECONDS if lost.delay is None else lost.delay)
        return done

    async def _answer(self, request: Request) -> Response:
        try:
            token, _, method = request.url.path.removeprefix("/bot").partition("/")
            if request.method not in ("GET", "POST") or not TOKEN.fullmatch(token):
                raise Refused(404, "Not Found")
            bot = self._world.by_token(token)
            if bot is None:
                raise Refused(401, "Unauthorized")
            done = await self.run(bot, method.lower(), await _arguments(request))
        except Refused as refused:
            body: Json = {"ok": False, "error_code": refused.code, "description": refused.description}
            headers = {}
            if refused.parameters:
                body["parameters"] = refused.parameters
                headers = {"retry-after": str(wait)} if (wait := refused.parameters.get("retry_after")) else {}
            return Response(dump(body), refused.code, headers, "application/json")
        body = {"ok": True, "result": done.result}
        if done.description:
            body["description"] = done.description
        return Response(dump(body), 200, media_type="application/json")

    # account and webhook

    async def _get_me(self, bot: Bot, arguments: Arguments) -> Done:
        return Done(
            bot.as_user()
            | {
                "can_join_groups": True,
                "can_read_all_group_messages": False,
                "supports_inline_queries": False,
                "can_connect_to_business": True,
                "has_main_web_app": False,
            }
        )

    async def _set_webhook(self, bot: Bot, arguments: Arguments) -> Done:
        url = arguments.text("url").strip()
        if not url:
            return await self._delete_webhook(bot, arguments)
        now = time.monotonic()
        if now < self._next_set_webhook.get(bot.id, 0):
            raise _too_many(1)
        self._next_set_webhook[bot.id] = now + self._options.set_webhook_interval
        address = Address(
            url,
            arguments.text("secret_token"),
            arguments.integer("max_connections", 40, 1, 100_000 if self._options.is_local else 100),
            arguments.text("ip_address"),
            "certificate" in arguments.files,
        )
        is_same = bot.webhook is not None and bot.webhook.address == address and not address.has_certificate
        if is_same and not arguments.boolean("drop_pending_updates"):
            _allow_updates(bot, arguments)
            return Done(True, "Webhook is already set")
        self._check(address)
        if arguments.boolean("drop_pending_updates"):
            bot.drop_pending()
        _allow_updates(bot, arguments)
        self._end_poll(bot, CONFLICT_SET_WEBHOOK)
        if bot.webhook is not None:
            await bot.webhook.stop()

        async def run(method: str, body: Json) -> None:
            await self._run_quietly(bot, method, Arguments.of_json(body))

        bot.webhook = Webhook(bot, address, self._options, self._http, run)
        return Done(True, "Webhook was set")

    def _check(self, address: Address) -> None:
        if len(address.secret_token) > 256:
            raise Refused(400, "Bad Request: secret token is too long")
        if not re.fullmatch(r"[A-Za-z0-9_-]*", address.secret_token):
            raise Refused(400, "Bad Request: secret token contains unallowed characters")
        try:
            url = httpx.URL(address.url if "://" in address.url else f"https://{address.url}")
        except httpx.InvalidURL:
            url = httpx.URL("")
        if url.scheme not in ("https", "http") or not url.host:
            raise Refused(400, "Bad Request: invalid webhook URL specified")
        if self._options.is_local:
            return
        if url.scheme != "https":
            raise Refused(400, "Bad Request: bad webhook: An HTTPS URL must be provided for webhook")
        if (url.port or 443) not in PORTS:
            raise Refused(400, "Bad Request: bad webhook: Webhook can be set up only on ports 80, 88, 443 or 8443")

    async def _delete_webhook(self, bot: Bot, arguments: Arguments) -> Done:
        if arguments.boolean("drop_pending_updates"):
            bot.drop_pending()
        if bot.webhook is None:
            return Done(True, "Webhook is already deleted")
        webhook, bot.webhook = bot.webhook, None
        await webhook.stop()
        return Done(True, "Webhook was deleted")

    async def _get_webhook_info(self, bot: Bot, arguments: Arguments) -> Done:
        return Done(webhook_info(bot))

    async def _run_quietly(self, bot: Bot, method: str, arguments: Arguments) -> None:
        """A method that the webhook's answer asked for: nobody hears what becomes of it."""
        try:
            await self.run(bot, method, arguments)
        except (Refused, _Cut):
            return

    async def _get_updates(self, bot: Bot, arguments: Arguments) -> Done:
        if bot.webhook is not None:
            raise Refused(409, CONFLICT_WEBHOOK)
        _allow_updates(bot, arguments)
        offset = arguments.integer("offset")
        limit = arguments.integer("limit", 100, 1, 100)
        timeout = arguments.integer("timeout", 0, 0, LONGEST_POLL)
        self._end_poll(bot, CONFLICT_GET_UPDATES)
        waiting = bot.live_pending()
        confirmed = waiting[:offset] if offset < 0 else [update for update in waiting if update.id < offset]
        for update in confirmed:
            bot.settle(update, State.ACCEPTED)
        if not bot.pending and timeout:
            await self._wait_for_update(bot, timeout)
        return Done([update.as_json() for update in bot.live_pending()[:limit]])

    async def _wait_for_update(self, bot: Bot, seconds: int) -> None:
        """Until there is an update or the time is over. Raises Refused when another call took this one's place."""
        poll: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._polls[bot.id] = poll

        def arrived(_: Update) -> None:
            if not poll.done():
                poll.set_result("")

        bot.on_update = arrived
        try:
            conflict = await asyncio.wait_for(poll, seconds)
        except TimeoutError:
            conflict = ""
        finally:
            if self._polls.get(bot.id) is poll:
                del self._polls[bot.id]
                bot.on_update = None
        if conflict:
            raise Refused(409, conflict)

    def _end_poll(self, bot: Bot, why: str) -> None:
        poll = self._polls.pop(bot.id, None)
        if poll is not None and not poll.done():
            poll.set_result(why)

    # messages

    async def _send_message(self, bot: Bot, arguments: Arguments) -> Done:
        text = _text(arguments)
        reply_to, may_miss = _reply(arguments)
        reply_markup = _reply_markup(arguments)
        chat = self._writable_chat(bot, arguments)
        original = chat.find(reply_to) if reply_to else None
        if reply_to and original is None and not may_miss:
            raise Refused(400, "Bad Request: message to be replied not found")
        return Done(bot.say(chat, text_content(text), reply_to=original, reply_markup=reply_markup))

    async def _send_chat_action(self, bot: Bot, arguments: Arguments) -> Done:
        action = arguments.text("action").lower()
        if action not in ACTIONS:
            raise Refused(400, "Bad Request: wrong parameter action in request")
        chat = self._writable_chat(bot, arguments)
        chat.typing_until = None if action == "cancel" else clock.now() + TYPING_LIFE
        return Done(True)

    async def _edit_message_text(self, bot: Bot, arguments: Arguments) -> Done:
        content = text_content(_text(arguments))
        reply_markup = _reply_markup(arguments) or {}
        _, entry, message = self._message(bot, arguments, "message to edit")
        if not entry.from_bot or "text" not in message:
            raise Refused(400, "Bad Request: message can't be edited")
        if message["text"] == content["text"] and message.get("reply_markup", {}) == reply_markup:
            raise Refused(400, f"Bad Request: {NOT_MODIFIED}")
        for name in ("text", "entities", "reply_markup"):
            message.pop(name, None)
        message |= {"edit_date": unix_now()} | content
        if "inline_keyboard" in reply_markup:
            message["reply_markup"] = reply_markup
        return Done(message)

    async def _delete_message(self, bot: Bot, arguments: Arguments) -> Done:
        if not arguments.text("chat_id"):
            raise Refused(400, "Bad Request: chat identifier is not specified")
        if arguments.integer("message_id") <= 0:
            raise Refused(400, "Bad Request: message identifier is not specified")
        _, entry, message = self._message(bot, arguments, "message to delete")
        if unix_now() - message["date"] > DELETABLE_SECONDS:
            raise Refused(400, "Bad Request: message can't be deleted for everyone")
        entry.is_deleted = True
        return Done(True)

    async def _answer_callback_query(self, bot: Bot, arguments: Arguments) -> Done:
        text = arguments.text("text")
        if utf16(text) > LONGEST_CALLBACK_TEXT:
            raise Refused(400, "Bad Request: MESSAGE_TOO_LONG")
        person_id, ends_at = bot.open_queries.pop(arguments.text("callback_query_id"), (0, clock.now()))
        if ends_at <= clock.now():
            raise Refused(400, f"Bad Request: {QUERY_TOO_OLD}")
        if text:
            bot.chats[person_id].add(Entry(unix_now(), from_bot=True, event="answer", text=text))
        return Done(True)

    async def _set_message_reaction(self, bot: Bot, arguments: Arguments) -> Done:
        reactions = arguments.json("reaction", "can't parse reaction types JSON object") or []
        if not isinstance(reactions, list):
            raise Refused(400, "Bad Request: expected an Array of ReactionType")
        _, entry, _message = self._message(bot, arguments, "message to react")
        if len(reactions) > 1:
            raise Refused(400, "Bad Request: REACTIONS_TOO_MANY")
        emoji = reactions[0].get("emoji") if reactions and isinstance(reactions[0], dict) else None
        if reactions and emoji not in REACTIONS:
            raise Refused(400, "Bad Request: REACTION_INVALID")
        entry.reaction = emoji
        return Done(True)

    def _chat(self, bot: Bot, arguments: Arguments) -> Chat:
        if not arguments.text("chat_id"):
            raise Refused(400, "Bad Request: chat_id is empty")
        person = self._world.people.get(arguments.integer("chat_id", high=2**52))
        if person is None:
            raise Refused(400, "Bad Request: chat not found")
        return bot.chat(person)

    def _writable_chat(self, bot: Bot, arguments: Arguments) -> Chat:
        chat = self._chat(bot, arguments)
        if not chat.is_open:
            raise Refused(403, "Forbidden: bot can't initiate conversation with a user")
        if chat.is_blocked:
            raise _blocked()
        return chat

    def _message(self, bot: Bot, arguments: Arguments, what: str) -> tuple[Chat, Entry, Json]:
        chat = self._chat(bot, arguments)
        entry = chat.find(arguments.integer("message_id"))
        if entry is None or entry.message is None:
            raise Refused(400, f"Bad Request: {what} not found")
        return chat, entry, entry.message


def webhook_info(bot: Bot) -> Json:
    """WebhookInfo of the Bot API. `allowed_updates` is left out for the default set."""
    info: Json = {"url": "", "has_custom_certificate": False, "pending_update_count": len(bot.live_pending())}
    if bot.webhook is not None:
        address = bot.webhook.address
        info |= {"url": address.url, "has_custom_certificate": address.has_certificate}
        if bot.webhook.last_error is not None:
            info["last_error_date"], info["last_error_message"] = bot.webhook.last_error
        info |= {"max_connections": address.max_connections, "ip_address": address.ip_address or "<unknown>"}
    if bot.allowed_updates != DEFAULT_UPDATES:
        info["allowed_updates"] = [kind for kind in UPDATE_KINDS if kind in bot.allowed_updates]
    return info


def _allow_updates(bot: Bot, arguments: Arguments) -> None:
    """Never refuses. Absent or not a list of texts: the set stays; empty, or nothing known in it: the default set."""
    try:
        names = json.loads(arguments.text("allowed_updates"))
    except ValueError:
        return
    if isinstance(names, list) and all(isinstance(name, str) for name in names):
        bot.allowed_updates = known_updates(names)


def _fail(bot: Bot, method: str) -> None:
    """The faults that keep a call from being done."""
    limited = bot.faults.take("rate_limited", method)
    if limited is not None:
        raise _too_many(limited.wait())
    broken: Fault | None = bot.faults.take("server_error", method)
    if broken is not None:
        raise Refused(broken.status, HTTPStatus(broken.status).phrase)
    if method.startswith("send") and bot.faults.take("blocked", method):
        raise _blocked()


def _too_many(seconds: int) -> Refused:
    return Refused(429, f"Too Many Requests: retry after {seconds}", retry_after=seconds)


def _blocked() -> Refused:
    return Refused(403, "Forbidden: bot was blocked by the user")


def _text(arguments: Arguments) -> str:
    text = arguments.text("text")
    if arguments.text("parse_mode"):
        raise Refused(501, "Not Implemented: the simulator does not know parse_mode")
    if not text:
        raise Refused(400, "Bad Request: message text is empty")
    if not text.strip():
        raise Refused(400, "Bad Request: text must be non-empty")
    if utf16(text.strip()) > LONGEST_TEXT:
        raise Refused(400, "Bad Request: message is too long")
    return text


def _reply(arguments: Arguments) -> tuple[int, bool]:
    """The message that is replied to (0: none), and whether the answer may go out without it."""
    given = arguments.json("reply_parameters", "can't parse reply parameters JSON object")
    if given is None:
        return arguments.integer("reply_to_message_id"), arguments.boolean("allow_sending_without_reply")
    if not isinstance(given, dict):
        raise Refused(400, "Bad Request: object expected as reply parameters")
    message_id = given.get("message_id", 0)
    return message_id if isinstance(message_id, int) else 0, given.get("allow_sending_without_reply") is True


def _reply_markup(arguments: Arguments) -> Json | None:
    markup = arguments.json("reply_markup", "can't parse reply keyboard markup JSON object")
    if markup is not None and not isinstance(markup, dict):
        raise Refused(400, "Bad Request: object expected as reply markup")
    rows = (markup or {}).get("inline_keyboard", [])
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise Refused(400, 'Bad Request: field "inline_keyboard" of the InlineKeyboardMarkup must be an Array of Arrays')
    for button in (button for row in rows for button in row):
        if not isinstance(button, dict) or not isinstance(button.get("text"), str):
            raise Refused(400, "Bad Request: can't parse inline keyboard button")
        data = button.get("callback_data")
        if data is not None and not (isinstance(data, str) and 1 <= len(data.encode()) <= 64):
            raise Refused(400, "Bad Request: BUTTON_DATA_INVALID")
    return markup


async def _arguments(request: Request) -> Arguments:
    """All parameters of a request; those of the body win over those of the address."""
    values = dict(request.query_params)
    if request.method == "GET":
        return Arguments(values)
    if int(request.headers.get("content-length") or 0) > LONGEST_BODY:
        raise Refused(413, "Request Entity Too Large")
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    files: set[str] = set()
    if kind == "application/json":
        try:
            body = json.loads(await request.body() or b"{}")
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict):
            raise Refused(400, "Bad Request: can't parse request: can't parse JSON object")
        return Arguments(values | Arguments.of_json(body)._values)
    if kind in ("application/x-www-form-urlencoded", "multipart/form-data"):
        async with request.form() as form:
            for name, value in form.multi_items():
                if isinstance(value, UploadFile):
                    files.add(name)
                else:
                    values[name] = value
    return Arguments(values, frozenset(files))


async def _hang_up(receive: Receive, send: Send, seconds: float) -> None:
    """Say nothing for so long, then break off in the middle of an answer; or nothing at all when the caller gave up before."""

    async def gone() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    try:
        await asyncio.wait_for(gone(), seconds)
    except TimeoutError:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")]})
