"""The one script that a website loads: the widget with its chat's settings and words in it. Nothing else has to be fetched."""

import gzip
from dataclasses import dataclass
from functools import cache, lru_cache
from hashlib import sha256
from importlib.metadata import version
from typing import Any, Final

import orjson

from hub.connectors.webchat.settings import WebchatSettings
from hub.connectors.webchat.split import LARGEST_FILE, LONGEST_TEXT
from hub.core.i18n import LOCALES, catalogue
from hub.core.pages import FRONTEND
from hub.webchat.colours import DARK_GROUND, LIGHT_GROUND, paint

WORDS: Final = "webchat.widget."
"""Keys of the catalogue that the widget knows by what follows."""


@dataclass(frozen=True, slots=True)
class Script:
    """The script as it is sent."""

    body: bytes
    gzipped: bytes
    etag: str


def script_for(key: str, settings: WebchatSettings) -> Script:
    """The widget of one chat."""
    return _written(orjson.dumps(_config(key, settings), option=orjson.OPT_SORT_KEYS))


@lru_cache(maxsize=256)
def _written(config: bytes) -> Script:
    """The licence's mark stays on top (R-298)."""
    mark = f"/*! Hub {version('hub')} | Apache-2.0 */\n".encode()
    body = mark + _source() + b"\nopenChat(" + config + b");\n"
    return Script(body, gzip.compress(body, 9, mtime=0), f'"{sha256(body).hexdigest()[:32]}"')


@cache
def _source() -> bytes:
    return (FRONTEND / "widget" / "widget.js").read_bytes()


def _config(key: str, settings: WebchatSettings) -> dict[str, Any]:
    light, dark = paint(settings.accent, LIGHT_GROUND), paint(settings.accent, DARK_GROUND)
    return {
        "key": key,
        "title": settings.title,
        "greeting": settings.greeting,
        "privacy": {"url": settings.privacy_url, "text": settings.privacy_text},
        "asks": settings.asks,
        "position": settings.position,
        "light": [light.fill, light.words],
        "dark": [dark.fill, dark.words],
        "longest": LONGEST_TEXT,
        "largest": LARGEST_FILE,
        "words": {locale: _words(locale) for locale in LOCALES},
    }


def _words(locale: str) -> dict[str, str]:
    return {key.removeprefix(WORDS): text for key, text in catalogue(locale).items() if key.startswith(WORDS)}
