"""The business's colour, adapted as far as it must be to be seen and read (WCAG 2.2, 1.4.3 and 1.4.11)."""

from dataclasses import dataclass
from typing import Final

LIGHT_GROUND: Final = "#ffffff"
DARK_GROUND: Final = "#232321"
"""What the widget's panel stands on in both themes (`frontend/widget/widget.js`)."""
CONTROL_CONTRAST: Final = 3.0
"""1.4.11: a button against its ground."""
STEPS: Final = 20


@dataclass(frozen=True, slots=True)
class Paint:
    """A filled control: its colour, and that of the words on it, which have at least 4.5:1."""

    fill: str
    words: str


def paint(accent: str, ground: str) -> Paint:
    """The colour as it is, or the nearest one to white or black that stands out from this ground."""
    far = "#000000" if contrast(ground, "#000000") > contrast(ground, "#ffffff") else "#ffffff"
    shades = (_mix(accent, far, step / STEPS) for step in range(STEPS + 1))
    fill = next(shade for shade in shades if contrast(shade, ground) >= CONTROL_CONTRAST)
    # one of the two always has 4.58:1 or more, the square root of 21
    return Paint(fill, max(("#ffffff", "#000000"), key=lambda words: contrast(words, fill)))


def contrast(one: str, other: str) -> float:
    """The contrast of two colours, 1 to 21."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    red, green, blue = (_linear(part / 255) for part in _parts(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4


def _mix(colour: str, other: str, share: float) -> str:
    mixed = (round(a + (b - a) * share) for a, b in zip(_parts(colour), _parts(other), strict=True))
    return "#" + "".join(f"{part:02x}" for part in mixed)


def _parts(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
