"""WhatsApp through 360dialog (usual) or Meta's own Cloud API: the same payloads behind another host and another key, by the setting
`provider`. Meta's interface v26.0; what works stands in `README.md`.

Reads top to bottom: capabilities, verify (`access.py`), parse (`payloads.py`), split (`split.py`), send (`send.py`), fetch
(`fetching.py`), set-up and health (`upkeep.py`), templates (`template_list.py`).
"""

from collections.abc import Sequence

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
    Reply,
    SetupResult,
    TemplateRecord,
)
from hub.connectors.events import Event, OutboundContent, Sender
from hub.connectors.phones import read_phone
from hub.connectors.sharing import Share
from hub.connectors.whatsapp.access import answer_test, check_sender, shares_of
from hub.connectors.whatsapp.api import call, hand_over, of_number
from hub.connectors.whatsapp.fetching import fetch_file
from hub.connectors.whatsapp.media import MEDIA
from hub.connectors.whatsapp.payloads import read_delivery
from hub.connectors.whatsapp.people import a_person
from hub.connectors.whatsapp.send import receipt_for, request_for
from hub.connectors.whatsapp.settings import WhatsAppSettings
from hub.connectors.whatsapp.split import CHOICE, LONGEST_CAPTION, LONGEST_TEXT, split_content
from hub.connectors.whatsapp.template_list import list_all, submit, take_away
from hub.connectors.whatsapp.upkeep import look_after, set_up, tear_down


class WhatsApp:
    connector = "whatsapp"
    label = "WhatsApp"
    mark = "wa"
    capabilities = Capabilities(
        max_text=LONGEST_TEXT,
        text_unit="characters",
        confirms=frozenset({"sent", "delivered", "read"}),
        phone_addresses=True,
        reply_window_hours=24,
        address_scope="messenger",  # a number is the same person everywhere, and no two portfolios share an id
        idempotent_sends=False,
        per_second=80.0,  # of one number, in and out (14)
        media=MEDIA,
        max_caption=LONGEST_CAPTION,
        location=True,
        choice=CHOICE,
        replies=True,
        actions=frozenset({"react", "typing", "read"}),
        contact=True,
        templates=True,
    )
    settings = WhatsAppSettings
    keeps_headers: frozenset[str] = frozenset()

    def verify(self, request: RawRequest, account: Account[WhatsAppSettings]) -> None:
        check_sender(request, account)

    def handshake(self, request: RawRequest, account: Account[WhatsAppSettings]) -> Reply | None:
        return answer_test(request, account)

    def endpoint(self, account: Account[WhatsAppSettings]) -> str:
        """All numbers of one app of Meta's are reached at one address; 360dialog has one for each number."""
        return account.settings.app_id if account.settings.uses_meta else ""

    def shares(self, request: RawRequest) -> Sequence[Share]:
        return shares_of(request)

    def parse(self, request: RawRequest, account: Account[WhatsAppSettings]) -> Sequence[Event]:
        return read_delivery(request, account.own_id, account.settings.waba_id)

    def read_address(self, typed: str) -> Sender | None:
        """Whether WhatsApp knows a number shows only when something is sent."""
        return a_person(read_phone(typed).removeprefix("+"), "")

    def split(self, content: OutboundContent) -> Sequence[OutboundContent]:
        return split_content(content)

    async def send(self, permit: Permit, action: OutboundAction, account: Account[WhatsAppSettings], http: AsyncClient) -> Receipt:
        permit.spend(action)
        request = request_for(action, account.settings.list_button)
        for file, media in request.files:
            media["id"] = await hand_over(account, http, file)
        answer = await call(account, http, "POST", f"{of_number(account.settings)}/messages", json=request.body)
        return receipt_for(action, answer)

    async def fetch(
        self, ref: str, account: Account[WhatsAppSettings], http: AsyncClient, sink: FileSink, *, size: int | None = None
    ) -> FileHead:
        return await fetch_file(ref, account, http, sink, size)

    async def setup(self, account: Account[WhatsAppSettings], callback_url: str | None, http: AsyncClient) -> SetupResult:
        return await set_up(account, callback_url, http)

    async def teardown(self, account: Account[WhatsAppSettings], http: AsyncClient) -> None:
        await tear_down(account, http)

    async def check(self, account: Account[WhatsAppSettings], http: AsyncClient) -> Sequence[Event]:
        return await look_after(account, http)

    async def list_templates(self, account: Account[WhatsAppSettings], http: AsyncClient) -> Sequence[TemplateRecord]:
        return await list_all(account, http)

    async def create_template(
        self, template: TemplateRecord, account: Account[WhatsAppSettings], http: AsyncClient
    ) -> TemplateRecord:
        return await submit(template, account, http)

    async def delete_template(self, template: TemplateRecord, account: Account[WhatsAppSettings], http: AsyncClient) -> None:
        await take_away(template, account, http)


connector = WhatsApp()
