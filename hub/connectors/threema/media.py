"""Where a received file lies and what opens it, written as one word: `Media.ref`."""

import re
from dataclasses import dataclass
from typing import Final

from hub.connectors.threema.crypt import DoesNotOpen, open_box, open_file

_BLOB: Final = re.compile(r"f:([0-9a-f]{32}):([0-9a-f]{64})")
_BOXED: Final = re.compile(r"b:([0-9a-f]{32}):([0-9a-f]{48}):([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class BlobRef:
    """A file with a key of its own."""

    blob: bytes
    key: bytes

    def write(self) -> str:
        return f"f:{self.blob.hex()}:{self.key.hex()}"

    def open(self, sealed: bytes, private_key: bytes) -> bytes:
        """Raises DoesNotOpen."""
        return open_file(sealed, self.key)


@dataclass(frozen=True, slots=True)
class BoxedRef:
    """A picture of older apps, in a box between its sender and us."""

    blob: bytes
    nonce: bytes
    peer_key: bytes

    def write(self) -> str:
        return f"b:{self.blob.hex()}:{self.nonce.hex()}:{self.peer_key.hex()}"

    def open(self, sealed: bytes, private_key: bytes) -> bytes:
        """Raises DoesNotOpen."""
        return open_box(sealed, self.nonce, private_key, self.peer_key)


def read_ref(ref: str) -> BlobRef | BoxedRef:
    """Raises DoesNotOpen for a word that is none of ours."""
    if found := _BLOB.fullmatch(ref):
        return BlobRef(bytes.fromhex(found[1]), bytes.fromhex(found[2]))
    if found := _BOXED.fullmatch(ref):
        return BoxedRef(bytes.fromhex(found[1]), bytes.fromhex(found[2]), bytes.fromhex(found[3]))
    raise DoesNotOpen("no file of Threema")
