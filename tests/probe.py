"""A messenger that exists only in tests: the smallest connector with receipts, a reply window and every kind of content and act.

It proves what Telegram cannot show (delivered, read, failed after accepted, channel-wide addresses) through the same contract. Its
payload is a JSON list of events in almost the words of `hub/connectors/events.py`; what it is sent is the action in the same words.
"""

import hmac
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from httpx import AsyncClient
from pydantic import SecretStr

from hub.connectors.contract import (
    Account,
    AnswerPress,
    Capabilities,
    CardsLimit,
    ChoiceLimit,
    DeleteMessage,
    EditMessage,
    MediaLimit,
    OutboundAction,
    OutboundFile,
    OutboundMessage,
    Permit,
    RawRequest,
    React,
    Receipt,
    Settings,
    SetupResult,
)
from hub.connectors.errors import MalformedPayload, Rejected, SignatureInvalid, UnsupportedContent
from hub.connectors.events import (
    Album,
    Cards,
    ChannelHealth,
    Choice,
    ConsentChanged,
    ContactCard,
    Content,
    Detail,
    Event,
    IdentityChanged,
    Interactive,
    Location,
    Media,
    MessageDeleted,
    MessageEdited,
    MessageReceived,
    MessageSent,
    OutboundContent,
    Price,
    ReactionChanged,
    Referral,
    Sender,
    Sheet,
    Span,
    StatusChanged,
    StatusUpTo,
    TemplateChanged,
    Text,
    TimeChoice,
    Typing,
    Unrecognised,
    Unsupported,
)
from hub.connectors.http import exchange

URL = "https://probe.example/send"


class ProbeSettings(Settings):
    token: SecretStr


class Probe:
    connector = "probe"
    label = "Probe"
    mark = "web"
    capabilities = Capabilities(
        max_text=1000,
        text_unit="characters",
        confirms=frozenset({"sent", "delivered", "read"}),
        reply_window_hours=24,
        address_scope="channel",
        idempotent_sends=False,
        per_second=50.0,
        styles=frozenset({"bold", "italic"}),
        media={
            "image": MediaLimit(bytes=1_000_000, types=frozenset({"image/png", "image/jpeg"})),
            "voice": MediaLimit(bytes=1_000_000),
            "document": MediaLimit(bytes=2_000_000),
        },
        max_caption=200,
        location=True,
        choice=ChoiceLimit(options=3, label=20),
        cards=CardsLimit(cards=3, title=40, text=100, options=2, label=20),
        times=True,
        replies=True,
        actions=frozenset({"edit", "delete", "react", "typing"}),
        reactions=("👍", "👎", "❤", "🔥", "🎉", "👏", "😁", "😢", "🙏", "🤔"),
        edit_hours=48,
    )
    settings = ProbeSettings
    keeps_headers: frozenset[str] = frozenset()

    def verify(self, request: RawRequest, account: Account[ProbeSettings]) -> None:
        given = request.headers.get("x-probe-secret", "")
        if not any(hmac.compare_digest(given.encode(), secret.encode()) for secret in account.webhook_secrets):
            raise SignatureInvalid

    def parse(self, request: RawRequest, account: Account[ProbeSettings]) -> Sequence[Event]:
        try:
            raw = json.loads(request.body)
        except ValueError as error:
            raise MalformedPayload("no JSON") from error
        return [_event(one) for one in raw]

    def split(self, content: OutboundContent) -> Sequence[OutboundContent]:
        if isinstance(content, Media | Album) and content.caption and len(content.caption.text) > 200:
            raise UnsupportedContent("caption_too_long")
        if isinstance(content, Cards) and content.text:
            return [Text(text=content.text), replace(content, text="")]
        if isinstance(content, Text) and len(content.text) > 1000:
            text = content.text
            return [Text(text=text[at : at + 1000]) for at in range(0, len(text), 1000)]
        return [content]

    async def send(self, permit: Permit, action: OutboundAction, account: Account[ProbeSettings], http: AsyncClient) -> Receipt:
        permit.spend(action)
        response = await exchange(http, "POST", URL, json={"to": action.address, **_told(action)})
        if response.status_code != 200:
            raise Rejected(str(response.status_code), "probe says no")
        if not isinstance(action, OutboundMessage):
            return Receipt(status="accepted")
        answer = response.json()
        return Receipt(status="accepted", keys=tuple(answer["id"].split()), at=datetime.fromtimestamp(answer["at"], UTC))

    async def setup(self, account: Account[ProbeSettings], callback_url: str | None, http: AsyncClient) -> SetupResult:
        return SetupResult(own_id="probe", address="@probe", title="Probe")

    async def teardown(self, account: Account[ProbeSettings], http: AsyncClient) -> None:
        return None


def _told(action: OutboundAction) -> dict[str, Any]:
    """An action in plain words; a text message is its text."""
    match action:
        case OutboundMessage():
            reply = {"reply_to": action.reply_to_key} if action.reply_to_key else {}
            files = {ref: [file.name, _read_file(file)] for ref, file in action.files.items()}
            return _content(action.content) | reply | ({"files": files} if files else {})
        case EditMessage():
            return {"do": "edit", "target": action.target_key, **_content(action.content)}
        case DeleteMessage():
            return {"do": "delete", "targets": action.target_keys}
        case React():
            return {"do": "react", "target": action.target_key, "emoji": action.emoji}
        case AnswerPress():
            return {"do": "answer", "press": action.press}
        case _:
            return {"do": "typing"}


def _read_file(file: OutboundFile) -> str:
    with file.open() as opened:
        return opened.read().decode(errors="replace")


def _content(content: OutboundContent) -> dict[str, Any]:
    match content:
        case Text():
            spans = [[span.start, span.end, span.style] for span in content.spans]
            return {"text": content.text} | ({"spans": spans} if spans else {})
        case Media():
            return {"media": [[content.kind, content.ref]], "text": content.caption.text if content.caption else ""}
        case Album():
            items = [[item.kind, item.ref] for item in content.items]
            return {"media": items, "text": content.caption.text if content.caption else ""}
        case Location():
            return {"place": [content.latitude, content.longitude, content.title]}
        case Choice():
            return {"text": content.text.text, "options": [[option.id, option.label] for option in content.options]}
        case TimeChoice():
            slots = [[slot.id, slot.start.isoformat(), slot.minutes] for slot in content.slots]
            return {"text": content.text.text, "event": content.event_title, "slots": slots}
        case Cards():
            return {"cards": [[one.title, one.text, [option.label for option in one.options]] for one in content.items]}
        case _:
            raise UnsupportedContent("not_for_the_probe")


def _person(raw: dict[str, Any], name: str = "from") -> Sender:
    return Sender(
        provider_user_id=raw[name],
        display_name=raw.get("name", ""),
        phone=raw.get("phone", ""),
        aliases=tuple(raw.get("aliases", ())),
    )


def _event(raw: dict[str, Any]) -> Event:
    """An event out of its own words: `type`, `key`, `at`, and the fields of `hub/connectors/events.py`, shorter."""
    at = datetime.fromtimestamp(raw["at"], UTC)
    kind, key = raw["type"], raw["key"]
    match kind:
        case "message":
            referral = Referral(**raw["referral"]) if "referral" in raw else None
            return MessageReceived(
                key=key,
                at=at,
                sender=_person(raw),
                content=_read(raw),
                sequence=raw.get("sequence", 0),
                reply_to_key=raw.get("reply_to"),
                quote=raw.get("quote", ""),
                forwarded_from=raw.get("forwarded_from", ""),
                album=raw.get("album", ""),
                press=raw.get("press", ""),
                piece_of=raw.get("piece_of", ""),
                referral=referral,
            )
        case "echo":
            return MessageSent(key=key, at=at, recipient=_person(raw, "to"), content=_read(raw), by=raw.get("by", ""))
        case "status":
            text, price = raw.get("text", ""), Price(**raw["price"]) if "price" in raw else None
            return StatusChanged(key=key, at=at, target_key=raw["target"], status=raw["status"], provider_text=text, price=price)
        case "up_to":
            up_to = datetime.fromtimestamp(raw["up_to"], UTC)
            return StatusUpTo(key=key, at=at, sender=_person(raw), up_to=up_to, status=raw["status"])
        case "edit":
            return MessageEdited(key=key, at=at, target_key=raw["target"], content=_read(raw))
        case "delete":
            return MessageDeleted(key=key, at=at, target_key=raw["target"])
        case "reaction":
            return ReactionChanged(key=key, at=at, target_key=raw["target"], emoji=raw["emoji"])
        case "blocked" | "unblocked" | "opted_out" | "opted_in" | "marketing_stopped" | "marketing_resumed":
            return ConsentChanged(key=key, at=at, sender=_person(raw), change=kind, text=raw.get("text", ""))
        case "moved":
            return IdentityChanged(key=key, at=at, sender=_person(raw), now=_person(raw, "now"))
        case "typing":
            return Typing(key=key, at=at, sender=_person(raw), is_typing=raw.get("is_typing", True))
        case "health":
            return ChannelHealth(key=key, at=at, level=raw["level"], cause=raw.get("cause", ""), text=raw.get("text", ""))
        case "template":
            told = {name: raw[name] for name in ("provider_id", "name", "language", "status", "category", "reason") if name in raw}
            return TemplateChanged(key=key, at=at, **told)
    return Unrecognised(key=key, at=at, kind=kind, why="not known to the probe")


def _read(raw: dict[str, Any]) -> Content:
    spans = tuple(Span(start=start, end=end, style=style, url=url) for start, end, style, url in raw.get("spans", ()))
    words = Text(text=raw.get("text", ""), spans=spans)
    if "media" in raw:
        return Media(**raw["media"], caption=words if words.text else None)
    if "place" in raw:
        return Location(**raw["place"])
    if "card" in raw:
        return ContactCard(**raw["card"])
    if "option" in raw:
        return Interactive(option=raw["option"], label=words.text)
    if "sheet" in raw:
        details = tuple(Detail(label=label, value=value) for label, value in raw.get("details", ()))
        return Sheet(kind=raw["sheet"], title=raw["title"], details=details, text=words.text, url=raw.get("url", ""))
    if "unsupported" in raw:
        return Unsupported(kind=raw["unsupported"], summary=words.text)
    return words


probe = Probe()
