"""Facebook Messenger, for a business's page. Graph API v26.0 (autumn 2026); what works stands in `README.md`.

What Messenger shares with Instagram stands in `hub/connectors/_meta/`. Reads top to bottom: capabilities, verify, handshake and
shares, parse, split, send, fetch, find, setup (`setup.py`), check, teardown.
"""

from collections.abc import Sequence
from typing import Final

import orjson
from httpx import AsyncClient

from hub.connectors._meta import envelope, media, subscriptions
from hub.connectors._meta.graph import ask, call, send_file
from hub.connectors._meta.payloads import Reader, read_events
from hub.connectors._meta.reading import Json, an_id, an_object, words
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
    Receipt,
    Reply,
    SetupResult,
    TemplateRecord,
)
from hub.connectors.errors import AuthFailed, Rejected, Unavailable
from hub.connectors.events import ChannelHealth, Event, Media, OutboundContent, Sender, Template
from hub.connectors.messenger.limits import LIMITS, LONGEST_TEXT, MEDIA
from hub.connectors.messenger.settings import MessengerSettings
from hub.connectors.messenger.setup import app_of, connect, page_of
from hub.connectors.messenger.templates import list_all, submit, take_away, write_template
from hub.connectors.sharing import Share

SITE: Final = "https://www.facebook.com"
LINKED: Final = "instagram_business_account"
WINDOW_HOURS, HUMAN_DAYS = 24, 7
"""Free answers after the person's last message, and those that a person writes themselves (messenger.md, 8)."""


class Messenger:
    connector = "messenger"
    label = "Facebook Messenger"
    mark = "fb"
    capabilities = Capabilities(
        max_text=LONGEST_TEXT,
        text_unit="characters",
        confirms=frozenset({"delivered", "read"}),
        reply_window_hours=WINDOW_HOURS,
        address_scope="channel",  # an id is good for one page only
        idempotent_sends=False,
        per_second=300.0,  # audio and video 10: they are uploaded first, which is slower
        media=MEDIA,
        choice=CHOICE,
        replies=True,
        actions=frozenset({"react", "typing", "read"}),
        cards=CARDS,
        templates=True,
        human_agent_days=HUMAN_DAYS,
        media_by_link=True,  # pictures of cards; files are uploaded
        erases_deleted=True,
    )
    settings = MessengerSettings
    keeps_headers: frozenset[str] = frozenset()

    def verify(self, request: RawRequest, account: Account[MessengerSettings]) -> None:
        header = request.headers.get(SIGNATURE_HEADER, "")
        verify_signature(request.body, header, account.settings.app_secret.get_secret_value())

    def handshake(self, request: RawRequest, account: Account[MessengerSettings]) -> Reply | None:
        if request.method != "GET":
            return None
        return handshake(request.query, verify_token(account.settings.app_secret.get_secret_value()))

    def endpoint(self, account: Account[MessengerSettings]) -> str:
        return account.settings.app_id

    def shares(self, request: RawRequest) -> Sequence[Share]:
        return envelope.shares(request)

    def parse(self, request: RawRequest, account: Account[MessengerSettings]) -> Sequence[Event]:
        return read_events(request, Reader(account.own_id, account.settings.app_id, SITE))

    def split(self, content: OutboundContent) -> Sequence[OutboundContent]:
        if isinstance(content, Template):
            write_template(content)
            return [content]
        return split_content(content, LIMITS)

    async def send(self, permit: Permit, action: OutboundAction, account: Account[MessengerSettings], http: AsyncClient) -> Receipt:
        """A file is handed over first: that sends nothing, so it may fail without a doubt about the message."""
        permit.spend(action)
        message = await _message(action, account, http) if isinstance(action, OutboundMessage) else None
        return receipt_for(action, await call(page_of(account), http, "POST", "me/messages", json=request_for(action, message)))

    async def fetch(
        self, ref: str, account: Account[MessengerSettings], http: AsyncClient, sink: FileSink, *, size: int | None = None
    ) -> FileHead:
        return await media.fetch_file(ref, account.settings.base_url, http, sink, size=size)

    async def name_of(self, address: str, account: Account[MessengerSettings], http: AsyncClient) -> Sender | None:
        """The name that belongs to an address, where the person lets a page see it (messenger.md, 1)."""
        if not (address.isascii() and address.isdigit()):
            return None
        try:
            found = await ask(page_of(account), http, "GET", address, query={"fields": "first_name,last_name"})
        except Rejected:
            return None
        return Sender(provider_user_id=address, display_name=words(found, ("first_name", "last_name")))

    async def setup(self, account: Account[MessengerSettings], callback_url: str | None, http: AsyncClient) -> SetupResult:
        return await connect(account, callback_url, http)

    async def check(self, account: Account[MessengerSettings], http: AsyncClient) -> Sequence[ChannelHealth]:
        """Meta ends subscriptions in silence: that of the app and that of the page (messenger.md, 3)."""
        app_id = account.settings.app_id
        return [
            await app_of(account).check(http, subscriptions.PAGE_FIELDS),
            await subscriptions.check_account(page_of(account), http, app_id, subscriptions.PAGE_FIELDS, "page_token"),
        ]

    async def list_templates(self, account: Account[MessengerSettings], http: AsyncClient) -> Sequence[TemplateRecord]:
        return await list_all(page_of(account), http)

    async def create_template(
        self, template: TemplateRecord, account: Account[MessengerSettings], http: AsyncClient
    ) -> TemplateRecord:
        return await submit(template, page_of(account), http)

    async def delete_template(self, template: TemplateRecord, account: Account[MessengerSettings], http: AsyncClient) -> None:
        await take_away(template, page_of(account), http)

    async def needed_by(self, account: Account[MessengerSettings], http: AsyncClient) -> Sequence[tuple[str, str]]:
        """The page's Instagram account hears through the same subscription."""
        page = await ask(page_of(account), http, "GET", "me", query={"fields": LINKED})
        linked = an_id(an_object(page, LINKED), "id")
        return [("instagram", linked)] if linked else []

    async def teardown(self, account: Account[MessengerSettings], http: AsyncClient) -> None:
        """The page's part only: the app's subscription serves its other pages."""
        try:
            await ask(page_of(account), http, "DELETE", "me/subscribed_apps")
        except (AuthFailed, Rejected):
            return


async def _message(action: OutboundMessage, account: Account[MessengerSettings], http: AsyncClient) -> Json:
    if isinstance(action.content, Template):
        return write_template(action.content)
    if not isinstance(action.content, Media):
        return message_for(action, LIMITS)
    only_part(action, LIMITS)
    file, kind = file_of(action.content, action.files), ATTACHMENTS[kind_of(action.content, MEDIA)]
    request_for(action, None)  # what cannot be asked is refused before the file is handed over
    fields = {"message": orjson.dumps({"attachment": {"type": kind, "payload": {"is_reusable": True}}}).decode()}
    given = an_id(await send_file(page_of(account), http, "me/message_attachments", fields, file), "attachment_id")
    if not given:
        raise Unavailable("no_attachment_id")
    return {"attachment": {"type": kind, "payload": {"attachment_id": given}}}


connector = Messenger()
