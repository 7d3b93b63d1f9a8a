"""What an object of the store turns out to be, whether it was fetched (`fetching.py`) or uploaded (`uploads.py`): scanned
(`core/scanner.py`), typed by its content (`core/media.py`), and given a small picture (`core/picture.py`). Films are not decoded
here: the provider's own small picture of one is fetched and drawn anew."""

import asyncio
from dataclasses import dataclass, replace
from typing import BinaryIO, Final
from uuid import UUID

import structlog

from hub.core import picture
from hub.core.media import inspect, safe_name
from hub.core.scanner import Scanner, Verdict
from hub.core.storage import Form
from hub.runtime import Runtime

log = structlog.get_logger()

SMALL_PIXELS: Final = 640
"""Longest side of a small picture: 320 CSS pixels on a screen of double density."""
SMALL_BYTES: Final = 2_000_000
"""Of one that we draw, and of one that a provider has of a film (Telegram's have less than 200 kB)."""


@dataclass(frozen=True, slots=True)
class Examined:
    """What a stored object turned out to be. `state` is stored, refused or quarantined; `found` the scanner's word. `width` and
    `height` in pixels where we decoded it."""

    state: str
    name: str
    mime: str
    scanned: str
    reason: str = ""
    found: str = ""
    has_small: bool = False
    width: int | None = None
    height: int | None = None


async def examine(runtime: Runtime, organisation_id: UUID, object_id: UUID, *, name: str, size: int) -> Examined:
    """Look at an object that was written just now, and give it its small picture. Whoever calls removes what is refused.

    Malware comes first: an infected program is quarantined, not just refused. FileNotFoundError when there is no such object.
    """
    with runtime.storage.open(organisation_id, object_id) as file:
        verdict = await Scanner(runtime.settings.clamd).scan(file)
        inspection = await asyncio.to_thread(inspect, file, size, name)
        examined = Examined("stored", safe_name(name, inspection.mime), inspection.mime, verdict.state)
        if verdict.state == "infected":
            return _quarantined(examined, verdict)
        if inspection.refusal is not None:
            return replace(examined, state="refused", reason=inspection.refusal.value)
        return await _with_small_picture(runtime, organisation_id, object_id, file, examined)


def _quarantined(examined: Examined, verdict: Verdict) -> Examined:
    log.warning("file_infected", found=verdict.name)
    return replace(examined, state="quarantined", reason="infected", found=verdict.name)


async def _with_small_picture(
    runtime: Runtime, organisation_id: UUID, object_id: UUID, file: BinaryIO, examined: Examined
) -> Examined:
    if examined.mime not in picture.FORMATS:
        return examined
    try:
        small = await picture.thumbnail(file, examined.mime, SMALL_PIXELS)
    except picture.Bomb:
        return replace(examined, state="refused", reason="bomb")
    except picture.Unreadable:
        return examined
    await store_small_picture(runtime, organisation_id, object_id, small)
    return replace(examined, has_small=True, width=small.image_width, height=small.image_height)


async def store_small_picture(runtime: Runtime, organisation_id: UUID, object_id: UUID, small: picture.Thumbnail) -> None:
    """Keep a small picture beside its object."""
    async with runtime.storage.writing(organisation_id, object_id, limit=SMALL_BYTES, form=Form.SMALL) as writing:
        await writing.write(small.body)
