"""What the apps do with keys and containers, written from Threema's documents and not from the hub's connector: the two check each
other."""

import hashlib
import hmac
import json
import os
import struct
from typing import Any, Final
from urllib.parse import urlencode

from nacl.exceptions import CryptoError
from nacl.public import Box, PrivateKey, PublicKey
from nacl.secret import SecretBox

TEXT, IMAGE, PLACE, POLL, FILE, CALL, RECEIPT, REACTION = 0x01, 0x02, 0x10, 0x15, 0x17, 0x60, 0x80, 0x82
TYPING, EDIT, DELETE, ENVELOPE, GROUP_TEXT = 0x90, 0x91, 0x92, 0xA0, 0x41
RECEIVED, READ, ACKNOWLEDGED, DECLINED = 1, 2, 3, 4
FILE_NONCE: Final = b"\x00" * 23 + b"\x01"
PHONE_KEY: Final = bytes.fromhex("85adf8226953f3d96cfd5d09bf29555eb955fcd8aa5ec4f9fcd869e258370723")
EMAIL_KEY: Final = bytes.fromhex("30a5500fed9701fa6defdb610841900febb8e430881f7ad816826264ec09bad7")


def hash_of(key: bytes, value: str) -> str:
    return hmac.new(key, value.encode(), hashlib.sha256).hexdigest()


def pack(kind: int, data: bytes, own: PrivateKey, peer: PublicKey) -> tuple[bytes, bytes]:
    """A fresh nonce and the box around a padded container."""
    count = max(os.urandom(1)[0] or 1, 32 - len(data))
    nonce = os.urandom(24)
    return nonce, Box(own, peer).encrypt(bytes([kind]) + data + bytes([count]) * count, nonce).ciphertext


def unpack(nonce: bytes, box: bytes, own: PrivateKey, peer: PublicKey) -> tuple[int, bytes] | None:
    """Kind and data; None for what the app throws away: it does not open, is not padded, or has less than 33 bytes."""
    try:
        plain = Box(own, peer).decrypt(box, nonce)
    except (CryptoError, ValueError):
        return None
    count = plain[-1] if plain else 0
    if len(plain) < 33 or not 0 < count < len(plain) or plain[-count:] != bytes([count]) * count:
        return None
    return plain[0], plain[1:-count]


def seal_file(content: bytes) -> tuple[bytes, bytes]:
    """A fresh key and the sealed bytes."""
    key = os.urandom(32)
    return key, SecretBox(key).encrypt(content, FILE_NONCE).ciphertext


def open_file(sealed: bytes, key: bytes) -> bytes | None:
    try:
        return SecretBox(key).decrypt(sealed, FILE_NONCE)
    except (CryptoError, ValueError):
        return None


def file_data(blob: str, key: bytes, mime: str, name: str, size: int, **more: Any) -> bytes:
    told = {"b": blob, "k": key.hex(), "m": mime, "n": name, "s": size, **more}
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()


def image_data(blob: str, size: int, nonce: bytes) -> bytes:
    return bytes.fromhex(blob) + struct.pack("<I", size) + nonce


def place_data(latitude: float, longitude: float) -> bytes:
    return f"{latitude:.6f},{longitude:.6f},35".encode()


def about_message(message: str, field: int = 0, text: str = "") -> bytes:
    """The protobuf that names a message, with a text in another field where there is one."""
    data = b"\x09" + bytes.fromhex(message)
    if not field:
        return data
    said = text.encode()
    return data + bytes([field << 3 | 2]) + _length(len(said)) + said


def _length(value: int) -> bytes:
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])


def callback_form(secret: str, fields: dict[str, str], nickname: str) -> bytes:
    """The form of a callback with its code; `fields` stand in the order in which they are signed."""
    mac = hmac.new(secret.encode(), "".join(fields.values()).encode(), hashlib.sha256).hexdigest()
    return urlencode({**fields, "mac": mac, "nickname": nickname}).encode()
