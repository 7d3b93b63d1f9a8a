"""A gateway's webhook -> events: a message, or the report on one of ours. `README.md` documents both."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from hub.connectors.contract import RawRequest
from hub.connectors.errors import MalformedPayload
from hub.connectors.events import ConsentChanged, Event, MessageReceived, Sender, StatusChanged, Text, Unrecognised
from hub.connectors.sms.settings import SmsSettings

EARLIEST, LATEST = 946_684_800, 4_102_444_800
"""Unix seconds of the years 2000 and 2100: a number outside is no time, and beyond the latter it is in milliseconds."""
UNKNOWN_TIME: Final = datetime(2000, 1, 1, tzinfo=UTC)
SHOWN: Final = 200


def read_webhook(request: RawRequest, settings: SmsSettings) -> Sequence[Event]:
    """One object, or a list of them: gateways report in batches."""
    try:
        body = orjson.loads(request.body)
    except orjson.JSONDecodeError as error:
        raise MalformedPayload("no JSON") from error
    elements = body if isinstance(body, list) else [body]
    if not elements or not all(isinstance(one, dict) and one for one in elements):
        raise MalformedPayload("neither an object nor a list of objects")
    events: dict[str, Event] = {}
    for element in elements:
        for event in _read(element, request, settings):
            events.setdefault(event.key, event)
    return list(events.values())


def _read(element: dict[str, Any], request: RawRequest, settings: SmsSettings) -> list[Event]:
    """A report names a status, a message has a text. Raises MalformedPayload for one of them that lacks its place."""
    at = _moment(at_path(element, settings.at_field)) or request.received_at or UNKNOWN_TIME
    word = _word(element, settings.status_field)
    if word:
        return _report(element, word, at, settings)
    text = at_path(element, settings.text_field)
    if isinstance(text, str):
        return [_message(element, text, at, settings)]
    key = f"u:{hashlib.sha256(orjson.dumps(element)).hexdigest()[:32]}"
    return [Unrecognised(key=key, at=at, kind="webhook", why="neither a text nor a status")]


def _message(element: dict[str, Any], text: str, at: datetime, settings: SmsSettings) -> MessageReceived:
    number = number_of(_word(element, settings.from_field))
    if not number:
        raise MalformedPayload(f"no sender in {settings.from_field!r}")
    key = _word(element, settings.id_field)
    if not key:  # a gateway that numbers nothing: what repeats word for word in the same second is a repetition
        key = hashlib.sha256(f"{number}\n{at.isoformat()}\n{text}".encode("utf-8", "replace")).hexdigest()[:32]
    phone = number if number.startswith("+") else ""
    return MessageReceived(
        key=f"m:{key}",
        at=at,
        sender=Sender(provider_user_id=number, display_name=number, phone=phone),
        content=Text(text=text),
    )


def _report(element: dict[str, Any], word: str, at: datetime, settings: SmsSettings) -> list[Event]:
    target, outcome = _word(element, settings.id_field), settings.outcome_of(word)
    if not target:
        raise MalformedPayload(f"a report without {settings.id_field!r}")
    key = f"s:{target}:{word.lower()}"
    if not outcome:
        return [Unrecognised(key=key, at=at, kind=f"status {word[:SHOWN]}", why="a word that the channel's settings do not name")]
    reason = _word(element, settings.reason_field)[:SHOWN]
    status = "failed" if outcome == "opted_out" else outcome
    events: list[Event] = [
        StatusChanged(
            key=key,
            at=at,
            target_key=f"o:{target}",
            status=status,  # type: ignore[arg-type]  # one of the three that `outcome_of` names
            provider_code=word[:SHOWN] if status == "failed" else "",
            provider_text=reason,
        )
    ]
    number = number_of(_word(element, settings.to_field))
    if outcome == "opted_out" and number:
        events.append(ConsentChanged(key=f"c:{target}", at=at, sender=Sender(provider_user_id=number), change="opted_out"))
    return events


def at_path(element: Any, path: str) -> Any:
    """What stands at `a.b.0`; None where nothing does."""
    for name in path.split("."):
        if isinstance(element, dict):
            element = element.get(name)
        elif isinstance(element, list) and name.isdecimal() and int(name) < len(element):
            element = element[int(name)]
        else:
            return None
    return element


def number_of(word: str) -> str:
    """A number in international form: `+49151…`. Short codes and names stay as they are; empty for nothing."""
    plain = word.strip()
    digits = "".join(sign for sign in plain if sign not in " ()-/.")
    if digits.startswith("00"):
        digits = f"+{digits[2:]}"
    if digits.isascii() and digits.isdigit() and 8 <= len(digits) <= 15 and digits[0] != "0":
        digits = f"+{digits}"
    return digits if digits.removeprefix("+").isdigit() else plain


def _word(element: dict[str, Any], path: str) -> str:
    value = at_path(element, path)
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return str(value).strip()


def _moment(value: Any) -> datetime | None:
    """ISO 8601 with its zone, or unix seconds or milliseconds; None for anything else: a time without a zone could be any."""
    if isinstance(value, str) and value.strip().isascii():
        try:
            at = datetime.fromisoformat(value.strip())
        except ValueError:
            value = int(value) if value.strip().isdigit() and len(value) < 20 else None
        else:
            return _sane(at.timestamp()) if at.tzinfo else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return _sane(value / 1000 if value > LATEST else value)


def _sane(seconds: float) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if EARLIEST <= seconds <= LATEST else None
