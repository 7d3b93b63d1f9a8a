"""What Meta checks of a message, and what becomes of it on the person's phone (messenger.md, 6, 8, 11 and 12; instagram.md, 4)."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final

from hub.core import clock
from hub.core.errors import NotFound
from hub.sandbox._graph.refusals import Json, Refused, invalid
from hub.sandbox._graph.wire import Asked
from hub.sandbox._graph.world import Page, Thread, World
from hub.sandbox.messengers import FileKind, PhoneButton, PhoneLine

WINDOW, HUMAN_WINDOW = timedelta(hours=24), timedelta(days=7)
LONGEST_TITLE, LONGEST_PAYLOAD, LONGEST_QUESTION, LONGEST_LINE, LONGEST_METADATA = 20, 1000, 640, 80, 1000
QUICK_REPLIES, BUTTONS, ELEMENTS = 13, 3, 10
ON_PHONE: Final[dict[str, FileKind]] = {"image": "image", "video": "video", "audio": "voice", "file": "document"}
ACTIONS: Final = frozenset({"typing_on", "typing_off", "mark_seen", "react", "unreact"})
KNOWN: Final = frozenset(
    {"recipient", "messaging_type", "tag", "message", "reply_to", "sender_action", "payload", "notification_type"}
)
TYPES: Final = frozenset({"RESPONSE", "UPDATE", "MESSAGE_TAG", "UTILITY"})


def find_thread(world: World, page: Page, asked: Asked) -> Thread:
    """Whom the call is for. Raises Refused."""
    recipient = asked.values.get("recipient")
    if not isinstance(recipient, dict) or len(recipient) != 1:
        raise invalid("Param recipient must name exactly one of id, user_ref, notification_messages_token")
    (kind, value), *_ = recipient.items()
    if kind == "id" and isinstance(value, str):
        if value not in page.threads:
            raise invalid("No matching user found", subcode=2018001)
        return page.threads[value]
    of_ticket = world.tickets.get(f"{kind}:{value}")
    if of_ticket is None or of_ticket[0] is not page:
        raise invalid("No matching user found", subcode=2018001)
    return of_ticket[1]


def act(world: World, page: Page, thread: Thread, asked: Asked) -> None:
    """A sender action. Raises Refused."""
    action = asked.text("sender_action").lower()
    if action not in ACTIONS:
        raise invalid("Param sender_action must be one of {TYPING_ON, TYPING_OFF, MARK_SEEN, REACT, UNREACT}")
    if "message" in asked.values:
        raise invalid("Param sender_action and message cannot be in one call")
    _check_reachable(thread)
    if action in ("typing_on", "typing_off"):
        thread.is_typing = action == "typing_on"
    elif action == "mark_seen":
        thread.lines = [line if line.is_theirs else replace(line, state="read") for line in thread.lines]
    else:
        _react(world, thread, action, asked.values.get("payload"))


def _react(world: World, thread: Thread, action: str, payload: object) -> None:
    given = payload if isinstance(payload, dict) else {}
    try:
        line = thread.line(str(given.get("message_id")))
    except NotFound:
        raise invalid("Param payload[message_id] is no message of this thread") from None
    emoji = given.get("reaction") if action == "react" else ""
    taken = world.flavour.reactions
    if not isinstance(emoji, str) or (action == "react" and not emoji) or (emoji and taken and emoji not in taken):
        raise invalid("Param payload[reaction] is not supported")
    shown = taken.get(emoji, emoji)
    thread.change(replace(line, reactions=(shown,) if shown else ()))


def receive(world: World, page: Page, thread: Thread, asked: Asked) -> PhoneLine:
    """A message, as it shows on the phone. Raises Refused."""
    if unknown := asked.values.keys() - KNOWN:
        raise invalid(f"Unexpected keys {sorted(unknown)}")
    message = asked.values.get("message")
    if not isinstance(message, dict) or not message:
        raise invalid("Param message must be a non-empty object")
    line = _utility(world, page, message) if "template" in message else _content(world, message)
    reply_to = asked.values.get("reply_to")
    if reply_to is not None:
        mid = reply_to.get("mid") if isinstance(reply_to, dict) else None
        if not any(one.id == mid for one in thread.lines):
            raise invalid("Param reply_to[mid] is no message of this thread")
        line = replace(line, reply_to=str(mid))
    _check_reachable(thread)
    _check_window(world, thread, asked)
    thread.is_typing = False
    thread.lines.append(line)
    return line


def _check_reachable(thread: Thread) -> None:
    if thread.is_blocked:
        raise Refused(551, "(#551) This person isn't available right now.", subcode=1545041)
    if thread.owner:
        raise Refused(10, "(#10) Message failed to send because another app is controlling this thread now.", subcode=2018300)


def _check_window(world: World, thread: Thread, asked: Asked) -> None:
    kind, tag = asked.text("messaging_type") or "RESPONSE", asked.text("tag")
    if kind not in TYPES or (kind == "MESSAGE_TAG") != bool(tag):
        raise invalid("Param messaging_type must be one of {RESPONSE, UPDATE, MESSAGE_TAG}, the last with a tag")
    if tag and tag != "HUMAN_AGENT":
        raise invalid("Invalid parameter")
    if (kind == "UTILITY") != ("template" in asked.values["message"]):
        raise invalid("Param messaging_type UTILITY and message[template] belong together")
    if kind == "UTILITY" or "notification_messages_token" in asked.values["recipient"] or "user_ref" in asked.values["recipient"]:
        return
    since = clock.now() - thread.acted_at if thread.acted_at is not None else None
    if since is None or since > (HUMAN_WINDOW if tag else WINDOW):
        code, subcode, text = world.flavour.closed
        raise Refused(code, text, subcode=subcode, status=403)


def _content(world: World, message: Json) -> PhoneLine:
    if unknown := message.keys() - {"text", "attachment", "quick_replies", "metadata"}:
        raise invalid(f"Unexpected keys {sorted(unknown)} in param message")
    if len(str(message.get("metadata", ""))) > LONGEST_METADATA:
        raise invalid("Length of param message[metadata] must be less than or equal to 1000")
    if ("text" in message) == ("attachment" in message):
        raise invalid("Param message must have exactly one of text and attachment")
    line = PhoneLine(id=world.next_mid(), at=clock.now(), is_theirs=True)
    if "attachment" in message:
        if "quick_replies" in message and world.flavour.topic == "instagram":
            raise invalid("Quick replies need a text")
        line = _attachment(world, line, message["attachment"])
    else:
        line = replace(line, text=_text(message["text"], world.flavour.longest_text, world, "message[text]"))
    if "quick_replies" in message:
        line = replace(line, buttons=_quick_replies(message["quick_replies"]))
        world.quick.add(line.id)
    return line


def _utility(world: World, page: Page, message: Json) -> PhoneLine:
    """A template that was approved before: the one kind that may go after the window by itself."""
    if world.flavour.topic != "page" or message.keys() != {"template"}:
        raise invalid("Param message[template] is not supported here")
    text, buttons = page.templates.read(message["template"])
    pressed = tuple(PhoneButton(id=payload, label=label) for payload, label in buttons)
    return PhoneLine(id=world.next_mid(), at=clock.now(), is_theirs=True, text=text, buttons=pressed)


def _text(value: object, longest: int, world: World, name: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise invalid(f"Param {name} must be a non-empty string")
    if world.flavour.size(value) > longest:
        raise invalid(f"Length of param {name} must be less than or equal to {longest}")
    return value


def _quick_replies(value: object) -> tuple[PhoneButton, ...]:
    if not isinstance(value, list) or not 0 < len(value) <= QUICK_REPLIES:
        raise invalid("Param message[quick_replies] must have 1 to 13 elements")
    return tuple(_button(one, kind_name="content_type", kind="text") for one in value)


def _button(value: object, *, kind_name: str, kind: str) -> PhoneButton:
    given = value if isinstance(value, dict) else {}
    title, payload, url = given.get("title"), given.get("payload"), given.get("url")
    if not isinstance(title, str) or not 0 < len(title) <= LONGEST_TITLE:
        raise invalid("A title must have 1 to 20 characters")
    if given.get(kind_name) == "web_url" and isinstance(url, str) and url.startswith("https://"):
        return PhoneButton(id="", label=title, url=url)
    if given.get(kind_name) != kind or not isinstance(payload, str) or not 0 < len(payload) <= LONGEST_PAYLOAD:
        raise invalid("A button needs a type and a payload of 1 to 1000 characters")
    return PhoneButton(id=payload, label=title)


def _buttons(value: object) -> tuple[PhoneButton, ...]:
    if not isinstance(value, list) or not 0 < len(value) <= BUTTONS:
        raise invalid("Param buttons must have 1 to 3 elements")
    return tuple(_button(one, kind_name="type", kind="postback") for one in value)


def _attachment(world: World, line: PhoneLine, value: object) -> PhoneLine:
    given = value if isinstance(value, dict) else {}
    kind, payload = given.get("type"), given.get("payload")
    if not isinstance(payload, dict) or not payload:
        raise invalid("Param message[attachment][payload] is required")
    if kind == "template":
        return _template(world, line, payload)
    if kind not in world.flavour.attachments:
        raise invalid("Param message[attachment][type] is not supported")
    known = world.attachments.get(str(payload.get("attachment_id")))
    if known is None or known[0] != kind:
        raise invalid("Invalid attachment id", subcode=2018074)
    return replace(line, files=(known[1],))


def kind_on_phone(kind: str) -> FileKind:
    """What the phone calls a kind of file of Meta's."""
    return ON_PHONE[kind]


def _template(world: World, line: PhoneLine, payload: Json) -> PhoneLine:
    match payload.get("template_type"):
        case "button":
            text = _text(payload.get("text"), LONGEST_QUESTION, world, "text")
            return replace(line, text=text, buttons=_buttons(payload.get("buttons")))
        case "generic":
            return _cards(world, line, payload.get("elements"))
        case _:
            raise invalid("Param template_type is not supported")


def _cards(world: World, line: PhoneLine, elements: object) -> PhoneLine:
    if not isinstance(elements, list) or not 0 < len(elements) <= ELEMENTS:
        raise invalid("Param elements must have 1 to 10 elements")
    shown: list[str] = []
    buttons: Sequence[PhoneButton] = ()
    for one in elements:
        given = one if isinstance(one, dict) else {}
        words = [_line(given, name) for name in ("title", "subtitle") if name in given]
        if "title" not in given or len(given) < 2:
            raise invalid("An element needs a title and something beside it")
        shown.append(" – ".join(words))
        buttons = [*buttons, *(_buttons(given["buttons"]) if "buttons" in given else ())]
    return replace(line, text="\n".join(shown), buttons=tuple(buttons))


def _line(element: Json, name: str) -> str:
    value = element[name]
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_LINE:
        raise invalid(f"Param {name} must have 1 to 80 characters")
    return value
