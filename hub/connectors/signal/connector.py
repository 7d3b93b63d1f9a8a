"""Signal through a business's own signal-cli 0.14 or signal-cli-rest-api (both 2026): unofficial; what that means stands in
`README.md`.

Reads top to bottom: capabilities, verify, parse (`payloads.py`), split (`split.py`), send (`send.py`, `roads.py`), poll, fetch
(`fetching.py`), find, check, setup, teardown.
"""

import asyncio
import re
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, Literal

from httpx import AsyncClient

from hub.connectors.contract import (
    Account,
    Capabilities,
    FileHead,
    FileSink,
    OutboundAction,
    OutboundMessage,
    Permit,
    Polled,
    RawRequest,
    Receipt,
    SetupResult,
)
from hub.connectors.errors import SignatureInvalid
from hub.connectors.events import ChannelHealth, Event, OutboundContent, Sender
from hub.connectors.phones import read_phone
from hub.connectors.signal.fetching import fetch_file
from hub.connectors.signal.payloads import read_delivery
from hub.connectors.signal.polling import receive
from hub.connectors.signal.reading import Json, a_text
from hub.connectors.signal.roads import call
from hub.connectors.signal.send import call_for, receipt_for
from hub.connectors.signal.setting_up import check_account, is_registered, list_identities, look_up, must_know
from hub.connectors.signal.settings import SignalSettings
from hub.connectors.signal.split import MEDIA, split_content
from hub.connectors.signal.text import LONGEST_TEXT, NAMES

CHANGE_HOURS = 24
"""How long the apps let a message be changed and taken back; signal-cli itself does not look (README)."""

USERNAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{2,31}\.[0-9]{2,9}")
"""A name that people give out instead of their number: it ends in a dot and digits."""


class Signal:
    connector = "signal"
    label = "Signal"
    mark = "sg"
    capabilities = Capabilities(
        max_text=LONGEST_TEXT,
        text_unit="utf8",
        confirms=frozenset({"delivered", "read"}),
        reply_window_hours=None,
        address_scope="messenger",
        idempotent_sends=False,
        per_second=1.0,  # ours: Signal publishes no limit, and asks for a captcha when there is too much
        styles=frozenset(NAMES),
        media=MEDIA,
        max_caption=LONGEST_TEXT,
        replies=True,
        actions=frozenset({"edit", "delete", "react", "typing", "read"}),
        edit_hours=CHANGE_HOURS,
        webhook=False,
    )
    settings = SignalSettings
    keeps_headers: frozenset[str] = frozenset()

    def verify(self, request: RawRequest, account: Account[SignalSettings]) -> None:
        """Nobody delivers: what comes in is asked for, and whatever comes to our address is not signal-cli's."""
        raise SignatureInvalid

    def parse(self, request: RawRequest, account: Account[SignalSettings]) -> Sequence[Event]:
        return read_delivery(request, has_stickers=account.settings.road == "daemon")

    def split(self, content: OutboundContent) -> Sequence[OutboundContent]:
        return split_content(content)

    async def send(self, permit: Permit, action: OutboundAction, account: Account[SignalSettings], http: AsyncClient) -> Receipt:
        permit.spend(action)
        if isinstance(action, OutboundMessage) and action.files:
            asked = await asyncio.to_thread(call_for, action, account.settings.number)
        else:
            asked = call_for(action, account.settings.number)
        return receipt_for(action, await call(account, http, asked))

    async def poll(self, account: Account[SignalSettings], http: AsyncClient, cursor: str) -> Polled:
        """The cursor says nothing: what was handed out is gone at signal-cli, and cannot be asked for again (README, "What can be
        lost")."""
        return Polled(requests=await receive(account, http), cursor=cursor)

    async def fetch(
        self, ref: str, account: Account[SignalSettings], http: AsyncClient, sink: FileSink, *, size: int | None = None
    ) -> FileHead:
        return await fetch_file(ref, account, http, sink, size=size)

    def read_address(self, typed: str) -> Sender | None:
        phone, name = read_phone(typed), typed.strip()
        if phone:
            return Sender(provider_user_id=phone, phone=phone)
        return Sender(provider_user_id=name, username=name) if USERNAME.fullmatch(name) else None

    async def find(self, query: str, account: Account[SignalSettings], http: AsyncClient) -> Sender | None:
        """By number, or by the name with digits that people give out instead of it (`erika.42`)."""
        return await look_up(query.strip(), account, http)

    async def check(self, account: Account[SignalSettings], http: AsyncClient) -> Sequence[Event]:
        """Whether Signal still knows the account, and whose safety number changed: nobody can write to them before a person has
        decided. Whether a captcha is still wanted nobody can ask, so a pause goes on until a person ends it."""
        await must_know(account, http)
        if not await is_registered(account, http):
            return [_health("attention", "not_registered")]
        untrusted = [_name(one) for one in await list_identities(account, http) if _is_untrusted(one)]
        if untrusted:
            return [_health("warning", "untrusted_identity", ", ".join(untrusted)[:300])]
        return [_health("ok", "registered")]

    async def setup(self, account: Account[SignalSettings], callback_url: str | None, http: AsyncClient) -> SetupResult:
        """Changes nothing at signal-cli, and receives nothing: that would take it from the first poll."""
        return await check_account(account, http)

    async def teardown(self, account: Account[SignalSettings], http: AsyncClient) -> None:
        """Nothing to take away: the account stays registered or linked, and a person decides about it on the phone."""


connector = Signal()


def _health(level: Literal["ok", "warning", "attention"], cause: str, text: str = "") -> ChannelHealth:
    at = datetime.fromtimestamp(time.time(), UTC)
    return ChannelHealth(key=f"health:{at.isoformat()}", at=at, level=level, cause=cause, text=text, only_warnings=True)


def _is_untrusted(identity: Json) -> bool:
    """`trustLevel` of the daemon is the wrapper's `status`."""
    return "UNTRUSTED" in (a_text(identity, "trustLevel"), a_text(identity, "status"))


def _name(identity: Json) -> str:
    return a_text(identity, "number") or a_text(identity, "uuid")
