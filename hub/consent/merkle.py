"""Merkle trees as RFC 6962 (2.1) has them, over the hashes of ledger entries. Pure.

    leaf    SHA-256(0x00, hash of the entry)
    node    SHA-256(0x01, left, right)

The left part of a tree of n leaves is the largest power of two below n. A path leads from one leaf to the root: the neighbours on
the way up, each with the side it stands on.
"""

import hashlib
from collections.abc import Sequence
from typing import Final, Literal

Side = Literal["left", "right"]
Path = list[tuple[Side, bytes]]

EMPTY: Final = hashlib.sha256().digest()
"""The root of a tree without leaves."""


class Tree:
    """A root that grows leaf by leaf and keeps only one node per level."""

    def __init__(self) -> None:
        self._peaks: list[tuple[int, bytes]] = []
        self.size = 0

    def add(self, entry_hash: bytes) -> None:
        """One more leaf."""
        height, node = 0, _leaf(entry_hash)
        while self._peaks and self._peaks[-1][0] == height:
            node = _node(self._peaks.pop()[1], node)
            height += 1
        self._peaks.append((height, node))
        self.size += 1

    @property
    def root(self) -> bytes:
        """The root over all leaves so far."""
        if not self._peaks:
            return EMPTY
        *rest, (_, root) = self._peaks
        for _, peak in reversed(rest):
            root = _node(peak, root)
        return root


def levels_of(entry_hashes: Sequence[bytes]) -> list[list[bytes]]:
    """All nodes, the leaves first. A node without a neighbour stands on the next level again, which gives the same root."""
    level = [_leaf(one) for one in entry_hashes]
    levels = [level]
    while len(level) > 1:
        paired = [_node(level[at], level[at + 1]) for at in range(0, len(level) - 1, 2)]
        level = paired + ([level[-1]] if len(level) % 2 else [])
        levels.append(level)
    return levels


def path_to(levels: Sequence[Sequence[bytes]], index: int) -> Path:
    """The way from the leaf at `index` to the root."""
    path: Path = []
    for level in levels[:-1]:
        neighbour = index ^ 1
        if neighbour < len(level):
            path.append(("left" if neighbour < index else "right", level[neighbour]))
        index //= 2
    return path


def root_by(path: Path, entry_hash: bytes) -> bytes:
    """The root that a path leads to."""
    node = _leaf(entry_hash)
    for side, neighbour in path:
        node = _node(neighbour, node) if side == "left" else _node(node, neighbour)
    return node


def _leaf(entry_hash: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + entry_hash).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()
