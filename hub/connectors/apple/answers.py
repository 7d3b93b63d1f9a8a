"""What a customer picked in an interactive message -> a content (provider file, 4)."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from hub.connectors.events import Content, Detail, Interactive, Sheet, Unsupported

LABELS: Final = 200
"""Characters of an unknown word that are kept."""


def read_answer(interactive: dict[str, Any]) -> Content:
    """One picked answer is `Interactive`; several, or a form, are a sheet; what is not known is a card with the title that its
    bubble shows."""
    data = interactive.get("data")
    data = data if isinstance(data, dict) else {}
    match data:
        case {"quick-reply": dict(quick)}:
            return _quick(quick) or _unknown("quick-reply", interactive)
        case {"listPicker": dict(picker)}:
            return _picked(picker, interactive)
        case {"event": dict(event)} | {"timePicker": {"event": dict(event)}}:
            return _time(event) or _unknown("event", interactive)
        case {"dynamic": {"template": "messageForms"} as form}:
            return Sheet(kind="form", title=_title(interactive), details=tuple(_form(form)))
        case {"authenticate": dict(told)}:
            return Unsupported(kind="authenticate", summary=_word(told, "status")[:LABELS])
        case {"payment": dict(paid)}:
            return Sheet(kind="payment", title=_title(interactive), details=tuple(_plain(paid)))
        case _:
            return _unknown(next((name for name in data if name not in ENVELOPE), "interactive"), interactive)


ENVELOPE: Final = frozenset({"version", "requestIdentifier", "replyMessage", "receivedMessage", "images", "mspVersion"})


def question_of(interactive: dict[str, Any]) -> str:
    """The id of the question that was answered: of our own it is that of the part. Empty where there is none."""
    data = interactive.get("data")
    return _word(data, "requestIdentifier").lower() if isinstance(data, dict) else ""


def is_told(interactive: object) -> bool:
    """Whether the answer itself is at hand, and not only where it lies."""
    return isinstance(interactive, dict) and isinstance(interactive.get("data"), dict)


def as_text(interactive: dict[str, Any]) -> str:
    """An answer as a file to read: what it means in plain words, and below all that Apple tells."""
    content = read_answer(interactive)
    match content:
        case Interactive():
            lines = [content.label or content.option]
        case Sheet():
            lines = [content.title, *(f"{one.label}: {one.value}" if one.label else one.value for one in content.details)]
        case Unsupported():
            lines = [content.summary or content.kind]
        case _:
            lines = []
    told = orjson.dumps(interactive, option=orjson.OPT_INDENT_2).decode()
    return "\n".join([*(line for line in lines if line), "", told, ""])


def _quick(quick: dict[str, Any]) -> Content | None:
    """The index may be 0; it is in use, the identifier is not certain."""
    items, index = quick.get("items"), quick.get("selectedIndex")
    chosen = None
    if isinstance(items, list) and type(index) is int and 0 <= index < len(items):
        chosen = items[index]
    option = _word(quick, "selectedIdentifier")
    if isinstance(chosen, dict):
        return Interactive(option=_word(chosen, "identifier") or option, label=_word(chosen, "title"))
    return Interactive(option=option, label="") if option else None


def _picked(picker: dict[str, Any], interactive: dict[str, Any]) -> Content:
    chosen = list(_items(picker))
    if len(chosen) == 1:
        _, item = chosen[0]
        return Interactive(option=_word(item, "identifier"), label=_word(item, "title"))
    if not chosen:
        return _unknown("listPicker", interactive)
    details = tuple(Detail(label=section, value=_word(item, "title") or _word(item, "identifier")) for section, item in chosen)
    return Sheet(kind="form", title=_title(interactive), details=details)


def _items(picker: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every chosen item with the title of its section."""
    for section in _dicts(picker.get("sections")):
        yield from ((_word(section, "title"), item) for item in _dicts(section.get("items")))


def _time(event: dict[str, Any]) -> Content | None:
    slots = list(_dicts(event.get("timeslots")))
    if len(slots) != 1:
        return None
    (slot,) = slots
    start = _moment(_word(slot, "startTime"))
    option = _word(slot, "identifier")
    label = f"{start:%Y-%m-%d %H:%M} UTC" if start else _word(slot, "startTime")
    return Interactive(option=option, label=label) if option or label else None


def _moment(word: str) -> datetime | None:
    """`2026-11-24T09:30+0000`."""
    try:
        at = datetime.fromisoformat(word)
        return at.astimezone(UTC) if at.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _form(form: dict[str, Any]) -> Iterator[Detail]:
    data = form.get("data")
    told = form.get("selections") or (data.get("selections") if isinstance(data, dict) else None)
    for page in _dicts(told):
        values = [_word(item, "value") or _word(item, "title") for item in _dicts(page.get("items"))]
        yield Detail(label=_word(page, "title"), value=", ".join(value for value in values if value))


def _plain(told: dict[str, Any]) -> Iterator[Detail]:
    yield from (Detail(label=name, value=value[:LABELS]) for name, value in told.items() if isinstance(value, str))


def _unknown(kind: str, interactive: dict[str, Any]) -> Unsupported:
    return Unsupported(kind=kind[:LABELS], summary=_title(interactive))


def _title(interactive: dict[str, Any]) -> str:
    """What the bubble of the answer shows; older payloads have it outside `data`."""
    data = interactive.get("data")
    for place in (data, interactive):
        shown = place.get("replyMessage") if isinstance(place, dict) else None
        if isinstance(shown, dict) and (title := _word(shown, "title")):
            more = _word(shown, "subtitle")
            return f"{title}: {more}"[:LABELS] if more else title[:LABELS]
    return ""


def _dicts(value: object) -> Iterator[dict[str, Any]]:
    yield from (one for one in value if isinstance(one, dict)) if isinstance(value, list) else ()


def _word(item: dict[str, Any], name: str) -> str:
    value = item.get(name)
    return value if isinstance(value, str) else ""
