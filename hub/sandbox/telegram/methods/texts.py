"""Texts, and that one is being typed."""

from typing import Final

from hub.core import clock
from hub.sandbox.telegram.arguments import Arguments
from hub.sandbox.telegram.chats import TYPING_LIFE
from hub.sandbox.telegram.entities import marked, read_formatted
from hub.sandbox.telegram.errors import bad
from hub.sandbox.telegram.methods.call import Call, Done, Method, given_entities, send, writable_chat
from hub.sandbox.telegram.wire import Json, utf16

LONGEST_TEXT: Final = 4096
ACTIONS: Final = frozenset({
    "cancel", "typing", "record_video", "upload_video", "record_audio", "record_voice", "upload_audio", "upload_voice",
    "upload_photo", "upload_document", "choose_sticker", "pick_up_location", "find_location", "record_video_note",
    "upload_video_note",
})  # fmt: skip


def text_of_call(arguments: Arguments) -> Json:
    """The fields of the text that was given. Raises Refused."""
    if not arguments.text("text"):
        raise bad("message text is empty")
    text, marks = read_formatted(arguments.text("text"), arguments.text("parse_mode"), given_entities(arguments, "entities"))
    if not text:
        raise bad("text must be non-empty")
    if utf16(text) > LONGEST_TEXT:
        raise bad("message is too long")
    return marked("text", text, marks)


async def _send_message(call: Call) -> Done:
    return send(call, text_of_call(call.arguments))


async def _send_chat_action(call: Call) -> Done:
    action = call.arguments.text("action").lower()
    if action not in ACTIONS:
        raise bad("wrong parameter action in request")
    chat = writable_chat(call, 0)
    chat.typing_until = None if action == "cancel" else clock.now() + TYPING_LIFE
    return Done(True)


METHODS: Final[dict[str, Method]] = {"sendMessage": _send_message, "sendChatAction": _send_chat_action}
