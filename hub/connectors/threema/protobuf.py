"""The few lines of protobuf that Threema's newer kinds need: a flat message of bytes and fixed numbers."""

from typing import Final

Fields = dict[int, bytes]
"""The bytes of each field by its number; those of a number as they lie on the wire."""

_FIXED: Final = {1: 8, 5: 4}
_VARINT, _LENGTH = 0, 2


def read_message(data: bytes) -> Fields:
    """The fields of a message, the last of each number; empty when it is none."""
    fields: Fields = {}
    place = 0
    while place < len(data):
        tag, place = _varint(data, place)
        number, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            _, end = _varint(data, place)
        elif wire == _LENGTH:
            size, place = _varint(data, place)
            end = place + size
        elif wire in _FIXED:
            end = place + _FIXED[wire]
        else:
            return {}
        if place < 0 or end < 0 or end > len(data):
            return {}
        fields[number] = data[place:end]
        place = end
    return fields


def _varint(data: bytes, place: int) -> tuple[int, int]:
    """The number at this place and the place behind it; -1 for the latter when there is none."""
    value = 0
    for count, byte in enumerate(data[place : place + 10]):
        value |= (byte & 0x7F) << (7 * count)
        if byte < 0x80:
            return value, place + count + 1
    return value, -1
