"""Opened containers -> events (provider file, 4). The first byte says the kind; what a message says is read in `content.py`.

Keys: `m:{person}:{message id}` in either direction, since a message id is unique only with its sender and a quotation does not say
whose message it means. What is no message takes its nonce as key: none is used twice, so a repeated one is the same thing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from hub.connectors.contract import RawRequest
from hub.connectors.errors import MalformedPayload
from hub.connectors.events import (
    Content,
    Event,
    Media,
    MessageDeleted,
    MessageEdited,
    MessageReceived,
    ReactionChanged,
    Sender,
    Sheet,
    StatusChanged,
    Typing,
    Unrecognised,
    Unsupported,
)
from hub.connectors.threema import content as read
from hub.connectors.threema.callback import Callback, read_callback
from hub.connectors.threema.crypt import DoesNotOpen, open_container
from hub.connectors.threema.protobuf import Fields, read_message

TEXT, IMAGE, LOCATION, VIDEO, AUDIO, POLL, FILE = 0x01, 0x02, 0x10, 0x13, 0x14, 0x15, 0x17
CALL_OFFER, RECEIPT, REACTION, TYPING, EDIT, DELETE, FORWARD_SECRECY = 0x60, 0x80, 0x82, 0x90, 0x91, 0x92, 0xA0
ACKNOWLEDGED, DECLINED = 3, 4
"""Answers of the older apps' two buttons, which travel as receipts."""
EMOJI: Final = {ACKNOWLEDGED: "👍", DECLINED: "👎"}
LATEST: Final = 253_402_300_799
"""31 December 9999, the last second Python can name."""
LONGEST_EMOJI: Final = 64
ID_BYTES: Final = 8

ONLY_ONE: Final = "only chats with one person are handled"
IGNORED: Final = {
    0x16: ("poll_vote", "votes are not handled"),
    0x18: ("profile_picture", "pictures of people are not kept"),
    0x19: ("profile_picture", "pictures of people are not kept"),
    0x1A: ("profile_picture", "pictures of people are not kept"),
    0x61: ("call_answer", "calls cannot be taken"),
    0x62: ("call_candidates", "calls cannot be taken"),
    0x63: ("call_hangup", "calls cannot be taken"),
    0x64: ("call_ringing", "calls cannot be taken"),
    0x81: ("group_receipt", ONLY_ONE),
    0x83: ("group_reaction", ONLY_ONE),
    0x93: ("group_edit", ONLY_ONE),
    0x94: ("group_delete", ONLY_ONE),
}
"""Kinds that are left out on purpose."""
GROUP: Final = range(0x41, 0x55)
"""Messages and control of groups: they reach a Gateway only where somebody added it to one, and are nobody's chat with us."""
MESSAGES: Final = range(0x01, 0x40)
"""Kinds below are messages of one person to another, those that are not known yet too; above stand groups, calls and control."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A container with what its callback says of it."""

    callback: Callback
    sender: Sender
    at: datetime
    kind: int
    data: bytes
    peer_key: bytes

    @property
    def own_key(self) -> str:
        """For what is no message."""
        return f"n:{self.callback.nonce.hex()}"

    def key_of(self, message_id: bytes) -> str:
        return message_key(self.sender.provider_user_id, message_id.hex())


def message_key(person: str, message_id: str) -> str:
    return f"m:{person}:{message_id}"


def message_id_of(key: str, person: str) -> bytes | None:
    """The reverse of `message_key` for a message of this person; None for every other key."""
    prefix = f"m:{person}:"
    try:
        found = bytes.fromhex(key.removeprefix(prefix)) if key.startswith(prefix) else b""
    except ValueError:
        return None
    return found if len(found) == ID_BYTES else None


def read_delivery(request: RawRequest, private_key: bytes) -> list[Event]:
    """The events of one delivery. Raises MalformedPayload and nothing else: a box that does not open becomes a dead letter, which
    can be replayed when the right key is known."""
    callback = read_callback(request.body)
    if not private_key or not request.peer_key:
        raise MalformedPayload("no key to open it with")
    container = open_container(callback.box, callback.nonce, private_key, request.peer_key)
    if not container:
        raise DoesNotOpen("empty")
    sender = Sender(provider_user_id=callback.sender, display_name=callback.nickname)
    opened = Opened(callback, sender, _moment(callback.date, request.received_at), container[0], container[1:], request.peer_key)
    return _READERS.get(opened.kind, _other)(opened)


def _moment(seconds: int, received_at: datetime | None) -> datetime:
    """The sender's clock says it, but nothing is from later than when the hub got it."""
    at = datetime.fromtimestamp(min(seconds, LATEST), UTC)
    return at if received_at is None else min(at, received_at)


def _message(opened: Opened, content: Content, *, reply_to: bytes = b"", album: str = "") -> list[Event]:
    return [
        MessageReceived(
            key=message_key(opened.sender.provider_user_id, opened.callback.message_id),
            at=opened.at,
            sender=opened.sender,
            content=content,
            reply_to_key=opened.key_of(reply_to) if reply_to else None,
            nonce=opened.callback.nonce.hex(),
            album=f"a:{opened.sender.provider_user_id}:{album}" if album else "",
        )
    ]


def _text(opened: Opened) -> list[Event]:
    content, quoted = read.read_text(opened.data)
    return _message(opened, content, reply_to=quoted)


def _file(opened: Opened) -> list[Event]:
    content, album = read.read_file(opened.data)
    return _message(opened, content, album=album if isinstance(content, Media) else "")


def _image(opened: Opened) -> list[Event]:
    return _message(opened, read.read_image(opened.data, opened.peer_key))


def _call(opened: Opened) -> list[Event]:
    return _message(opened, Sheet(kind="call", title="Threema"))


def _receipt(opened: Opened) -> list[Event]:
    """A status for one or more messages of ours, or one of two answers to them."""
    status, ids = opened.data[:1], opened.data[1:]
    if not ids or len(ids) % ID_BYTES:
        return [_unrecognised(opened, "receipt", "the receipt is not as documented")]
    keys = [opened.key_of(ids[place : place + ID_BYTES]) for place in range(0, len(ids), ID_BYTES)]
    emoji = EMOJI.get(status[0])
    own = {f"{opened.own_key}:{number}": key for number, key in enumerate(keys)}
    if emoji is not None:
        return [ReactionChanged(key=key, at=opened.at, target_key=target, emoji=emoji) for key, target in own.items()]
    if status[0] == 1:
        return [StatusChanged(key=key, at=opened.at, target_key=target, status="delivered") for key, target in own.items()]
    if status[0] == 2:
        return [StatusChanged(key=key, at=opened.at, target_key=target, status="read") for key, target in own.items()]
    return [_unrecognised(opened, "receipt", "this status is not known")]


def _reaction(opened: Opened) -> list[Event]:
    """An emoji that is set (field 2) or taken back (3) at a message (1)."""
    fields, target = _about_a_message(opened)
    emoji = fields.get(2, b"").decode("utf-8", "replace") if isinstance(fields.get(2, b""), bytes) else ""
    if not target or not (emoji or fields.get(3)) or len(emoji) > LONGEST_EMOJI:
        return [_unrecognised(opened, "reaction", "the reaction is not as documented")]
    return [ReactionChanged(key=opened.own_key, at=opened.at, target_key=opened.key_of(target), emoji=emoji)]


def _edit(opened: Opened) -> list[Event]:
    """A new text (field 2) of their own message (1)."""
    fields, target = _about_a_message(opened)
    if not target or not isinstance(fields.get(2, b""), bytes):
        return [_unrecognised(opened, "edit", "the change is not as documented")]
    content, _ = read.read_text(fields.get(2, b""))
    return [MessageEdited(key=opened.own_key, at=opened.at, target_key=opened.key_of(target), content=content)]


def _delete(opened: Opened) -> list[Event]:
    _, target = _about_a_message(opened)
    if not target:
        return [_unrecognised(opened, "delete", "the deletion is not as documented")]
    return [MessageDeleted(key=opened.own_key, at=opened.at, target_key=opened.key_of(target))]


def _about_a_message(opened: Opened) -> tuple[Fields, bytes]:
    """The fields of a container that speaks of a message, and that message's id; empty where there is none."""
    fields = read_message(opened.data)
    target = fields.get(1, b"")
    return fields, target if len(target) == ID_BYTES else b""


def _typing(opened: Opened) -> list[Event]:
    return [Typing(key=opened.own_key, at=opened.at, sender=opened.sender, is_typing=opened.data[:1] == b"\x01")]


def _other(opened: Opened) -> list[Event]:
    """Kinds without a reader: left out on purpose, of a group, a message that is not known, or something else that is not."""
    if opened.kind in IGNORED:
        return [_unrecognised(opened, *IGNORED[opened.kind])]
    if opened.kind in GROUP:
        return [_unrecognised(opened, f"group_0x{opened.kind:02x}", ONLY_ONE)]
    if opened.kind in MESSAGES:
        return _message(opened, Unsupported(kind=f"0x{opened.kind:02x}", summary=""))
    return [_unrecognised(opened, f"0x{opened.kind:02x}", "this kind is not known")]


def _unrecognised(opened: Opened, kind: str, why: str) -> Unrecognised:
    return Unrecognised(key=opened.own_key, at=opened.at, kind=kind, why=why)


_READERS: Final[dict[int, Callable[[Opened], list[Event]]]] = {
    TEXT: _text,
    IMAGE: _image,
    LOCATION: lambda opened: _message(opened, read.read_location(opened.data)),
    VIDEO: lambda opened: _message(opened, read.read_video(opened.data)),
    AUDIO: lambda opened: _message(opened, read.read_audio(opened.data)),
    POLL: lambda opened: _message(opened, read.read_poll(opened.data)),
    FILE: _file,
    CALL_OFFER: _call,
    RECEIPT: _receipt,
    REACTION: _reaction,
    TYPING: _typing,
    EDIT: _edit,
    DELETE: _delete,
    FORWARD_SECRECY: lambda opened: _message(opened, Unsupported(kind="forward_secrecy", summary="")),
}
