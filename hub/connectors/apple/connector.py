"""Apple Messages for Business, on Apple's own wire format for messaging service providers. What works stands in `README.md`.

Reads top to bottom: capabilities, verify (`token.py`), parse (`payloads.py`, `answers.py`), split and send (`send.py`), fetch
(`gateway.py`, `sealing.py`) and set-up.
"""

from collections.abc import Sequence
from typing import Final

from httpx import AsyncClient

from hub.connectors.apple import payloads, token
from hub.connectors.apple.answers import as_text
from hub.connectors.apple.codes import check as check_answer
from hub.connectors.apple.gateway import ask, get_file, put_file, read_file
from hub.connectors.apple.sealing import NoRef, Place, read_ref
from hub.connectors.apple.send import CHOICE, LONGEST_TEXT, MEDIA, body_of, check, files_of, link_of, rich_link, split_content
from hub.connectors.apple.settings import AppleSettings
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
    FileTooLarge,
    MalformedPayload,
    RateLimited,
    Rejected,
    Unavailable,
)
from hub.connectors.events import Event, OutboundContent
from hub.connectors.http import exchange
from hub.connectors.sharing import Share

LARGEST_ANSWER: Final = 4 << 20
"""Bytes of a customer's answer that came by reference."""


class Apple:
    connector = "apple"
    label = "Apple Messages for Business"
    mark = "am"
    capabilities = Capabilities(
        max_text=LONGEST_TEXT,
        text_unit="characters",
        confirms=frozenset(),  # there are no receipts (5)
        reply_window_hours=None,
        address_scope="channel",
        idempotent_sends=False,
        per_second=10.0,  # Apple names no number (8)
        media=MEDIA,
        max_caption=LONGEST_TEXT,
        choice=CHOICE,
        actions=frozenset({"typing"}),
        times=True,
    )
    settings = AppleSettings
    keeps_headers: frozenset[str] = frozenset()

    def endpoint(self, account: Account[AppleSettings]) -> str:
        """Apple appends `/message` to the one address of a provider: all its businesses are behind it."""
        return "message"

    def shares(self, request: RawRequest) -> Sequence[Share]:
        return payloads.shares(request)

    def verify(self, request: RawRequest, account: Account[AppleSettings]) -> None:
        token.check(request, account.settings)

    def parse(self, request: RawRequest, account: Account[AppleSettings]) -> Sequence[Event]:
        return payloads.read_delivery(request, account)

    def split(self, content: OutboundContent) -> Sequence[OutboundContent]:
        return split_content(content)

    async def send(self, permit: Permit, action: OutboundAction, account: Account[AppleSettings], http: AsyncClient) -> Receipt:
        """Files go to Apple's storage first; until the message itself is asked for, nothing has left."""
        permit.spend(action)
        check(action)
        settings = account.settings
        if not isinstance(action, OutboundMessage):
            body = body_of(action, settings)
        elif url := link_of(action):
            (picture,) = files_of(action)
            body = rich_link(action, settings, url, read_file(picture), picture.mime)
        else:
            body = body_of(action, settings, [await put_file(file, settings, http) for file in files_of(action)])
        headers = {
            "authorization": token.bearer(settings),
            "id": body["id"],
            "source-id": settings.business_id,
            "destination-id": action.address,
        }
        check_answer(await exchange(http, "POST", f"{settings.base_url}/v1/message", headers=headers, json=body))
        keys = (f"o:{action.part_id}",) if isinstance(action, OutboundMessage) else ()
        return Receipt(status="accepted", keys=keys)

    async def fetch(
        self, ref: str, account: Account[AppleSettings], http: AsyncClient, sink: FileSink, *, size: int | None = None
    ) -> FileHead:
        """A file, or a long answer, which Apple decodes for us and which becomes a text to read."""
        try:
            place = read_ref(ref)
            if not place.bid:
                return FileHead(size=await get_file(place, account.settings, http, sink, size))
            packed = _InMemory()
            await get_file(place, account.settings, http, packed, None)
        except NoRef:
            raise Rejected("no_such_file") from None
        text = (await _decoded(place, bytes(packed.content), account.settings, http)).encode()
        await sink.write(text)
        return FileHead(mime="text/plain", size=len(text))

    async def setup(self, account: Account[AppleSettings], callback_url: str | None, http: AsyncClient) -> SetupResult:
        """Asks for a place for one byte, which sends nothing. The address stands in Apple Business Register, where a person enters
        it."""
        business = account.settings.business_id
        if account.own_id not in ("", business):
            raise CredentialsRejected("business_id", reason="another_id")
        if callback_url is None:
            raise Rejected("needs_public_address")
        try:
            await ask(account.settings, http, "GET", "preUpload", {"mmcs-size": "1"})
        except AuthFailed as error:
            raise CredentialsRejected("secret", error.provider_text) from None
        except RateLimited as error:
            raise Unavailable(error.provider_code, error.provider_text) from None
        except Rejected as error:
            raise CredentialsRejected("business_id", error.provider_text) from None
        return SetupResult(own_id=business, address=business, title=business, notes=("channel.apple.note.enter_address",))

    async def teardown(self, account: Account[AppleSettings], http: AsyncClient) -> None:
        """Nothing to take away: the address stands in Apple Business Register, where only a person can remove it."""


connector = Apple()


class _InMemory:
    """An answer as it comes."""

    def __init__(self) -> None:
        self.content = bytearray()

    async def write(self, piece: bytes) -> None:
        if len(self.content) + len(piece) > LARGEST_ANSWER:
            raise FileTooLarge
        self.content += piece


async def _decoded(place: Place, packed: bytes, settings: AppleSettings, http: AsyncClient) -> str:
    """What Apple makes of a packed answer. Where it refuses, the answer is read as it is, if it is JSON (provider file, 4)."""
    try:
        told = (await ask(settings, http, "POST", "decodePayload", {"bid": place.bid}, content=packed)).content
    except (AuthFailed, Rejected):
        told = packed
    try:
        return as_text(payloads.unpack(told))
    except MalformedPayload:
        raise Rejected("answer_unreadable") from None
