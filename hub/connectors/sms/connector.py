"""SMS through any gateway with a JSON API: one request out, webhooks in, names by settings. What works stands in `README.md`.

Reads top to bottom: capabilities, verify, parse (`payloads.py`), split (`text.py`), send, setup, teardown.
"""

import hashlib
import hmac
from collections.abc import Sequence
from typing import Any, Final

from httpx import AsyncClient

from hub.connectors.contract import (
    Account,
    Capabilities,
    OutboundAction,
    OutboundMessage,
    Permit,
    RawRequest,
    Receipt,
    SetupResult,
)
from hub.connectors.errors import (
    AccountPaused,
    AuthFailed,
    CredentialsRejected,
    OutcomeUnknown,
    RateLimited,
    RecipientOptedOut,
    Rejected,
    SendError,
    SignatureInvalid,
    Unavailable,
    UnsupportedContent,
)
from hub.connectors.events import Event, OutboundContent, Sender, Text
from hub.connectors.http import Answer, exchange
from hub.connectors.phones import read_phone
from hub.connectors.sms.payloads import at_path, number_of, read_webhook
from hub.connectors.sms.settings import SmsSettings
from hub.connectors.sms.text import LONGEST, count_segments, split_text

SIGNATURE: Final = "x-signature"
"""`sha256=` and the HMAC-SHA256 of the raw body in hex, keyed with the signing secret."""
WAIT_WITHOUT_NUMBER: Final = 30.0
LONGEST_WORDS: Final = 300


class Sms:
    connector = "sms"
    label = "SMS"
    mark = "sms"
    capabilities = Capabilities(
        max_text=LONGEST,
        text_unit="utf16",
        confirms=frozenset({"sent", "delivered"}),
        phone_addresses=True,
        reply_window_hours=None,
        address_scope="messenger",
        idempotent_sends=False,
        per_second=10.0,
    )
    settings = SmsSettings
    keeps_headers: frozenset[str] = frozenset()

    def verify(self, request: RawRequest, account: Account[SmsSettings]) -> None:
        secret = account.settings.signing_secret.get_secret_value()
        expected = f"sha256={hmac.new(secret.encode(), request.body, hashlib.sha256).hexdigest()}"
        given = request.headers.get(SIGNATURE, "").strip().lower()
        if not secret or not hmac.compare_digest(given.encode(), expected.encode()):
            raise SignatureInvalid

    def parse(self, request: RawRequest, account: Account[SmsSettings]) -> Sequence[Event]:
        return read_webhook(request, account.settings)

    def read_address(self, typed: str) -> Sender | None:
        phone = read_phone(typed)
        return Sender(provider_user_id=phone, display_name=phone, phone=phone) if phone else None

    def count_pieces(self, text: str) -> int:
        return sum(count_segments(part) for part in split_text(text)) or 1

    def split(self, content: OutboundContent) -> Sequence[OutboundContent]:
        if not isinstance(content, Text):
            raise UnsupportedContent("only_text")
        parts = split_text(content.text)
        if not parts:
            raise UnsupportedContent("empty_text")
        return [Text(text=part) for part in parts]

    async def send(self, permit: Permit, action: OutboundAction, account: Account[SmsSettings], http: AsyncClient) -> Receipt:
        permit.spend(action)
        answer = await exchange(
            http,
            "POST",
            account.settings.send_url,
            headers=_headers(account),
            json=_body(action, account.settings),
        )
        return _receipt(answer, account.settings)

    async def setup(self, account: Account[SmsSettings], callback_url: str | None, http: AsyncClient) -> SetupResult:
        """Gateways have no common way to register a webhook: the business enters our address there, and the page shows it. With a
        `check_url` the credentials are tried; without one only sending shows whether they are right."""
        if callback_url is None:
            raise Rejected("needs_public_address")
        settings = account.settings
        notes = ["channel.sms.note.enter_address"]
        if settings.check_url:
            answer = await _ask(http, account)
            if answer.status_code in (401, 403):
                raise CredentialsRejected("authorization", _words(answer, settings))
            if answer.status_code >= 500 or answer.status_code == 429:
                raise Unavailable(str(answer.status_code))
            if answer.status_code >= 300:
                raise CredentialsRejected("check_url", _words(answer, settings))
        else:
            notes.append("channel.sms.note.unchecked")
        return SetupResult(own_id=settings.sender, address=settings.sender, title="SMS", notes=tuple(notes))

    async def teardown(self, account: Account[SmsSettings], http: AsyncClient) -> None:
        """Nothing was registered."""


connector = Sms()


def _headers(account: Account[SmsSettings]) -> dict[str, str]:
    return {"authorization": account.settings.authorization.get_secret_value()}


async def _ask(http: AsyncClient, account: Account[SmsSettings]) -> Answer:
    """The check. That nobody answers is Unavailable, as nothing was asked to be done."""
    try:
        return await exchange(http, "GET", account.settings.check_url, headers=_headers(account))
    except OutcomeUnknown as error:
        raise Unavailable(error.provider_code) from None


def _body(action: OutboundAction, settings: SmsSettings) -> dict[str, Any]:
    """Raises UnsupportedContent for what is no text of one part."""
    if not isinstance(action, OutboundMessage) or not isinstance(action.content, Text):
        raise UnsupportedContent("only_text")
    text, number = action.content.text, number_of(action.address)
    if not text.strip() or len(split_text(text)) != 1:
        raise UnsupportedContent("text_too_long" if text.strip() else "empty_text")
    if not number.startswith("+"):
        raise UnsupportedContent("no_number")
    body: dict[str, Any] = {}
    values = {
        settings.to_field: number,
        settings.from_field: settings.sender,
        settings.text_field: text,
        settings.reference_field: str(action.attempt_id),
    }
    for path, value in values.items():
        _put(body, path.split("."), value)
    return body


def _put(body: dict[str, Any], path: list[str], value: str) -> None:
    """Set a value at `a.b`; a number in a path makes no list: gateways take one message as an object."""
    for name in path[:-1]:
        body = body.setdefault(name, {})
    body[path[-1]] = value


def _receipt(answer: Answer, settings: SmsSettings) -> Receipt:
    """Raises the SendError that an answer means."""
    status, told = answer.status_code, _json(answer)
    if status < 300:
        number = at_path(told, settings.id_field)
        if isinstance(number, bool) or not isinstance(number, str | int) or number == "":
            raise OutcomeUnknown("unreadable_answer")
        return Receipt(status="accepted", keys=(f"o:{number}",))
    word, words = at_path(told, settings.status_field), _words(answer, settings)
    if isinstance(word, str) and settings.outcome_of(word) == "opted_out":
        raise RecipientOptedOut(word, words)
    raise _refusal(status, words, answer)


def _refusal(status: int, words: str, answer: Answer) -> SendError:
    """By HTTP alone: gateways share no other language. 500, 502 and 504 leave a doubt; 503 is a server's word that it did not."""
    code = str(status)
    match status:
        case 401 | 403:
            return AuthFailed(code, words)
        case 402:
            return AccountPaused("no_credits", code, words)
        case 429:
            after = answer.headers.get("retry-after", "")
            return RateLimited(max(1.0, float(after)) if after.isascii() and after.isdigit() else WAIT_WITHOUT_NUMBER, code, words)
        case 503:
            return Unavailable(code, words)
        case _ if 400 <= status < 500:
            return Rejected(code, words)
        case _ if 300 <= status < 400:
            return Unavailable(code, words)
        case _:
            return OutcomeUnknown(code, words)


def _words(answer: Answer, settings: SmsSettings) -> str:
    """The gateway's reason, without our key in it."""
    reason = at_path(_json(answer), settings.reason_field)
    text = reason if isinstance(reason, str) else ""
    return text.replace(settings.authorization.get_secret_value(), "…")[:LONGEST_WORDS]


def _json(answer: Answer) -> Any:
    try:
        return answer.json()
    except ValueError:
        return None
