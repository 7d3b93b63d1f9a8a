"""An action -> one call of signal-cli in the daemon's words (provider file, 5), and its result -> a receipt."""

import base64
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from hub.connectors.contract import (
    DeleteMessage,
    EditMessage,
    MarkRead,
    OutboundAction,
    OutboundFile,
    OutboundMessage,
    React,
    Receipt,
    ShowTyping,
)
from hub.connectors.errors import OutcomeUnknown, UnsupportedContent
from hub.connectors.events import Album, Media, OutboundContent, Text
from hub.connectors.signal.envelope import author_and_timestamp, moment, our_key
from hub.connectors.signal.reading import Json, a_timestamp
from hub.connectors.signal.roads import Attachment, Call
from hub.connectors.signal.split import split_content
from hub.connectors.signal.text import write_styles

ADDRESS: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\+[1-9][0-9]{6,14}")
"""Whom signal-cli takes: the uuid, or the number."""
TAKEN_BACK: Final = "👍"
"""A reaction that is taken back has to be named; there is one of each person at a message, so any will do."""


def call_for(action: OutboundAction, own: str) -> Call:
    """The call of an action; `own` is our number. Raises UnsupportedContent for what Signal cannot express."""
    if not ADDRESS.fullmatch(action.address):
        raise UnsupportedContent("no_signal_address")
    to: Json = {"recipient": [action.address]}
    match action:
        case OutboundMessage():
            return Call("send", to | _said(action.content, action.files) | _quote(action, own))
        case EditMessage():
            return Call("send", to | _edited(action.content) | {"editTimestamp": _ours(action.target_key)})
        case DeleteMessage():
            if len(action.target_keys) != 1:
                raise UnsupportedContent("not_one_message")
            return Call("remoteDelete", to | {"targetTimestamp": _ours(action.target_keys[0])})
        case React():
            author, timestamp = _named(action.target_key, own)
            reaction = {"emoji": action.emoji or TAKEN_BACK, "targetAuthor": author, "targetTimestamp": timestamp}
            return Call("sendReaction", to | reaction | ({} if action.emoji else {"remove": True}))
        case ShowTyping():
            return Call("sendTyping", to)
        case MarkRead():
            _, timestamp = _named(action.target_key, own)
            return Call("sendReceipt", {"recipient": action.address, "targetTimestamp": [timestamp], "type": "read"})
        case _:
            raise UnsupportedContent("not_for_signal")


def receipt_for(action: OutboundAction, result: Any) -> Receipt:
    """What the answer says: of a message its timestamp, by which receipts will speak of it. Raises OutcomeUnknown."""
    if not isinstance(action, OutboundMessage):
        return Receipt(status="sent")
    timestamp = a_timestamp(result, "timestamp")
    if not timestamp:
        raise OutcomeUnknown("unreadable_answer")
    return Receipt(status="sent", keys=(our_key(timestamp),), at=moment(timestamp))


def _named(key: str, own: str) -> tuple[str, int]:
    found = author_and_timestamp(key, own)
    if found is None:
        raise UnsupportedContent("no_timestamp")
    return found


def _ours(key: str) -> int:
    """Only what we wrote can be changed or taken back."""
    author, timestamp = _named(key, "")
    if author:
        raise UnsupportedContent("not_ours")
    return timestamp


def _quote(message: OutboundMessage, own: str) -> Json:
    """The apps find the quoted words by author and timestamp. What has no key of ours goes out all the same, as no answer."""
    found = author_and_timestamp(message.reply_to_key, own) if message.reply_to_key else None
    return {"quoteTimestamp": found[1], "quoteAuthor": found[0]} if found else {}


def _said(content: OutboundContent, files: Mapping[str, OutboundFile]) -> Json:
    if len(split_content(content)) != 1:
        raise UnsupportedContent("text_too_long" if isinstance(content, Text) else "not_one_message")
    match content:
        case Text():
            return _words(content)
        case Media():
            return _words(content.caption) | _files([content], files)
        case Album():
            return _words(content.caption) | _files(content.items, files)
        case _:
            raise UnsupportedContent("not_for_signal")


def _edited(content: OutboundContent) -> Json:
    """Whether the apps keep the file of a message whose words are changed is not documented: only texts are changed."""
    if not isinstance(content, Text):
        raise UnsupportedContent("not_editable")
    return _said(content, {})


def _words(text: Text | None) -> Json:
    if text is None or not text.text:
        return {"message": ""}
    styles = write_styles(text)
    return {"message": text.text} | ({"textStyle": styles} if styles else {})


def _files(items: Sequence[Media], files: Mapping[str, OutboundFile]) -> Json:
    said: Json = {"attachments": [_read(media, files) for media in items]}
    return said | ({"voiceNote": True} if any(media.kind == "voice" for media in items) else {})


def _read(media: Media, files: Mapping[str, OutboundFile]) -> Attachment:
    """A whole file, since it goes inside of a text. Raises UnsupportedContent when it cannot be read."""
    if media.ref not in files:
        raise UnsupportedContent("no_file")
    file = files[media.ref]
    try:
        with file.open() as opened:
            content = opened.read()
    except OSError:
        content = None
    if content is None:
        raise UnsupportedContent("file_unreadable")  # here, so that no path hangs on it as context
    return Attachment(mime=file.mime.partition(";")[0], name=file.name, base64=base64.b64encode(content).decode())
