"""Sealing and opening: X25519, XSalsa20 and Poly1305 as NaCl has them, by PyNaCl (provider file, 4 and 7).

A box goes from one key pair to another; a file has a key of its own, made for it alone, which is why its nonce may be fixed.
"""

import hashlib
import hmac
import secrets
from typing import Final

from nacl.exceptions import CryptoError
from nacl.public import Box, PrivateKey, PublicKey
from nacl.secret import SecretBox

from hub.connectors.errors import MalformedPayload

NONCE_BYTES: Final = 24
KEY_BYTES: Final = 32
TAG_BYTES: Final = 16
"""What sealing adds."""
FILE_NONCE: Final = bytes(23) + b"\x01"
SHORTEST: Final = 32
"""Bytes of data and padding together, so that the length of a short message gives nothing away."""
PHONE_KEY: Final = bytes.fromhex("85adf8226953f3d96cfd5d09bf29555eb955fcd8aa5ec4f9fcd869e258370723")
EMAIL_KEY: Final = bytes.fromhex("30a5500fed9701fa6defdb610841900febb8e430881f7ad816826264ec09bad7")
"""Public keys of the look-ups: the same for everybody, so that a hash hides little; a clear number would hide nothing."""


class DoesNotOpen(MalformedPayload):
    """A box or file that these keys do not open, or whose padding is none."""


Lock = Box
"""What seals and opens between two people."""


def public_of(private_key: bytes) -> bytes:
    return bytes(PrivateKey(private_key).public_key)


def seal(container: bytes, lock: Lock) -> tuple[bytes, bytes]:
    """A nonce that is used for nothing else, and the box. `container` is type and data, without padding."""
    count = max(secrets.randbelow(255) + 1, SHORTEST - (len(container) - 1))
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce, lock.encrypt(container + bytes([count]) * count, nonce).ciphertext


def open_box(box: bytes, nonce: bytes, private_key: bytes, peer_key: bytes) -> bytes:
    """What is in a box. Raises DoesNotOpen."""
    try:
        return box_between(private_key, peer_key).decrypt(box, nonce)
    except (CryptoError, ValueError) as error:
        raise DoesNotOpen("the box does not open with the key of its sender") from error


def open_container(box: bytes, nonce: bytes, private_key: bytes, peer_key: bytes) -> bytes:
    """Type and data of a message, without padding. Raises DoesNotOpen."""
    padded = open_box(box, nonce, private_key, peer_key)
    count = padded[-1] if padded else 0
    if not 1 <= count <= len(padded) - 1 or padded[-count:] != bytes([count]) * count:
        raise DoesNotOpen("the padding is none")
    return padded[:-count]


def box_between(private_key: bytes, peer_key: bytes) -> Lock:
    """ValueError for a public key that is none: of another length, or one with which every box has the same key."""
    if len(peer_key) != KEY_BYTES:
        raise ValueError("not a public key")
    try:
        return Box(PrivateKey(private_key), PublicKey(peer_key))
    except CryptoError as error:  # a key of low order, all zeros among them
        raise ValueError("not a public key") from error


def seal_file(content: bytes, key: bytes) -> bytes:
    return SecretBox(key).encrypt(content, FILE_NONCE).ciphertext


def open_file(sealed: bytes, key: bytes) -> bytes:
    """Raises DoesNotOpen."""
    try:
        return SecretBox(key).decrypt(sealed, FILE_NONCE)
    except (CryptoError, ValueError) as error:
        raise DoesNotOpen("the file does not open with its key") from error


def phone_hash(phone: str) -> str:
    """Of a number with its country, `+49…`."""
    return hmac.new(PHONE_KEY, phone.removeprefix("+").encode(), hashlib.sha256).hexdigest()


def email_hash(email: str) -> str:
    return hmac.new(EMAIL_KEY, email.strip().lower().encode(), hashlib.sha256).hexdigest()
