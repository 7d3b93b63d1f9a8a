"""Telegram through a business's own bot. Bot API 10.2 (14 July 2026); what works stands in `README.md`.

Reads top to bottom: capabilities, verify, parse (`payloads.py`), split (`split.py`), send (`send.py`), poll, fetch, setup,
teardown.
"""

import hmac
import json
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote

from httpx import AsyncClient

from hub.connectors.contract import (
    Account,
    Capabilities,
    FileHead,
    FileSink,
    OutboundAction,
    Permit,
    Polled,
    RawRequest,
    Receipt,
    SetupResult,
)
from hub.connectors.errors import (
    AuthFailed,
    ConnectorError,
    CredentialsRejected,
    FileGone,
    FileTooLarge,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    SendError,
    SignatureInvalid,
    TakenElsewhere,
    Unavailable,
)
from hub.connectors.events import Event, OutboundContent
from hub.connectors.http import Answer, download, whole_seconds
from hub.connectors.telegram.api import ask, call
from hub.connectors.telegram.codes import result_of
from hub.connectors.telegram.media import MEDIA
from hub.connectors.telegram.payloads import read_update
from hub.connectors.telegram.reading import Json, a_text
from hub.connectors.telegram.send import receipt_for, request_for
from hub.connectors.telegram.settings import TELEGRAM, TelegramSettings
from hub.connectors.telegram.split import CHOICE, LONGEST_CAPTION, LONGEST_TEXT, split_content
from hub.connectors.telegram.text import ENTITIES
from hub.core.http import AddressDenied

SECRET_HEADER: Final = "x-telegram-bot-api-secret-token"
UPDATES: Final = ("message", "edited_message", "callback_query", "my_chat_member")
"""Always the whole list: leaving it out keeps whatever an earlier program had set (1)."""
MAX_CONNECTIONS: Final = 40
"""Webhook requests at once; Telegram's own default (1)."""
POLL_SECONDS, POLL_LIMIT = 10, 100
"""How long a poll waits for the first update, and how many it brings at most (1)."""
LARGEST_POLL: Final = 16_000_000
"""Bytes of a poll's answer: a hundred long messages that answer long messages."""
LARGEST_FETCH: Final = 20 << 20
"""Bytes of a file that api.telegram.org hands out; servers of one's own have no limit (8)."""
DELETE_HOURS: Final = 48
"""How long a message can be taken back; changing it has no end, and the hub offers both for the same time (7)."""
_REACTIONS: Final = """
❤ 👍 👎 🔥 🥰 👏 😁 🤔 🤯 😱 🤬 😢 🎉 🤩 🤮 💩 🙏 👌 🕊 🤡 🥱 🥴 😍 🐳 ❤‍🔥 🌚 🌭 💯 🤣 ⚡ 🍌 🏆 💔 🤨
😐 🍓 🍾 💋 🖕 😈 😴 😭 🤓 👻 👨‍💻 👀 🎃 🙈 😇 😨 🤝 ✍ 🤗 🫡 🎅 🎄 ☃ 💅 🤪 🗿 🆒 💘 🙉 🦄 😘 💊 🙊 😎
👾 🤷‍♂ 🤷 🤷‍♀ 😡
"""
REACTIONS: Final = tuple(_REACTIONS.split())
"""The emoji of `ReactionTypeEmoji`, which are free for every bot."""


class Telegram:
    connector = "telegram"
    label = "Telegram"
    mark = "tg"
    capabilities = Capabilities(
        max_text=LONGEST_TEXT,
        text_unit="utf16",
        confirms=frozenset(),  # no receipts for bots: `ok:true` means sent, and that is the last word (6)
        reply_window_hours=None,
        address_scope="messenger",
        idempotent_sends=False,
        per_second=30.0,  # over all chats of one bot (9)
        styles=frozenset(ENTITIES),
        media=MEDIA,
        max_caption=LONGEST_CAPTION,
        location=True,
        choice=CHOICE,
        replies=True,
        actions=frozenset({"edit", "delete", "react", "typing"}),
        reactions=REACTIONS,
        edit_hours=DELETE_HOURS,
    )
    settings = TelegramSettings
    keeps_headers: frozenset[str] = frozenset()

    def verify(self, request: RawRequest, account: Account[TelegramSettings]) -> None:
        """Compare the shared secret; Telegram signs nothing (2). Every secret is compared, whichever fits."""
        given = request.headers.get(SECRET_HEADER, "").encode()
        fits = [hmac.compare_digest(given, secret.encode()) for secret in account.webhook_secrets if secret]
        if not any(fits):
            raise SignatureInvalid

    def parse(self, request: RawRequest, account: Account[TelegramSettings]) -> Sequence[Event]:
        return read_update(request)

    def split(self, content: OutboundContent) -> Sequence[OutboundContent]:
        return split_content(content)

    async def send(self, permit: Permit, action: OutboundAction, account: Account[TelegramSettings], http: AsyncClient) -> Receipt:
        permit.spend(action)
        request = request_for(action)
        try:
            result = await call(account, http, request.method, request.parameters, request.files)
        except Rejected as error:
            if not request.settled or request.settled not in error.provider_text.lower():
                raise
            return Receipt(status="sent")
        return receipt_for(action, result)

    async def poll(self, account: Account[TelegramSettings], http: AsyncClient, cursor: str) -> Polled:
        """The cursor is the offset: the number behind the last update we have. After a quiet week numbers start again anywhere (3);
        an offset far beyond them confirms nothing and brings the oldest, whose number is the new cursor."""
        asked = {"timeout": POLL_SECONDS, "limit": POLL_LIMIT, "allowed_updates": list(UPDATES)}
        if cursor:
            asked["offset"] = int(cursor)
        try:
            updates = await ask(account, http, "getUpdates", asked, largest=LARGEST_POLL)
        except AuthFailed as error:
            if error.provider_code == "409":  # another poll of this bot, or a webhook, took over (3)
                raise TakenElsewhere(error.provider_code, error.provider_text) from None
            raise
        if not isinstance(updates, list) or not all(type(_update_id(one)) is int for one in updates):
            raise Unavailable("unreadable_answer")
        bodies = (json.dumps(update, separators=(",", ":")).encode() for update in updates)
        return Polled(
            requests=tuple(RawRequest("POST", {}, body) for body in bodies),
            cursor=str(_update_id(updates[-1]) + 1) if updates else cursor,
        )

    async def fetch(
        self, ref: str, account: Account[TelegramSettings], http: AsyncClient, sink: FileSink, *, size: int | None = None
    ) -> FileHead:
        """getFile for the path, which is good for an hour, then the file. Name and type of the message are better than those of the
        path (8)."""
        if size is not None and size > LARGEST_FETCH and account.settings.base_url == TELEGRAM:
            raise FileTooLarge
        found = await _find_file(account, http, ref)
        path, told = a_text(found, "file_path"), found.get("file_size")
        if not path:
            raise Unavailable("no_path")
        head = FileHead(size=told if type(told) is int else None)
        token = account.settings.bot_token.get_secret_value()
        answer = await download(
            http,
            f"{account.settings.base_url}/file/bot{{token}}/{quote(path)}",
            secrets={"token": token},
            sink=sink,
            seconds=whole_seconds(head.size or size or LARGEST_FETCH),
        )
        if answer.status_code != 200:
            raise _no_file(answer, token)
        return head

    async def setup(self, account: Account[TelegramSettings], callback_url: str | None, http: AsyncClient) -> SetupResult:
        """Besides what the contract names: Rejected with Telegram's words when it does not like our address."""
        me = await _ask_set_up(account, http, "getMe")
        if type(me.get("id")) is not int:
            raise Unavailable("unreadable_answer")
        own_id = str(me["id"])
        if account.own_id not in ("", own_id):
            raise CredentialsRejected("bot_token", reason="another_bot")
        before = a_text(await _ask_set_up(account, http, "getWebhookInfo"), "url")
        if callback_url is None:
            await _ask_set_up(account, http, "deleteWebhook", {"drop_pending_updates": False})
            notes = ["webhook_removed" if before else "polling"]
        else:
            notes = ["webhook_replaced"] if before not in ("", callback_url) else []
            notes += await _set_webhook(account, http, callback_url)
        return SetupResult(
            own_id=own_id,
            address=f"@{a_text(me, 'username') or own_id}",
            title=a_text(me, "first_name"),
            notes=tuple(f"channel.telegram.note.{note}" for note in notes),
        )

    async def teardown(self, account: Account[TelegramSettings], http: AsyncClient) -> None:
        """What waits at Telegram stays there for 24 hours, for whoever connects the bot next."""
        try:
            await _ask_set_up(account, http, "deleteWebhook", {"drop_pending_updates": False})
        except CredentialsRejected:
            return


connector = Telegram()


def _update_id(update: object) -> Any:
    """Its number, as it stands there."""
    return update.get("update_id") if isinstance(update, dict) else None


async def _find_file(account: Account[TelegramSettings], http: AsyncClient, ref: str) -> Json:
    """What Telegram knows of a file. Raises FileTooLarge for one that it does not hand out, else what `ask` raises."""
    try:
        found = await ask(account, http, "getFile", {"file_id": ref})
    except Rejected as error:
        if "file is too big" not in error.provider_text.lower():
            raise
        found = None
    if found is None:
        raise FileTooLarge
    return found if isinstance(found, dict) else {}


def _no_file(answer: Answer, token: str) -> ConnectorError:
    """Why a file did not come that Telegram named a path for. Where that is unclear it is asked for again."""
    if answer.status_code == 404:
        return FileGone()
    try:
        result_of(answer, token)
    except OutcomeUnknown as error:
        return Unavailable(error.provider_code)
    except SendError as error:
        return error
    return Unavailable(str(answer.status_code))


async def _set_webhook(account: Account[TelegramSettings], http: AsyncClient, url: str) -> list[str]:
    """Let Telegram deliver to this address; notes on how far it does. Raises Unavailable when somebody else was faster.

    It drops kinds of update that it does not know in silence, and leaves the list out when all usual ones come, ours among them
    (1): a list that lacks one of ours means that something will not arrive.
    """
    webhook = {
        "url": url,
        "secret_token": account.webhook_secrets[0],
        "max_connections": MAX_CONNECTIONS,
        "allowed_updates": list(UPDATES),
        "drop_pending_updates": False,
    }
    await _ask_set_up(account, http, "setWebhook", webhook)
    after = await _ask_set_up(account, http, "getWebhookInfo")
    if after.get("url") != url:
        raise Unavailable("webhook_differs", "the webhook is not what was asked for")
    allowed = after.get("allowed_updates", UPDATES)
    return [] if isinstance(allowed, list | tuple) and all(kind in allowed for kind in UPDATES) else ["updates_missing"]


async def _ask_set_up(
    account: Account[TelegramSettings], http: AsyncClient, method: str, parameters: dict[str, Any] | None = None
) -> Json:
    """A method of the set-up. Raises CredentialsRejected, Unavailable or Rejected."""
    try:
        result = await ask(account, http, method, parameters or {})
    except AuthFailed as error:
        if error.provider_code == "409":  # two set-ups of this bot at once: the older one ends here (1)
            raise Unavailable(error.provider_code, error.provider_text) from None
        raise CredentialsRejected("bot_token", error.provider_text) from None
    except RateLimited as error:
        raise Unavailable(error.provider_code, error.provider_text) from None
    except Unavailable as error:
        if error.provider_code == AddressDenied.code:
            raise CredentialsRejected("base_url", reason="not_public") from None
        raise
    return result if isinstance(result, dict) else {}
