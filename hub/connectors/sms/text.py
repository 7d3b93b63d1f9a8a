"""How long a text is as SMS (GSM 03.38, 03.40): in the GSM alphabet or in UCS-2, in one piece or in several."""

from typing import Final

BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
ESCAPED: Final = frozenset("^{}\\[~]|€\f")
"""Letters that cost two (03.38, 6.2.1.1)."""
GSM_ONE, GSM_MORE = 160, 153
UCS2_ONE, UCS2_MORE = 70, 67
"""Letters of a message in one piece, and of each piece of a longer one: its header costs seven or three."""
MOST_SEGMENTS: Final = 10
LONGEST: Final = MOST_SEGMENTS * UCS2_MORE
"""UTF-16 units that always fit into ten pieces, whatever the letters; gateways put together no more."""


def count_segments(text: str) -> int:
    """Pieces that a text costs; at least one."""
    if all(letter in BASIC or letter in ESCAPED for letter in text):
        length = len(text) + sum(letter in ESCAPED for letter in text)
        one, more = GSM_ONE, GSM_MORE
    else:
        length = len(text.encode("utf-16-le", "surrogatepass")) // 2
        one, more = UCS2_ONE, UCS2_MORE
    return 1 if length <= one else -(-length // more)


def split_text(text: str) -> list[str]:
    """Parts of at most LONGEST units, cut at the last line break or space of a part where there is one; no letter is lost."""
    parts = []
    rest = text
    while _units(rest) > LONGEST:
        cut = _fitting(rest)
        space = max(rest.rfind("\n", 0, cut), rest.rfind(" ", 0, cut))
        cut = space + 1 if space > cut // 2 else cut
        parts.append(rest[:cut])
        rest = rest[cut:]
    parts.append(rest)
    return [part for part in parts if part.strip()]


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _fitting(text: str) -> int:
    """How many characters from the start fit."""
    units = 0
    for place, letter in enumerate(text):
        units += 2 if ord(letter) > 0xFFFF else 1
        if units > LONGEST:
            return place
    return len(text)
