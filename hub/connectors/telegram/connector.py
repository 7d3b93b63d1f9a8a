"""Telegram through a business's own bot. Bot API 10.2 (14 July 2026); what works stands in `README.md`.

Reads top to bottom: settings, capabilities, verify, parse (`payloads.py`), split, send (`codes.py`), setup, teardown.
"""

import hmac
import re
from collections.abc import Sequence
from typing import Any, Final

from httpx import URL, AsyncClient, InvalidURL
from pydantic import Field, SecretStr, field_validator

from hub.connectors.contract import (
    Account,
    Capabilities,
    OutboundAction,
    OutboundMessage,
    Permit,
    RawRequest,
    Receipt,
    Settings,
    SetupResult,
)
from hub.connectors.errors import (
    AuthFailed,
    CredentialsRejected,
    MalformedPayload,
    OutcomeUnknown,
    RateLimited,
    SignatureInvalid,
    Unavailable,
    UnsupportedContent,
)
from hub.connectors.events import Event, OutboundContent, Text
from hub.connectors.http import exchange
from hub.connectors.telegram.codes import result_of
from hub.connectors.telegram.payloads import message_id_of, message_key, moment, read_update
from hub.core.http import AddressDenied

LONGEST_TEXT: Final = 4096
"""Counted as entities are, in UTF-16 units (provider file, 12): an emoji is two."""
SECRET_HEADER: Final = "x-telegram-bot-api-secret-token"
UPDATES: Final = ("message", "edited_message", "callback_query", "my_chat_member")
"""Always the whole list: leaving it out keeps whatever an earlier program had set (1)."""
MAX_CONNECTIONS: Final = 40
"""Webhook requests at once; Telegram's own default (1)."""

TOKEN: Final = re.compile(r"[0-9]{1,20}:[A-Za-z0-9_-]{20,100}")
CHAT_ID: Final = re.compile(r"[0-9]{1,20}")


class TelegramSettings(Settings):
    bot_token: SecretStr = Field(title="channel.telegram.bot_token", description="channel.telegram.bot_token.hint")
    base_url: str = Field(
        default="https://api.telegram.org", title="channel.telegram.base_url", description="channel.telegram.base_url.hint"
    )

    @field_validator("bot_token")
    @classmethod
    def _looks_like_a_token(cls, token: SecretStr) -> SecretStr:
        stripped = token.get_secret_value().strip()
        if not TOKEN.fullmatch(stripped):
            raise ValueError("a bot token is digits, a colon and about 35 letters, digits, _ or -")
        return SecretStr(stripped)

    @field_validator("base_url")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        url = url.strip().rstrip("/")
        try:
            parts = URL(url)
        except InvalidURL as error:
            raise ValueError("not an address") from error
        has_server = parts.scheme in ("https", "http") and parts.host and (parts.port or 443) < 2**16
        if not has_server or parts.userinfo or re.search(r"[\s{}?#\\]", url):
            raise ValueError("the address of a Bot API server, like https://api.telegram.org")
        return url


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
        return read_update(request.body)

    def split(self, content: OutboundContent) -> Sequence[OutboundContent]:
        """Parts of at most 4096 units, on line borders, else word borders, never inside a surrogate pair. White space at a
        border is dropped: Telegram drops it at the ends of a message anyway."""
        if not isinstance(content, Text):
            raise UnsupportedContent("no_text")
        if not content.text.strip():
            raise UnsupportedContent("empty_text")
        if _units(content.text) <= LONGEST_TEXT:
            return [content]
        parts = []
        rest = content.text.strip()
        while _units(rest) > LONGEST_TEXT:
            end = _border(rest)
            parts.append(Text(text=rest[:end].rstrip()))
            rest = rest[end:].lstrip()
        return [*parts, Text(text=rest)]

    async def send(self, permit: Permit, action: OutboundAction, account: Account[TelegramSettings], http: AsyncClient) -> Receipt:
        """sendMessage without parse_mode, so that what a person typed arrives as it is."""
        permit.spend(action)
        if not isinstance(action, OutboundMessage):
            raise UnsupportedContent("no_such_action")
        message = action
        answer = await _call(account, http, "sendMessage", _send_message(message))
        try:
            message_id = int(answer["message_id"])
            keys = (message_key(message.address, message_id),) if message_id else ()  # 0 is no key (3)
            return Receipt(status="sent", keys=keys, at=moment(answer["date"]), sequence=message_id)
        except (KeyError, TypeError, ValueError, MalformedPayload):
            unreadable = OutcomeUnknown("unreadable_answer")
        raise unreadable

    async def setup(self, account: Account[TelegramSettings], callback_url: str | None, http: AsyncClient) -> SetupResult:
        """Besides what the contract names: Rejected with Telegram's words when it does not like our address."""
        me = await _ask(account, http, "getMe")
        if type(me.get("id")) is not int:
            raise Unavailable("unreadable_answer")
        own_id = str(me["id"])
        if account.own_id not in ("", own_id):
            raise CredentialsRejected("bot_token", reason="another_bot")
        before = await _ask(account, http, "getWebhookInfo")
        webhook = {
            "url": callback_url,
            "secret_token": account.webhook_secrets[0],
            "max_connections": MAX_CONNECTIONS,
            "allowed_updates": list(UPDATES),
            "drop_pending_updates": False,
        }
        await _ask(account, http, "setWebhook", webhook)
        after = await _ask(account, http, "getWebhookInfo")
        # Telegram drops names it does not know in silence, and leaves the list out when it is the default set, which ours
        # is not (1): so anything but exactly our list means that events would be lost unseen.
        allowed = after.get("allowed_updates")
        if after.get("url") != callback_url or not isinstance(allowed, list) or sorted(map(str, allowed)) != sorted(UPDATES):
            raise Unavailable("webhook_differs", "the webhook is not what was asked for")
        is_replaced = before.get("url") not in ("", None, callback_url)
        return SetupResult(
            own_id=own_id,
            address=f"@{me.get('username', own_id)}",
            title=str(me.get("first_name", "")),
            notes=("channel.telegram.note.webhook_replaced",) if is_replaced else (),
        )

    async def teardown(self, account: Account[TelegramSettings], http: AsyncClient) -> None:
        """What waits at Telegram stays there for 24 hours, for whoever connects the bot next."""
        try:
            await _ask(account, http, "deleteWebhook", {"drop_pending_updates": False})
        except CredentialsRejected:
            return


connector = Telegram()


def _send_message(message: OutboundMessage) -> dict[str, Any]:
    """The request's parameters. Raises UnsupportedContent for what Telegram cannot express."""
    if not isinstance(message.content, Text):
        raise UnsupportedContent("no_text")
    text = message.content.text
    if not text.strip():
        raise UnsupportedContent("empty_text")
    if _units(text) > LONGEST_TEXT:
        raise UnsupportedContent("text_too_long")
    if not CHAT_ID.fullmatch(message.address):
        raise UnsupportedContent("no_chat_id")
    parameters: dict[str, Any] = {"chat_id": int(message.address), "text": text}
    reply_to = message_id_of(message.reply_to_key, message.address) if message.reply_to_key else None
    if reply_to is not None:
        parameters["reply_parameters"] = {"message_id": reply_to, "allow_sending_without_reply": True}
    return parameters


async def _call(account: Account[TelegramSettings], http: AsyncClient, method: str, parameters: dict[str, Any]) -> Any:
    """One method of the Bot API; its result. Raises a SendError."""
    token = account.settings.bot_token.get_secret_value()
    url = f"{account.settings.base_url}/bot{{token}}/{method}"
    return result_of(await exchange(http, "POST", url, secrets={"token": token}, json=parameters), token)


async def _ask(
    account: Account[TelegramSettings], http: AsyncClient, method: str, parameters: dict[str, Any] | None = None
) -> dict[str, Any]:
    """A method of the set-up, where everything may be repeated. Raises CredentialsRejected, Unavailable or Rejected."""
    try:
        result = await _call(account, http, method, parameters or {})
    except AuthFailed as error:
        if error.provider_code == "409":  # two set-ups of this bot at once: the older one ends here (1)
            raise Unavailable(error.provider_code, error.provider_text) from None
        raise CredentialsRejected("bot_token", error.provider_text) from None
    except (RateLimited, OutcomeUnknown) as error:
        raise Unavailable(error.provider_code, error.provider_text) from None
    except Unavailable as error:
        if error.provider_code == AddressDenied.code:
            raise CredentialsRejected("base_url", reason="not_public") from None
        raise
    return result if isinstance(result, dict) else {}


def _units(text: str) -> int:
    """UTF-16 units. UnsupportedContent for text that no provider could be sent: half of a surrogate pair."""
    try:
        return len(text.encode("utf-16-le")) // 2
    except UnicodeEncodeError:
        raise UnsupportedContent("no_unicode") from None


def _border(text: str) -> int:
    """Where to cut a text that is too long and begins with a visible character: at the last line that fits, else the last
    word, else the last character."""
    head = text.encode("utf-16-le")[: LONGEST_TEXT * 2].decode("utf-16-le", "ignore")  # ignores half a pair at the end
    within = text[: len(head) + 1]  # a border right behind the last character that fits counts too
    line = within.rfind("\n")
    if line > 0:
        return line
    word = max((found.start() for found in re.finditer(r"\s", within)), default=0)
    return word or len(head)
