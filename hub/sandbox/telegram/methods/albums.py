"""Several files as one message: sendMediaGroup."""

import random
from typing import Any, Final

from hub.sandbox.telegram.errors import bad
from hub.sandbox.telegram.media import MediaKind
from hub.sandbox.telegram.methods.call import (
    Call,
    Done,
    Method,
    caption_of,
    options_of,
    read_reply,
    replied,
    writable_chat,
)
from hub.sandbox.telegram.methods.media import media_content
from hub.sandbox.telegram.wire import Json

FEWEST: Final = 2
MOST: Final = 10
KINDS: Final[dict[str, MediaKind]] = {kind: kind for kind in ("photo", "video", "animation", "audio", "document")}
ALONE: Final = ("audio", "document")
"""Kinds that go only among themselves; photos and videos mix."""


def input_media(call: Call, item: Any, *, for_album: bool) -> tuple[str, Json]:
    """Kind and fields of one InputMedia. Raises Refused."""
    if not isinstance(item, dict):
        raise bad("can't parse InputMedia: expected an Object")
    caption = caption_of(str(item.get("caption", "")), str(item.get("parse_mode", "")), item.get("caption_entities"))
    if "type" not in item:
        raise bad("can't parse InputMedia: Can't find field \"type\"")
    if not item.get("media"):
        raise bad("can't parse InputMedia: media not found")
    kind = KINDS.get(str(item["type"]))
    if kind is None:
        raise bad(f'can\'t parse InputMedia: type "{item["type"]}" is unsupported')
    if for_album and kind == "animation":
        raise bad("can't parse InputMedia: type \"animation\" can't be used in sendMediaGroup")
    return kind, media_content(call.bot, call.arguments, kind, str(item["media"]), item) | caption


async def _send_media_group(call: Call) -> Done:
    items = call.arguments.json("media", "can't parse media JSON object")
    if items is None:
        raise bad('parameter "media" is required')
    if not isinstance(items, list):
        raise bad("expected an Array of InputMedia")
    if not FEWEST <= len(items) <= MOST:
        raise bad(f"an album must have from {FEWEST} to {MOST} items")  # exact text unconfirmed
    media = [input_media(call, item, for_album=True) for item in items]
    kinds = {kind for kind, _ in media}
    for kind in ALONE:
        if kind in kinds and len(kinds) > 1:
            raise bad(f"{kind} can't be mixed with other media types")
    reply = read_reply(call.arguments)
    chat = writable_chat(call, len(media))
    original, quote = replied(chat, reply)
    group = {"media_group_id": str(random.randint(10**16, 10**17))} | options_of(call.arguments)
    return Done([call.bot.say(chat, group | content, reply_to=original, quote=quote) for _, content in media])


METHODS: Final[dict[str, Method]] = {"sendMediaGroup": _send_media_group}
