"""Changing and removing messages. A bot edits its own; in a private chat it may delete those of the person as well."""

from typing import Any, Final

from hub.sandbox.telegram.chats import Chat, Entry
from hub.sandbox.telegram.errors import NOT_MODIFIED, bad
from hub.sandbox.telegram.markup import inline_markup
from hub.sandbox.telegram.media import CAPTIONED
from hub.sandbox.telegram.methods.albums import input_media
from hub.sandbox.telegram.methods.call import Call, Done, Method, caption_of_call, chat_of, message_of
from hub.sandbox.telegram.methods.texts import text_of_call
from hub.sandbox.telegram.wire import Json, unix_now

DELETABLE_SECONDS: Final = 48 * 3600
MOST_DELETED: Final = 100
CONTENT: Final = frozenset({"text", "entities", "caption", "caption_entities", "photo", "video", "animation", "audio", "document"})
"""Fields that an edit replaces, besides `reply_markup`."""


async def _edit_text(call: Call) -> Done:
    content = text_of_call(call.arguments)
    markup = inline_markup(call.arguments)
    message = _own_message(call)
    if "text" not in message:
        raise bad("there is no text in the message to edit")
    return _edited(message, content, markup, CONTENT)


async def _edit_caption(call: Call) -> Done:
    markup = inline_markup(call.arguments)
    caption = caption_of_call(call.arguments)
    message = _own_message(call)
    if not message.keys() & CAPTIONED:
        raise bad("there is no caption in the message to edit")
    return _edited(message, caption, markup, frozenset({"caption", "caption_entities"}))


async def _edit_media(call: Call) -> Done:
    markup = inline_markup(call.arguments)
    item = call.arguments.json("media", "can't parse input media JSON object")
    if item is None:
        raise bad('parameter "media" is required')
    kind, content = input_media(call, item, for_album=False)
    message = _own_message(call)
    if not message.keys() & {*CAPTIONED, "text"} or "voice" in message:
        raise bad("message can't be edited")
    if "media_group_id" in message and kind not in ("photo", "video") and kind not in message:
        raise bad(f"{kind} can't be mixed with other media types")
    return _edited(message, content, markup, CONTENT)


async def _edit_markup(call: Call) -> Done:
    markup = inline_markup(call.arguments)
    return _edited(_own_message(call), {}, markup, frozenset())


def _own_message(call: Call) -> Json:
    """The message that is named, if the bot wrote it. Raises Refused."""
    if not call.arguments.text("chat_id") and not call.arguments.text("message_id"):
        raise bad("message identifier is not specified")
    _, entry, message = message_of(call, "message to edit")
    if not entry.from_bot:
        raise bad("message can't be edited")
    return message


def _edited(message: Json, content: Json, markup: Json, replaced: frozenset[str]) -> Done:
    """The message with new content in place of these fields. Raises Refused when nothing changes."""
    before = {name: message[name] for name in message if name in replaced}
    if before == content and message.get("reply_markup", {}) == markup:
        raise bad(NOT_MODIFIED)
    for name in (*before, "reply_markup"):
        message.pop(name, None)
    message |= {"edit_date": unix_now()} | content | ({"reply_markup": markup} if markup else {})
    return Done(message)


async def _delete(call: Call) -> Done:
    if not call.arguments.text("chat_id"):
        raise bad("chat identifier is not specified")
    if call.arguments.integer("message_id") <= 0:
        raise bad("message identifier is not specified")
    chat, entry, _ = message_of(call, "message to delete")
    if not _is_deletable(chat, entry):
        raise bad("message can't be deleted for everyone")
    entry.is_deleted = True
    return Done(True)


async def _delete_several(call: Call) -> Done:
    """Those that are there and may go; the others are skipped."""
    if not call.arguments.text("chat_id"):
        raise bad("chat identifier is not specified")
    numbers = _message_ids(call.arguments.json("message_ids", "can't parse message_ids JSON object"))
    chat = chat_of(call)
    for number in numbers:
        entry = chat.find(number)
        if entry is not None and _is_deletable(chat, entry):
            entry.is_deleted = True
    return Done(True)


def _message_ids(given: Any) -> list[int]:
    """Raises Refused."""
    if given is None:
        raise bad("message identifiers are not specified")
    if not isinstance(given, list):
        raise bad("expected an Array of message identifiers")
    if len(given) > MOST_DELETED:
        raise bad("too many message identifiers specified")
    numbers = [int(one) if isinstance(one, str) and one.isdecimal() else one for one in given]
    if not numbers or not all(isinstance(one, int) and one > 0 for one in numbers):
        raise bad("invalid message identifier specified")
    return numbers


def _is_deletable(chat: Chat, entry: Entry) -> bool:
    assert entry.message is not None
    is_mine = entry.from_bot or chat.group is None
    return is_mine and unix_now() - entry.message["date"] <= DELETABLE_SECONDS


METHODS: Final[dict[str, Method]] = {
    "editMessageText": _edit_text,
    "editMessageCaption": _edit_caption,
    "editMessageMedia": _edit_media,
    "editMessageReplyMarkup": _edit_markup,
    "deleteMessage": _delete,
    "deleteMessages": _delete_several,
}
