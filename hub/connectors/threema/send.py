"""An action -> a container, ready to be sealed (provider file, 4 and 6)."""

import asyncio
import re
import secrets
from dataclasses import dataclass
from typing import Final

import orjson
from httpx import AsyncClient

from hub.connectors.contract import Account, OutboundAction, OutboundFile, OutboundMessage, React
from hub.connectors.errors import Rejected, Unavailable, UnsupportedContent
from hub.connectors.events import Location, Media, MediaKind, Text
from hub.connectors.threema.api import ask, put_blob
from hub.connectors.threema.crypt import KEY_BYTES, seal_file
from hub.connectors.threema.payloads import ACKNOWLEDGED, DECLINED, FILE, LOCATION, RECEIPT, TEXT, message_id_of
from hub.connectors.threema.settings import ThreemaSettings
from hub.connectors.threema.split import kind_of, split_content

THREEMA_ID: Final = re.compile(r"[*0-9A-Z][0-9A-Z]{7}")
BLOB_ID: Final = re.compile(r"[0-9a-f]{32}")
REACTIONS: Final = {"👍": ACKNOWLEDGED, "👎": DECLINED}
"""What a Gateway can answer with: the two receipts that every app shows at the message."""
SHOWN_AS: Final[dict[MediaKind, int]] = {"sticker": 2, "document": 0}
"""`j` of a file; 1 for all others."""
LONGEST_LINE: Final = 250
"""Characters of a place's name and of its address, so that the container stays small."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """A container without its padding, and the file that it speaks of, if any."""

    container: bytes
    media: Media | None = None
    file: OutboundFile | None = None


def parcel_for(action: OutboundAction) -> Parcel:
    """What an action is sent as. Raises UnsupportedContent for what Threema cannot express."""
    if not THREEMA_ID.fullmatch(action.address):
        raise UnsupportedContent("no_threema_id")
    match action:
        case OutboundMessage():
            return _message(action)
        case React():
            return _reaction(action)
        case _:
            raise UnsupportedContent("not_for_threema")


def text_of_message(action: OutboundAction) -> str:
    """The words of a message for basic mode, which takes nothing else. Raises UnsupportedContent."""
    if not isinstance(action, OutboundMessage) or not isinstance(action.content, Text):
        raise UnsupportedContent("only_text_in_basic_mode")
    parcel_for(action)
    return action.content.text


def _message(message: OutboundMessage) -> Parcel:
    content = message.content
    if len(split_content(content)) != 1:
        raise UnsupportedContent("text_too_long" if isinstance(content, Text) else "not_one_message")
    match content:
        case Text():
            return Parcel(bytes([TEXT]) + content.text.encode())
        case Location():
            return Parcel(bytes([LOCATION]) + _place(content).encode())
        case Media():
            if content.ref not in message.files:
                raise UnsupportedContent("no_file")
            return Parcel(bytes([FILE]), content, message.files[content.ref])
        case _:
            raise UnsupportedContent("not_for_threema")


def _place(place: Location) -> str:
    """Accuracy only where it is known; an address alone stands without a name."""
    numbers = [f"{place.latitude:.7f}", f"{place.longitude:.7f}"]
    numbers += [f"{place.accuracy:.1f}"] if place.accuracy is not None else []
    words = [place.title, place.address or place.title] if place.title else [place.address] if place.address else []
    return "\n".join([",".join(numbers), *(word[:LONGEST_LINE].replace("\r\n", "\n").replace("\n", "\\n") for word in words)])


def _reaction(action: React) -> Parcel:
    """A receipt of another kind. It cannot be taken back."""
    status, target = REACTIONS.get(action.emoji), message_id_of(action.target_key, action.address)
    if status is None or target is None:
        raise UnsupportedContent("no_such_reaction" if status is None else "no_message_number")
    return Parcel(bytes([RECEIPT, status]) + target)


async def container_of(parcel: Parcel, address: str, account: Account[ThreemaSettings], http: AsyncClient) -> bytes:
    """The whole container; a file was sealed and left with Threema before. Raises a SendError: Rejected when the person's app takes
    no files."""
    media, file = parcel.media, parcel.file
    if media is None or file is None:
        return parcel.container
    can = (await ask(account, http, f"capabilities/{address}")).lower().split(",")
    if "file" not in [word.strip() for word in can]:
        raise Rejected("no_files", "the person's app takes no files")
    key = secrets.token_bytes(KEY_BYTES)
    content, sealed = await asyncio.to_thread(_sealed, file, key)
    blob = await put_blob(account, http, sealed)
    if not BLOB_ID.fullmatch(blob):
        raise Unavailable("unreadable_answer")
    return parcel.container + orjson.dumps(_described(media, file, blob, key, len(content)))


def _sealed(file: OutboundFile, key: bytes) -> tuple[bytes, bytes]:
    """A file's bytes, open and sealed. Raises UnsupportedContent when it cannot be read."""
    try:
        with file.open() as opened:
            content = opened.read()
    except OSError:
        content = None
    if content is None:
        raise UnsupportedContent("file_unreadable")  # here, so that no path hangs on it as context
    return content, seal_file(content, key)


def _described(media: Media, file: OutboundFile, blob: str, key: bytes, size: int) -> dict[str, object]:
    shown = SHOWN_AS.get(kind_of(media), 1)
    measures = {"w": media.width, "h": media.height, "d": None if media.duration is None else float(media.duration)}
    told = {
        "b": blob,
        "k": key.hex(),
        "m": file.mime,
        "n": file.name,
        "s": size,
        "j": shown,
        "i": 1 if shown == 1 else 0,
        "d": media.caption.text if media.caption is not None else None,
        "x": {name: value for name, value in measures.items() if value is not None} or None,
    }
    return {name: value for name, value in told.items() if value is not None}
