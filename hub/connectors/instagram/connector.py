"""Instagram, for a business's professional account. Graph API v26.0 (autumn 2026); what works stands in `README.md`.

What Instagram shares with Messenger stands in `hub/connectors/_meta/`. Reads top to bottom: capabilities, verify, handshake and
shares, parse, split, send, fetch, find, setup (`setup.py`), renew (`login.py`), check, teardown.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from httpx import AsyncClient

from hub.connectors._meta import envelope, media, subscriptions
from hub.connectors._meta.graph import ask, call
from hub.connectors._meta.payloads import Reader, read_events
from hub.connectors._meta.reading import Json, a_text
from hub.connectors._meta.send import ATTACHMENTS, file_of, message_for, only_part, receipt_for, request_for
from hub.connectors._meta.signature import SIGNATURE_HEADER, handshake, verify_signature, verify_token
from hub.connectors._meta.split import CARDS, CHOICE, kind_of, split_content
from hub.connectors.contract import (
    Account,
    Capabilities,
    FileHead,
    FileSink,
    OutboundAction,
    OutboundMessage,
    Permit,
    RawRequest,
    React,
    Receipt,
    Renewal,
    Reply,
    SetupResult,
)
from hub.connectors.errors import AuthFailed, CredentialsRejected, Rejected, UnsupportedContent
from hub.connectors.events import ChannelHealth, Event, Media, OutboundContent, Sender
from hub.connectors.instagram.limits import LIMITS, LONGEST_TEXT, MEDIA
from hub.connectors.instagram.login import DAY, account_of, renewed
from hub.connectors.instagram.settings import InstagramSettings
from hub.connectors.instagram.setup import FIELDS, app_of, as_set_up, connect, subscribed
from hub.connectors.sharing import Share

SITE: Final = "https://www.instagram.com"
WINDOW_HOURS, HUMAN_DAYS = 24, 7
"""Free answers after the person's last message, and those that a person writes themselves; then nothing (instagram.md, 8)."""
HEART: Final = "❤"
"""The one reaction that is taken, under its name `love`."""


class Instagram:
    connector = "instagram"
    label = "Instagram"
    mark = "ig"
    capabilities = Capabilities(
        max_text=LONGEST_TEXT,
        text_unit="utf8",
        confirms=frozenset({"read"}),
        reply_window_hours=WINDOW_HOURS,
        address_scope="channel",  # an id is good for one account only
        idempotent_sends=False,
        per_second=100.0,  # the older of two numbers on Meta's pages (instagram.md, 6)
        media=MEDIA,
        choice=CHOICE,
        replies=True,
        actions=frozenset({"react", "typing", "read"}),
        reactions=(HEART,),
        cards=CARDS,
        human_agent_days=HUMAN_DAYS,
        media_by_link=True,
        erases_deleted=True,
    )
    settings = InstagramSettings
    keeps_headers: frozenset[str] = frozenset()
    renew_seconds_before = 53 * DAY  # a token of 60 days is renewed each week, so that many attempts are left

    def verify(self, request: RawRequest, account: Account[InstagramSettings]) -> None:
        verify_signature(request.body, request.headers.get(SIGNATURE_HEADER, ""), *account.settings.signing_secrets)

    def handshake(self, request: RawRequest, account: Account[InstagramSettings]) -> Reply | None:
        if request.method != "GET":
            return None
        return handshake(request.query, verify_token(account.settings.app_secret.get_secret_value()))

    def endpoint(self, account: Account[InstagramSettings]) -> str:
        return account.settings.app_id

    def shares(self, request: RawRequest) -> Sequence[Share]:
        return envelope.shares(request)

    def parse(self, request: RawRequest, account: Account[InstagramSettings]) -> Sequence[Event]:
        return read_events(request, Reader(account.own_id, account.settings.app_id, SITE))

    def split(self, content: OutboundContent) -> Sequence[OutboundContent]:
        return split_content(content, LIMITS)

    async def send(self, permit: Permit, action: OutboundAction, account: Account[InstagramSettings], http: AsyncClient) -> Receipt:
        permit.spend(action)
        message = _message(action) if isinstance(action, OutboundMessage) else None
        body = request_for(_named(action), message)
        return receipt_for(action, await call(account_of(account), http, "POST", "me/messages", json=body))

    async def fetch(
        self, ref: str, account: Account[InstagramSettings], http: AsyncClient, sink: FileSink, *, size: int | None = None
    ) -> FileHead:
        return await media.fetch_file(ref, account.settings.base_url, http, sink, size=size)

    async def name_of(self, address: str, account: Account[InstagramSettings], http: AsyncClient) -> Sender | None:
        """The name that belongs to an address, where the person lets an account see it (instagram.md, 12)."""
        if not (address.isascii() and address.isdigit()):
            return None
        try:
            found = await ask(account_of(account), http, "GET", address, query={"fields": "name,username"})
        except Rejected:
            return None
        return Sender(provider_user_id=address, display_name=a_text(found, "name"), username=a_text(found, "username"))

    async def setup(self, account: Account[InstagramSettings], callback_url: str | None, http: AsyncClient) -> SetupResult:
        return await connect(account, callback_url, http)

    async def renew(self, account: Account[InstagramSettings], http: AsyncClient) -> Renewal:
        """A page's token cannot be renewed without its owner."""
        if not account.settings.is_own_login:
            raise CredentialsRejected("access_token", reason="no_renewal")
        settings, lasts = await as_set_up(renewed(account.settings, http))
        return Renewal(settings=settings, lasts_seconds=lasts)

    async def check(self, account: Account[InstagramSettings], http: AsyncClient) -> Sequence[ChannelHealth]:
        """Meta ends subscriptions in silence: that of the app and that of the account (messenger.md, 3)."""
        return [
            await app_of(account).check(http, FIELDS),
            await subscriptions.check_account(account_of(account), http, *subscribed(account), "access_token"),
        ]

    async def teardown(self, account: Account[InstagramSettings], http: AsyncClient) -> None:
        """Only an account of its own login: a page's subscription serves its Messenger too."""
        if not account.settings.is_own_login:
            return
        try:
            await ask(account_of(account), http, "DELETE", "me/subscribed_apps")
        except (AuthFailed, Rejected):
            return


def _message(action: OutboundMessage) -> Json:
    """A file is fetched by Instagram from our address."""
    if not isinstance(action.content, Media):
        return message_for(action, LIMITS)
    only_part(action, LIMITS)
    file, kind = file_of(action.content, action.files), ATTACHMENTS[kind_of(action.content, MEDIA)]
    if not file.link:
        raise UnsupportedContent("no_link")
    return {"attachment": {"type": kind, "payload": {"url": file.link}}}


def _named(action: OutboundAction) -> OutboundAction:
    """A reaction by its name, which is what Instagram takes."""
    if not isinstance(action, React) or not action.emoji:
        return action
    if action.emoji.rstrip("\ufe0f") != HEART:
        raise UnsupportedContent("reaction")
    return replace(action, emoji="love")


connector = Instagram()
