"""RCS for Business, as a partner of Google with an agent of its own. What works stands in `README.md`.

Reads top to bottom: capabilities, handshake and verify (`envelope.py`), parse (`payloads.py`), split and send (`send.py`), fetch,
find, set-up and renewal (`token.py`).
"""

from collections.abc import Sequence
from typing import Final
from urllib.parse import quote
from uuid import uuid4

from httpx import AsyncClient
from pydantic import SecretStr

from hub.connectors.contract import (
    Account,
    Capabilities,
    FileHead,
    FileSink,
    MediaLimit,
    OutboundAction,
    Permit,
    RawRequest,
    Receipt,
    Renewal,
    Reply,
    SetupResult,
)
from hub.connectors.errors import (
    AuthFailed,
    CredentialsRejected,
    FileGone,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    Unavailable,
    Unreachable,
)
from hub.connectors.events import Event, OutboundContent, Sender
from hub.connectors.google.codes import WAIT_WITHOUT_NUMBER, result_of
from hub.connectors.google.envelope import SIGNATURE, answer_handshake, check
from hub.connectors.google.payloads import read_delivery
from hub.connectors.google.send import CARDS, CHOICE, LONGEST_TEXT, receipt_for, request_for, split_content
from hub.connectors.google.settings import GoogleSettings
from hub.connectors.google.token import fetch_token
from hub.connectors.http import Answer, download, exchange, whole_seconds
from hub.connectors.phones import read_phone

NOBODY: Final = "+491713920000"
"""A number that is kept for films and books (Bundesnetzagentur): asking for it shows whether the agent is ours."""
MEGABYTE: Final = 1 << 20


class Google:
    connector = "google"
    label = "Google RCS"
    mark = "rc"
    capabilities = Capabilities(
        max_text=LONGEST_TEXT,
        text_unit="utf8",
        confirms=frozenset({"delivered", "read"}),
        phone_addresses=True,
        reply_window_hours=None,
        address_scope="messenger",
        idempotent_sends=True,
        per_second=10.0,  # the quota of the Google Cloud project; Google names no number (7)
        media={
            "image": MediaLimit(bytes=2 * MEGABYTE, types=frozenset({"image/jpeg", "image/png", "image/gif"})),
            "video": MediaLimit(bytes=10 * MEGABYTE, types=frozenset({"video/mp4", "video/mpeg", "video/webm", "video/h263"})),
            "audio": MediaLimit(bytes=10 * MEGABYTE),
            "document": MediaLimit(bytes=100 * MEGABYTE, types=frozenset({"application/pdf"})),
        },
        location=True,
        choice=CHOICE,
        actions=frozenset({"delete", "typing", "read"}),
        cards=CARDS,
        media_by_link=True,
    )
    settings = GoogleSettings
    keeps_headers: frozenset[str] = frozenset()
    renew_seconds_before = 1800

    def handshake(self, request: RawRequest, account: Account[GoogleSettings]) -> Reply | None:
        return answer_handshake(request, account) if request.method == "POST" and SIGNATURE not in request.headers else None

    def verify(self, request: RawRequest, account: Account[GoogleSettings]) -> None:
        check(request, account)

    def parse(self, request: RawRequest, account: Account[GoogleSettings]) -> Sequence[Event]:
        return read_delivery(request, account)

    def split(self, content: OutboundContent) -> Sequence[OutboundContent]:
        return split_content(content)

    async def send(self, permit: Permit, action: OutboundAction, account: Account[GoogleSettings], http: AsyncClient) -> Receipt:
        permit.spend(action)
        request = request_for(action, account.settings)
        url = f"{account.settings.base_url}{request.path}?{request.query}"
        answer = await exchange(http, request.method, url, headers=_bearer(account), json=request.body)
        return receipt_for(action, result_of(answer))

    async def fetch(
        self, ref: str, account: Account[GoogleSettings], http: AsyncClient, sink: FileSink, *, size: int | None = None
    ) -> FileHead:
        """The address stands in the message and asks for no credentials (3)."""
        answer = await download(http, ref, secrets={}, sink=sink, seconds=whole_seconds(size or 100 * MEGABYTE))
        match answer.status_code:
            case 200:
                return FileHead()
            case 404 | 410:
                raise FileGone
            case 401 | 403:
                raise AuthFailed(str(answer.status_code))
            case 429:
                raise RateLimited(WAIT_WITHOUT_NUMBER, "429")
            case status:
                raise Unavailable(str(status))

    def read_address(self, typed: str) -> Sender | None:
        phone = read_phone(typed)
        return Sender(provider_user_id=phone, phone=phone) if phone else None

    async def find(self, query: str, account: Account[GoogleSettings], http: AsyncClient) -> Sender | None:
        """Whether a phone takes RCS from this agent; 404 is no (5)."""
        try:
            await _capabilities(account, http, query)
        except Unreachable:
            return None
        return Sender(provider_user_id=query, phone=query)

    async def setup(self, account: Account[GoogleSettings], callback_url: str | None, http: AsyncClient) -> SetupResult:
        """The webhook itself is entered in Google's console, which tests our address with a handshake (1)."""
        if callback_url is None:
            raise Rejected("needs_public_address")
        renewal = await self.renew(account, http)
        settings = renewal.settings
        assert isinstance(settings, GoogleSettings)
        fresh = Account(
            channel_id=account.channel_id, settings=settings, own_id=account.own_id, webhook_secrets=account.webhook_secrets
        )
        try:
            await _capabilities(fresh, http, NOBODY)
        except Unreachable:
            pass  # as it should be: nobody has this number
        except AuthFailed as error:
            raise CredentialsRejected("agent_id", error.provider_text) from None
        except RateLimited as error:
            raise Unavailable(error.provider_code, error.provider_text) from None
        return SetupResult(
            own_id=settings.agent_id,
            address=settings.agent_id,
            title=settings.agent_id,
            notes=("channel.google.note.enter_address",),
            settings=settings,
            lasts_seconds=renewal.lasts_seconds,
        )

    async def renew(self, account: Account[GoogleSettings], http: AsyncClient) -> Renewal:
        token, lasts = await fetch_token(account, http)
        settings = account.settings.model_copy(update={"access_token": SecretStr(token)})
        return Renewal(settings=settings, lasts_seconds=lasts)

    async def teardown(self, account: Account[GoogleSettings], http: AsyncClient) -> None:
        """The webhook is taken away in Google's console."""


connector = Google()


def _bearer(account: Account[GoogleSettings]) -> dict[str, str]:
    return {"authorization": f"Bearer {account.settings.access_token.get_secret_value()}"}


async def _capabilities(account: Account[GoogleSettings], http: AsyncClient, phone: str) -> None:
    """Raises Unreachable for a phone without RCS; AuthFailed, RateLimited, Rejected or Unavailable."""
    settings = account.settings
    path = f"/phones/{quote(phone, safe='+')}/capabilities?requestId={uuid4()}&agentId={quote(settings.agent_id)}"
    try:
        answer: Answer = await exchange(http, "GET", f"{settings.base_url}{path}", headers=_bearer(account))
        result_of(answer)
    except OutcomeUnknown as error:
        raise Unavailable(error.provider_code) from None
