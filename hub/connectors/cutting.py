"""Text without formatting in parts that fit: for messengers whose limit counts letters, bytes or UTF-16 units."""

from collections.abc import Callable


def utf8_size(text: str) -> int:
    """Bytes of UTF-8; half of a surrogate pair, which no request can carry, counts as the question mark that it becomes."""
    return len(text.encode("utf-8", "replace"))


def utf16_size(text: str) -> int:
    """UTF-16 units: an emoji is two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def cut_text(text: str, longest: int, size: Callable[[str], int]) -> list[str]:
    """Parts of at most `longest` by `size`, cut behind the last line break or space of a part, unless less than half of it would be
    left. No visible letter is lost; a blank text has no parts."""
    parts, rest = [], text
    while size(rest) > longest:
        fits = _fitting(rest, longest, size)
        space = max(rest.rfind("\n", 0, fits), rest.rfind(" ", 0, fits))
        cut = space + 1 if space > fits // 2 else fits
        parts.append(rest[:cut])
        rest = rest[cut:]
    return [part for part in (*parts, rest) if part.strip()]


def _fitting(text: str, longest: int, size: Callable[[str], int]) -> int:
    """How many characters from the start fit; the text does not fit whole."""
    taken = 0
    for place, letter in enumerate(text):
        taken += size(letter)
        if taken > longest:
            return place
    raise AssertionError("it fits whole")
