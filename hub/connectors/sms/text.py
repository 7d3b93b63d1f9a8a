"""How long a text is as SMS (GSM 03.38, 03.40): in the GSM alphabet or in UCS-2, in one piece or in several."""

from typing import Final

from hub.connectors.cutting import cut_text, utf16_size

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
        length = utf16_size(text)
        one, more = UCS2_ONE, UCS2_MORE
    return 1 if length <= one else -(-length // more)


def split_text(text: str) -> list[str]:
    """Parts of at most LONGEST units."""
    return cut_text(text, LONGEST, utf16_size)
