"""Direct messages of X over its Activity API, with an app of the business's own. What works, and its cost: `README.md`.

Reads top to bottom: capabilities, the CRC handshake and verify, parse (`payloads.py`), split and send (`send.py`), fetch, set-up,
checks and renewal (`account.py`).
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import replace
from typing import Final
from urllib.parse import parse_qs, urlsplit

import orjson
from httpx import AsyncClient

from hub.connectors.contract import (
    Account,
    Capabilities,
    FileHead,
    FileSink,
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
    RateLimited,
    Rejected,
    SendError,
    SignatureInvalid,
    Unavailable,
)
from hub.connectors.events import ChannelHealth, Event, OutboundContent, Sender
from hub.connectors.http import download, whole_seconds
from hub.connectors.sharing import Budget, Share
from hub.connectors.x.account import (
    ensure_subscriptions,
    ensure_webhook,
    of_set_up,
    renew_token,
    revive_webhook,
    subscriptions,
)
from hub.connectors.x.api import as_user, ask, call, put_file
from hub.connectors.x.finding import find_reachable, name_user, read_handle
from hub.connectors.x.payloads import EPOCH, read_delivery, share
from hub.connectors.x.send import LONGEST_TEXT, MEDIA, body_of, check, file_of, receipt_of, split_content
from hub.connectors.x.settings import XSettings

SIGNATURE: Final = "x-twitter-webhooks-signature"
PER_DAY: Final = 1440
"""Messages of all accounts of one app in a day, and of one account (7)."""
PER_SECOND: Final = 15 / 900
"""15 messages in 15 minutes from one account (7)."""
LARGEST: Final = 512 << 20
FILE_HOSTS: Final = frozenset({"ton.twitter.com", "ton.x.com", "pbs.twimg.com", "video.twimg.com"})
"""Where X keeps files: only there a request is signed."""


class X:
    connector = "x"
    label = "X"
    mark = "x"
    capabilities = Capabilities(
        max_text=LONGEST_TEXT,
        text_unit="characters",
        confirms=frozenset({"read"}),
        reply_window_hours=None,
        address_scope="messenger",
        idempotent_sends=False,
        per_second=PER_SECOND,
        media=MEDIA,
        max_caption=LONGEST_TEXT,
    )
    settings = XSettings
    keeps_headers: frozenset[str] = frozenset()
    renew_seconds_before = 1800

    def endpoint(self, account: Account[XSettings]) -> str:
        """One webhook serves all accounts of an app; its address names the app without its key."""
        return f"app-{hashlib.sha256(account.settings.api_key.encode()).hexdigest()[:20]}"

    def shares(self, request: RawRequest) -> Sequence[Share]:
        return share(request)

    def budget(self, account: Account[XSettings]) -> Budget:
        return Budget(name=f"x:{self.endpoint(account)}", most=PER_DAY, seconds=86_400)

    def handshake(self, request: RawRequest, account: Account[XSettings]) -> Reply | None:
        """The challenge-response check, which X makes whenever it likes (1)."""
        if request.method != "GET":
            return None
        token = parse_qs(request.query).get("crc_token", [""])[0]
        if not token:
            raise SignatureInvalid
        body = orjson.dumps({"response_token": _signed(account, token.encode("utf-8", "replace"))})
        return Reply(status=200, body=body, media_type="application/json")

    def verify(self, request: RawRequest, account: Account[XSettings]) -> None:
        given = request.headers.get(SIGNATURE, "")
        has_secret = bool(account.settings.api_secret.get_secret_value())
        if not has_secret or not hmac.compare_digest(given.encode(), _signed(account, request.body).encode()):
            raise SignatureInvalid

    def parse(self, request: RawRequest, account: Account[XSettings]) -> Sequence[Event]:
        return read_delivery(request)

    def split(self, content: OutboundContent) -> Sequence[OutboundContent]:
        return split_content(content)

    async def send(self, permit: Permit, action: OutboundAction, account: Account[XSettings], http: AsyncClient) -> Receipt:
        permit.spend(action)
        message = check(action)
        file = file_of(message)
        media_id = await put_file(account, http, *file) if file else ""
        path = f"/2/dm_conversations/with/{message.address}/messages"
        return receipt_of(await call(account, http, "POST", path, body_of(message, media_id)))

    def read_address(self, typed: str) -> Sender | None:
        return read_handle(typed)

    async def find(self, query: str, account: Account[XSettings], http: AsyncClient) -> Sender | None:
        return await find_reachable(query, account, http)

    async def name_of(self, address: str, account: Account[XSettings], http: AsyncClient) -> Sender | None:
        """An encrypted chat names nobody."""
        return await name_user(address, account, http)

    async def fetch(
        self, ref: str, account: Account[XSettings], http: AsyncClient, sink: FileSink, *, size: int | None = None
    ) -> FileHead:
        """Files are for the two ends alone: signed (OAuth 1.0a) from where they lie, or through the API (OAuth 2.0) (6)."""
        message, _, rest = ref.partition(" ")
        media, _, url = rest.partition(" ")
        settings, parts = account.settings, urlsplit(url)
        if settings.signs:
            is_theirs = parts.hostname in FILE_HOSTS or url.startswith(f"{settings.base_url}/")
            headers = as_user(settings, "GET", url) if is_theirs else {}
        else:
            url = f"{settings.base_url}/2/dm_conversations/media/{message}/{media}/{parts.path.rpartition('/')[2]}"
            headers = as_user(settings, "GET", url)
        answer = await download(http, url, secrets={}, headers=headers, sink=sink, seconds=whole_seconds(size or LARGEST))
        match answer.status_code:
            case 200:
                return FileHead(mime=answer.headers.get("content-type", "").partition(";")[0])
            case 404 | 410:
                raise FileGone
            case 401 | 403:
                raise AuthFailed(str(answer.status_code))
            case 429:
                raise RateLimited(60.0, "429")
            case status:
                raise Unavailable(str(status))

    async def setup(self, account: Account[XSettings], callback_url: str | None, http: AsyncClient) -> SetupResult:
        if callback_url is None:
            raise Rejected("needs_public_address")
        renewal = await renew_token(account, http)
        assert isinstance(renewal.settings, XSettings)
        account = replace(account, settings=renewal.settings)
        own_id, username, name = await _who_am_i(account, http)
        if account.own_id not in ("", own_id):
            raise CredentialsRejected(_consent(account), reason="another_account")
        await _ensure(account, http, own_id, callback_url)
        return SetupResult(
            own_id=own_id,
            address=f"@{username}",
            title=name,
            notes=("channel.x.note.costs",),
            settings=None if renewal.settings == account.settings and renewal.lasts_seconds is None else renewal.settings,
            lasts_seconds=renewal.lasts_seconds,
        )

    async def check(self, account: Account[XSettings], http: AsyncClient) -> Sequence[Event]:
        """A webhook that X called invalid is tested again, subscriptions that were lost are made anew (1)."""
        problem: SendError | None = None
        webhook, is_whole = None, False
        try:
            webhook = await revive_webhook(account, http, f"/x/{self.endpoint(account)}")
            if webhook is not None:
                is_whole = await ensure_subscriptions(account, http, account.own_id, webhook[0]) and webhook[1]
        except SendError as error:
            problem = error
        if problem is not None:
            raise of_set_up(problem, "bearer_token")
        if webhook is None:
            return [ChannelHealth(key="h:webhook_lost", at=EPOCH, level="attention", cause="webhook_lost")]
        if is_whole:
            return [ChannelHealth(key="h:ok", at=EPOCH, level="ok", cause="ok")]
        return [ChannelHealth(key="h:put_right", at=EPOCH, level="warning", cause="put_right")]

    async def renew(self, account: Account[XSettings], http: AsyncClient) -> Renewal:
        return await renew_token(account, http)

    async def teardown(self, account: Account[XSettings], http: AsyncClient) -> None:
        """This account's subscriptions; the webhook serves the others of its app."""
        try:
            for one in await subscriptions(account, http, account.own_id):
                await ask(account, http, "DELETE", f"/2/activity/subscriptions/{one['subscription_id']}", app=True)
        except (AuthFailed, Rejected):
            return
        except RateLimited as error:
            raise Unavailable(error.provider_code, error.provider_text) from None


connector = X()


def _signed(account: Account[XSettings], message: bytes) -> str:
    digest = hmac.new(account.settings.api_secret.get_secret_value().encode(), message, hashlib.sha256).digest()
    return f"sha256={base64.b64encode(digest).decode()}"


def _consent(account: Account[XSettings]) -> str:
    """The field of the form that names the account."""
    return "user_token" if account.settings.signs else "refresh_token"


async def _who_am_i(account: Account[XSettings], http: AsyncClient) -> tuple[str, str, str]:
    """Id, name without the @, and shown name of the account. Raises what set-up raises."""
    problem: SendError | None = None
    told = {}
    try:
        told = await ask(account, http, "GET", "/2/users/me")
    except SendError as error:
        problem = error
    if problem is not None:
        raise of_set_up(problem, _consent(account))
    data = told.get("data")
    user = data if isinstance(data, dict) else {}
    number, username, name = user.get("id"), user.get("username"), user.get("name")
    if not isinstance(number, str) or not number.isdecimal():
        raise Unavailable("unreadable_answer")
    return number, username if isinstance(username, str) else number, name if isinstance(name, str) else ""


async def _ensure(account: Account[XSettings], http: AsyncClient, own_id: str, callback_url: str) -> None:
    """Webhook and subscriptions. Raises what set-up raises."""
    problem: tuple[SendError, str] | None = None
    try:
        webhook = await ensure_webhook(account, http, callback_url)
        try:
            await ensure_subscriptions(account, http, own_id, webhook)
        except SendError as error:
            problem = error, _consent(account)
    except SendError as error:
        problem = error, "bearer_token"
    if problem is not None:
        raise of_set_up(*problem)
