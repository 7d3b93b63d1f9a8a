"""Viber through a business's own bot. Viber REST API 7.3 and the creators' documents (2026); see `README.md`.

Reads top to bottom: capabilities, verify, handshake, parse (`payloads.py`), split (`split.py`), send (`send.py`), the welcome,
fetch, check, setup, teardown.
"""

import hashlib
import hmac
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import orjson
from httpx import AsyncClient

from hub.connectors.contract import (
    Account,
    Broadcast,
    Capabilities,
    FileHead,
    FileSink,
    OutboundAction,
    OutboundMessage,
    Permit,
    RawRequest,
    Receipt,
    Reply,
    SetupResult,
)
from hub.connectors.errors import (
    AccountPaused,
    AuthFailed,
    CredentialsRejected,
    FileGone,
    FileTooLarge,
    MalformedPayload,
    RateLimited,
    Rejected,
    SendError,
    SignatureInvalid,
    Unavailable,
)
from hub.connectors.events import ChannelHealth, Event, OutboundContent, Sender
from hub.connectors.http import download, whole_seconds
from hub.connectors.viber.api import ask, call
from hub.connectors.viber.broadcast import MOST_RECEIVERS, body_for_many, read_broadcast
from hub.connectors.viber.payloads import read_callback, who_opens
from hub.connectors.viber.reading import Json, a_text, read_json
from hub.connectors.viber.send import body_for, message_for, receipt_for
from hub.connectors.viber.settings import ViberSettings
from hub.connectors.viber.split import CHOICE, LONGEST_CAPTION, LONGEST_TEXT, MEDIA, split_content
from hub.core.http import AddressDenied

SIGNATURE_HEADER: Final = "x-viber-content-signature"
EVENTS: Final = ("delivered", "seen", "failed", "subscribed", "unsubscribed", "conversation_started")
"""Besides `message`, which always comes."""
LARGEST_FETCH: Final = 200 << 20
"""Bytes of a file that the apps send; what is kept of it the sink decides."""
GONE: Final = frozenset({403, 404, 410})
"""Answers for an address that has run out, after about an hour."""


class Viber:
    connector = "viber"
    label = "Viber"
    mark = "vb"
    capabilities = Capabilities(
        max_text=LONGEST_TEXT,
        text_unit="characters",
        confirms=frozenset({"delivered", "read"}),
        reply_window_hours=None,  # outside a session Viber charges and does not refuse
        address_scope="channel",  # the same person has another id at each bot (A3)
        idempotent_sends=False,
        per_second=20.0,  # ours: no number is published for single messages (A6)
        media=MEDIA,
        max_caption=LONGEST_CAPTION,
        location=True,
        choice=CHOICE,
        contact=True,
        media_by_link=True,
        opt_in_always=True,
        content_review=True,
    )
    settings = ViberSettings
    keeps_headers: frozenset[str] = frozenset()
    most_receivers = MOST_RECEIVERS

    def verify(self, request: RawRequest, account: Account[ViberSettings]) -> None:
        """HMAC-SHA256 over the bytes as they came, keyed with the token (A2)."""
        token = account.settings.auth_token.get_secret_value()
        expected = hmac.new(token.encode(), request.body, hashlib.sha256).hexdigest()
        given = request.headers.get(SIGNATURE_HEADER, "")
        if not token or not hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode()):
            raise SignatureInvalid

    def handshake(self, request: RawRequest, account: Account[ViberSettings]) -> Reply | None:
        """The test of the address, which Viber makes before it answers `set_webhook`. It says nothing and changes nothing, so it is
        answered whatever its signature: a new token signs it before the account has that token."""
        try:
            is_test = read_json(request.body).get("event") == "webhook"
        except MalformedPayload:
            return None
        return Reply(status=200) if is_test else None

    def parse(self, request: RawRequest, account: Account[ViberSettings]) -> Sequence[Event]:
        return read_callback(request)

    def split(self, content: OutboundContent) -> Sequence[OutboundContent]:
        return split_content(content)

    async def send(self, permit: Permit, action: OutboundAction, account: Account[ViberSettings], http: AsyncClient) -> Receipt:
        permit.spend(action)
        return receipt_for(action, await call(account, http, "send_message", body_for(action, account.settings)))

    async def broadcast(
        self, permits: Sequence[Permit], messages: Sequence[OutboundMessage], account: Account[ViberSettings], http: AsyncClient
    ) -> Broadcast:
        for permit, message in zip(permits, messages, strict=True):
            permit.spend(message)
        body = body_for_many(messages, account.settings)
        return read_broadcast(await call(account, http, "broadcast_message", body), body["broadcast_list"])

    def wants_answer(self, request: RawRequest, account: Account[ViberSettings]) -> Sender | None:
        """Somebody opened the chat: only in this answer can they be welcomed before they write (A4)."""
        try:
            return who_opens(request)
        except MalformedPayload:
            return None

    def render_inline(self, permit: Permit, message: OutboundMessage, account: Account[ViberSettings]) -> Reply:
        permit.spend(message)
        body = message_for(message, account.settings)
        return Reply(status=200, body=orjson.dumps(body), media_type="application/json")

    async def fetch(
        self, ref: str, account: Account[ViberSettings], http: AsyncClient, sink: FileSink, *, size: int | None = None
    ) -> FileHead:
        """From the address in the message, without the token."""
        if size is not None and size > LARGEST_FETCH:
            raise FileTooLarge
        answer = await download(http, ref, secrets={}, sink=sink, seconds=whole_seconds(size or LARGEST_FETCH))
        if answer.status_code in GONE:
            raise FileGone
        if answer.status_code == 401:
            raise AuthFailed("401")
        if answer.status_code == 429:
            raise RateLimited(60.0, "429")
        if answer.status_code != 200:
            raise Unavailable(str(answer.status_code))
        mime = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
        return FileHead(mime=mime)

    async def check(self, account: Account[ViberSettings], http: AsyncClient) -> Sequence[Event]:
        """Whether the bot still delivers to somebody, and whether Viber has anything against it."""
        at = datetime.fromtimestamp(time.time(), UTC)
        key = f"health:{at.isoformat()}"
        try:
            webhook = a_text(await _ask_set_up(account, http, "get_account_info", {}), "webhook")
        except AccountPaused as error:
            return [ChannelHealth(key=key, at=at, level="attention", cause=error.cause, text=error.provider_text)]
        if not webhook:
            return [ChannelHealth(key=key, at=at, level="attention", cause="webhook_missing")]
        return [ChannelHealth(key=key, at=at, level="ok", cause="fine")]

    async def setup(self, account: Account[ViberSettings], callback_url: str | None, http: AsyncClient) -> SetupResult:
        if callback_url is None:
            raise Rejected("needs_public_address")
        try:
            me = await _ask_set_up(account, http, "get_account_info", {})
            own_id = a_text(me, "id")
            if not own_id:
                raise Unavailable("unreadable_answer")
            if account.own_id not in ("", own_id):
                raise CredentialsRejected("auth_token", reason="another_bot")
            webhook = {"url": callback_url, "event_types": list(EVENTS), "send_name": True, "send_photo": False}
            await _ask_set_up(account, http, "set_webhook", webhook)
        except AccountPaused as error:
            raise Rejected(error.provider_code, error.provider_text) from None
        notes = ["webhook_replaced"] if a_text(me, "webhook") not in ("", callback_url) else []
        return SetupResult(
            own_id=own_id,
            address=a_text(me, "uri") or own_id,
            title=a_text(me, "name"),
            notes=tuple(f"channel.viber.note.{note}" for note in notes),
        )

    async def teardown(self, account: Account[ViberSettings], http: AsyncClient) -> None:
        try:
            await _ask_set_up(account, http, "set_webhook", {"url": ""})
        except (CredentialsRejected, AccountPaused, Rejected):
            return


connector = Viber()


async def _ask_set_up(account: Account[ViberSettings], http: AsyncClient, method: str, body: Json) -> Json:
    """A method of the set-up. Raises CredentialsRejected, AccountPaused, Unavailable or Rejected."""
    try:
        return await ask(account, http, method, body)
    except AccountPaused:
        raise
    except AuthFailed as error:
        raise CredentialsRejected("auth_token", error.provider_text) from None
    except Unavailable as error:
        if error.provider_code == AddressDenied.code:
            raise CredentialsRejected("base_url", reason="not_public") from None
        raise
    except Rejected:
        raise
    except SendError as error:
        raise Unavailable(error.provider_code, error.provider_text) from None
