"""Threema through a business's own Gateway ID. Threema Message API (2026) and its end-to-end documents; see `README.md`.

Reads top to bottom: capabilities, verify, parse (`payloads.py`), split (`split.py`), send (`send.py`), fetch, keys, look-ups,
check, setup, teardown.
"""

import hmac
import re
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from httpx import AsyncClient

from hub.connectors.contract import (
    Account,
    Capabilities,
    FileHead,
    FileSink,
    OutboundAction,
    OutboundMessage,
    Permit,
    RawRequest,
    Receipt,
    SetupResult,
)
from hub.connectors.errors import (
    AuthFailed,
    CredentialsRejected,
    FileGone,
    FileTooLarge,
    MalformedPayload,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    SignatureInvalid,
    Unavailable,
    Unreachable,
    UnsupportedContent,
)
from hub.connectors.events import ChannelHealth, Event, OutboundContent, Sender
from hub.connectors.http import download, whole_seconds
from hub.connectors.phones import read_phone
from hub.connectors.threema.api import address_of, ask, post
from hub.connectors.threema.callback import code_of, read_callback, read_fields
from hub.connectors.threema.codes import error_of
from hub.connectors.threema.crypt import TAG_BYTES, DoesNotOpen, Lock, box_between, email_hash, phone_hash, public_of, seal
from hub.connectors.threema.media import read_ref
from hub.connectors.threema.payloads import message_key, read_delivery
from hub.connectors.threema.send import REACTIONS, THREEMA_ID, container_of, parcel_for, text_of_message
from hub.connectors.threema.settings import KEY, ThreemaSettings
from hub.connectors.threema.split import LONGEST_CAPTION, LONGEST_TEXT, MEDIA, split_content
from hub.core.http import AddressDenied

MESSAGE_ID: Final = re.compile(r"[0-9a-f]{16}")
MAIL: Final = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")
LARGEST_FETCH: Final = 50 << 20
"""Bytes of a file that the apps send (provider file, 7)."""
PIECE: Final = 1 << 16
FEW_CREDITS: Final = 100
"""Ours: at fewer somebody should buy more."""


class Threema:
    connector = "threema"
    label = "Threema"
    mark = "th"
    capabilities = Capabilities(
        max_text=LONGEST_TEXT,
        text_unit="utf8",
        confirms=frozenset({"delivered", "read"}),
        reply_window_hours=None,
        address_scope="messenger",
        idempotent_sends=False,
        per_second=10.0,  # ours: Threema publishes no limit
        media=MEDIA,
        max_caption=LONGEST_CAPTION,
        location=True,
        actions=frozenset({"react"}),
        reactions=tuple(REACTIONS),
    )
    settings = ThreemaSettings
    keeps_headers: frozenset[str] = frozenset()

    def verify(self, request: RawRequest, account: Account[ThreemaSettings]) -> None:
        """Compare the code over the form's fields with the one made of the API secret, and the recipient with this account."""
        secret = account.settings.api_secret.get_secret_value()
        try:
            fields = read_fields(request.body)
            code = code_of(fields, secret)
        except MalformedPayload:
            raise SignatureInvalid from None
        fits = hmac.compare_digest(fields.get("mac", "").encode("utf-8", "replace"), code.encode())
        if not secret or not fits or fields["to"] != account.settings.gateway_id:
            raise SignatureInvalid

    def parse(self, request: RawRequest, account: Account[ThreemaSettings]) -> Sequence[Event]:
        return read_delivery(request, _private_key(account))

    def split(self, content: OutboundContent) -> Sequence[OutboundContent]:
        return split_content(content)

    async def send(self, permit: Permit, action: OutboundAction, account: Account[ThreemaSettings], http: AsyncClient) -> Receipt:
        permit.spend(action)
        if private_key := _private_key(account):
            parcel, lock = parcel_for(action), _lock_for(action, private_key)
            nonce, box = seal(await container_of(parcel, action.address, account, http), lock)
            form = {"to": action.address, "nonce": nonce.hex(), "box": box.hex()}
            answer = await post(account, http, "send_e2e", form)
        else:
            answer = await post(account, http, "send_simple", {"to": action.address, "text": text_of_message(action)})
        if not MESSAGE_ID.fullmatch(answer):
            raise OutcomeUnknown("unreadable_answer")
        keys = (message_key(action.address, answer),) if isinstance(action, OutboundMessage) else ()
        return Receipt(status="accepted", keys=keys)

    async def fetch(
        self, ref: str, account: Account[ThreemaSettings], http: AsyncClient, sink: FileSink, *, size: int | None = None
    ) -> FileHead:
        """A file is sealed as a whole: it is read to its end, and what does not open never reaches the sink."""
        if size is not None and size > LARGEST_FETCH:
            raise FileTooLarge
        try:
            place = read_ref(ref)
        except DoesNotOpen:
            raise Rejected("no_such_file") from None
        url, secrets = address_of(account, f"blobs/{place.blob.hex()}")
        sealed = _Sealed()
        answer = await download(http, url, secrets=secrets, sink=sealed, seconds=whole_seconds(size or LARGEST_FETCH))
        if answer.status_code == 404:
            raise FileGone
        if answer.status_code != 200:
            error = error_of(answer.status_code, answer.headers.get("retry-after"))
            raise Unavailable(error.provider_code) if isinstance(error, OutcomeUnknown) else error
        try:
            content = place.open(bytes(sealed.content), _private_key(account))
        except DoesNotOpen:
            content = None
        if content is None:
            raise Rejected("file_does_not_open")
        for start in range(0, len(content), PIECE):
            await sink.write(content[start : start + PIECE])
        return FileHead(size=len(content))

    def peer_of(self, request: RawRequest, account: Account[ThreemaSettings]) -> str:
        """Of a form that cannot be read nobody's: `parse` says what is wrong with it."""
        try:
            return read_callback(request.body).sender
        except MalformedPayload:
            return ""

    async def fetch_peer_key(self, address: str, account: Account[ThreemaSettings], http: AsyncClient) -> bytes:
        """Never of another id than was asked for: the key of an id is the same for ever (provider file, 6)."""
        if not THREEMA_ID.fullmatch(address):
            raise Rejected("no_threema_id")
        told = (await ask(account, http, f"pubkeys/{address}")).lower()
        if not KEY.fullmatch(told) or not any(bytes.fromhex(told)):
            raise Unavailable("unreadable_answer")
        return bytes.fromhex(told)

    def read_address(self, typed: str) -> Sender | None:
        typed = typed.strip()
        phone = read_phone(typed)
        if phone:
            return Sender(provider_user_id=phone, phone=phone)
        if MAIL.fullmatch(typed):
            return Sender(provider_user_id=typed.lower())
        return Sender(provider_user_id=typed.upper()) if THREEMA_ID.fullmatch(typed.upper()) else None

    async def find(self, query: str, account: Account[ThreemaSettings], http: AsyncClient) -> Sender | None:
        """Numbers and addresses leave as hashes. An id is found when it has an app that can do anything at all."""
        query = query.strip()
        if query.startswith("+"):
            path = f"lookup/phone_hash/{phone_hash(query)}"
        elif "@" in query:
            path = f"lookup/email_hash/{email_hash(query)}"
        elif THREEMA_ID.fullmatch(query.upper()):
            path = f"capabilities/{query.upper()}"
        else:
            return None
        try:
            told = await ask(account, http, path)
        except Unreachable:
            return None
        found = query.upper() if path.startswith("capabilities/") else told.upper()
        if not THREEMA_ID.fullmatch(found):
            raise Unavailable("unreadable_answer")
        return Sender(provider_user_id=found)

    async def check(self, account: Account[ThreemaSettings], http: AsyncClient) -> Sequence[Event]:
        """How many credits are left."""
        credits = await _credits(account, http)
        at = datetime.fromtimestamp(time.time(), UTC)
        key = f"health:{at.isoformat()}"
        if credits == 0:
            return [ChannelHealth(key=key, at=at, level="attention", cause="no_credits")]
        if credits < FEW_CREDITS:
            return [ChannelHealth(key=key, at=at, level="warning", cause="few_credits", text=str(credits))]
        return [ChannelHealth(key=key, at=at, level="ok", cause="credits", text=str(credits))]

    async def setup(self, account: Account[ThreemaSettings], callback_url: str | None, http: AsyncClient) -> SetupResult:
        """The address for what comes in can only be typed in at Threema's console: a note says so."""
        gateway_id, private_key = account.settings.gateway_id, _private_key(account)
        if account.own_id not in ("", gateway_id):
            raise CredentialsRejected("gateway_id", reason="another_id")
        if private_key and callback_url is None:
            raise Rejected("needs_public_address")
        notes = ["enter_callback" if private_key else "only_sends"]
        notes += ["no_credits"] if await _credits(account, http) == 0 else []
        if private_key and await _own_key(account, http) != public_of(private_key).hex():
            raise CredentialsRejected("private_key", reason="another_key")
        return SetupResult(
            own_id=gateway_id,
            address=gateway_id,
            title=gateway_id,
            notes=tuple(f"channel.threema.note.{note}" for note in notes),
        )

    async def teardown(self, account: Account[ThreemaSettings], http: AsyncClient) -> None:
        """Nothing to take away: the address stands in Threema's console, where only a person can remove it."""


connector = Threema()


class _Sealed:
    """A file as it comes, in memory: at most as large as the apps send."""

    def __init__(self) -> None:
        self.content = bytearray()

    async def write(self, piece: bytes) -> None:
        if len(self.content) + len(piece) > LARGEST_FETCH + TAG_BYTES:
            raise FileTooLarge
        self.content += piece


def _private_key(account: Account[ThreemaSettings]) -> bytes:
    """Empty in basic mode."""
    return bytes.fromhex(account.settings.private_key.get_secret_value())


def _lock_for(action: OutboundAction, private_key: bytes) -> Lock:
    """What seals for this person. Raises UnsupportedContent, before any request, without a key of theirs."""
    try:
        return box_between(private_key, action.peer_key)
    except ValueError:
        raise UnsupportedContent("no_peer_key") from None


async def _credits(account: Account[ThreemaSettings], http: AsyncClient) -> int:
    """Raises CredentialsRejected or Unavailable."""
    told = await _ask_set_up(account, http, "credits", "api_secret")
    if not (told.isascii() and told.isdigit()):
        raise Unavailable("unreadable_answer")
    return int(told)


async def _own_key(account: Account[ThreemaSettings], http: AsyncClient) -> str:
    """The public key that Threema has for this id, in hexadecimal. Raises CredentialsRejected or Unavailable."""
    return (await _ask_set_up(account, http, f"pubkeys/{account.settings.gateway_id}", "gateway_id")).lower()


async def _ask_set_up(account: Account[ThreemaSettings], http: AsyncClient, path: str, field: str) -> str:
    """A question of the set-up; `field` is to blame when there is no such thing. Raises CredentialsRejected or Unavailable."""
    try:
        return await ask(account, http, path)
    except AuthFailed as error:
        raise CredentialsRejected("api_secret", error.provider_text) from None
    except Rejected as error:
        raise CredentialsRejected(field, error.provider_text) from None
    except RateLimited as error:
        raise Unavailable(error.provider_code, error.provider_text) from None
    except Unavailable as error:
        if error.provider_code == AddressDenied.code:
            raise CredentialsRejected("base_url", reason="not_public") from None
        raise
