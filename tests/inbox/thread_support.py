"""What the tests of the thread share: a customer of the probe who sends anything, files without a media store's way in, and a
conversation with one of everything."""

import json
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from hub.core import clock, ids
from hub.inbox.arriving import ingest
from tests.support import Connected, HubUnderTest

NOW: Final = 1795510800
"""2026-11-24 09:00 UTC, 10:00 in Berlin."""
SEND: Final = "https://probe.example/send"


async def customer(hub: HubUnderTest, channel: Connected, *events: dict[str, Any]) -> UUID:
    """The probe delivers these events, by default messages of Anna; the id of her conversation."""
    for event in events:
        event.setdefault("type", "message")
        event.setdefault("at", NOW)
        if event["type"] == "message":
            event |= {"from": "anna", "name": "Anna Huber"}
        assert await hub.deliver(channel, [event]) == 200
    await ingest.drain(hub.runtime, hub.organisation_id, channel.id, hub.worker_id)
    found: UUID = await hub.value("SELECT id FROM conversation WHERE channel_id = $1", channel.id)
    return found


async def uploaded(hub: HubUnderTest, conversation_id: UUID, member_id: UUID, data: bytes = b"%PDF", **values: Any) -> UUID:
    """A file that this member has attached and not sent."""
    file_id = ids.new_id()
    row = {"kind": "document", "name": "Angebot.pdf", "mime": "application/pdf", **values}
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        await unit.sql.execute(
            """
            INSERT INTO attachment (organisation_id, id, conversation_id, channel_id, position, kind, ref, "unique", event_key,
                                    name, mime, size, label, caption, state, reason, scanned, has_thumbnail, due_at, tries,
                                    uploaded_by, created_at)
            SELECT $1, $2, c.id, c.channel_id, 0, $4, '', '', '', $5, $6, $7, '', '', 'stored', '', 'clean', false, $8, 0, $9, $8
            FROM conversation c WHERE c.id = $3
            """,
            hub.organisation_id,
            file_id,
            conversation_id,
            row["kind"],
            row["name"],
            row["mime"],
            len(data),
            clock.now(),
            member_id,
        )
    path = hub.runtime.storage.path(hub.organisation_id, file_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return file_id


async def set_files(hub: HubUnderTest, state: str, ref: str, **values: Any) -> None:
    """What fetching made of the inbound file with this handle."""
    row = {"reason": "", "scanned": "clean", "has_thumbnail": False, **values}
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        await unit.sql.execute(
            """
            UPDATE attachment SET state = $1, reason = $3, scanned = $4, has_thumbnail = $5, due_at = due_at + interval '1 day'
            WHERE ref = $2
            """,
            state,
            ref,
            row["reason"],
            row["scanned"],
            row["has_thumbnail"],
        )


def told(calls: Any) -> list[dict[str, Any]]:
    """What the probe was sent, in order."""
    return [json.loads(call.request.content) for call in calls]


def picture(ref: str, width: int = 1200, height: int = 900, **values: Any) -> dict[str, Any]:
    return {"kind": "image", "ref": ref, "mime": "image/jpeg", "size": 148_332, "width": width, "height": height, **values}


EVERYTHING: Final[Sequence[dict[str, Any]]] = (
    {"key": "e1", "text": "Guten Tag! Ich habe *gestern* das Lastenrad angeschaut, siehe https://radwerk.example/pfaender."},
    {
        "key": "e2",
        "text": "Wichtig: bis Freitag bitte, Preis geheim 3.900 €",
        "spans": [[0, 7, "bold", ""], [13, 20, "italic", ""], [41, 48, "spoiler", ""]],
    },
    {"key": "e3", "text": "So stand es da", "media": picture("p1")},
    {"key": "e4", "album": "a1", "sequence": 1, "media": picture("p2"), "text": "Die Schäden"},
    {"key": "e5", "album": "a1", "sequence": 2, "media": picture("p3", 900, 1200)},
    {"key": "e6", "album": "a1", "sequence": 3, "media": picture("p4")},
    {"key": "e7", "media": {"kind": "voice", "ref": "v1", "mime": "audio/ogg", "size": 40_210, "duration": 23}},
    {
        "key": "e8",
        "media": {
            "kind": "video",
            "ref": "f1",
            "mime": "video/mp4",
            "size": 9_120_000,
            "duration": 75,
            "width": 1280,
            "height": 720,
        },
    },
    {
        "key": "e9",
        "media": {
            "kind": "video_note",
            "ref": "n1",
            "mime": "video/mp4",
            "size": 912_000,
            "duration": 9,
            "width": 384,
            "height": 384,
        },
    },
    {"key": "e10", "media": {"kind": "sticker", "ref": "s1", "mime": "image/webp", "label": "🚲", "width": 512, "height": 512}},
    {
        "key": "e11",
        "media": {
            "kind": "document",
            "ref": "d1",
            "name": "Liste der zwölf Diensträder für die Inspektion.pdf",
            "mime": "application/pdf",
            "size": 1_204_000,
        },
        "text": "Anbei die Liste",
    },
    {
        "key": "e12",
        "media": {
            "kind": "audio",
            "ref": "m1",
            "label": "Kapelle Lindau: Hafenlied",
            "mime": "audio/mpeg",
            "size": 3_900_000,
            "duration": 201,
        },
    },
    {
        "key": "e13",
        "place": {"latitude": 47.546, "longitude": 9.684, "title": "Werkstatt", "address": "Hafenplatz 3, 88131 Lindau"},
    },
    {"key": "e14", "place": {"latitude": 47.5461, "longitude": 9.6841, "is_live": True, "accuracy": 12.0}},
    {"key": "e15", "card": {"name": "Anna Huber", "phone": "+43 660 555 0172", "is_sender": True}},
    {"key": "e16", "text": "Und das meinte ich", "reply_to": "e1", "quote": "das Lastenrad"},
    {"key": "e17", "text": "Schaut mal", "forwarded_from": "Velo Bregenz"},
    {"key": "e18", "unsupported": "poll", "text": "Welche Farbe? (2 Antworten)"},
    {"key": "e19", "media": picture("w1")},
    {"key": "e20", "media": {"kind": "document", "ref": "x1", "name": "Angebot.pdf", "mime": "application/pdf", "size": 812_000}},
    {"key": "e21", "media": {"kind": "document", "ref": "x2", "name": "Film.mov", "mime": "video/quicktime", "size": 91_812_000}},
    {
        "key": "e22",
        "media": {"kind": "document", "ref": "x3", "name": "rechnung.exe", "mime": "application/x-dosexec", "size": 91_000},
    },
    {"key": "e23", "media": {"kind": "document", "ref": "x4", "name": "Scan.docx", "mime": "application/msword", "size": 51_000}},
    {
        "key": "e24",
        "media": {"kind": "document", "ref": "u1", "name": "Maße.xlsx", "mime": "application/vnd.ms-excel", "size": 51_000},
    },
)
"""One of each kind of content and each state of a file."""


async def receive_everything(hub: HubUnderTest, channel: Connected) -> UUID:
    """Anna sends one of everything; what was fetched of it is as the names of the handles say."""
    events = [{**event, "at": NOW + number * 20} for number, event in enumerate(EVERYTHING)]
    conversation_id = await customer(hub, channel, *events)
    for ref in ("p1", "p2", "p3", "p4", "v1", "f1", "n1", "s1", "d1", "m1"):
        await set_files(hub, "stored", ref, has_thumbnail=ref[0] in "pfn")
    await set_files(hub, "waiting", "w1")
    await set_files(hub, "failed", "x1")
    await set_files(hub, "gone", "x2")
    await set_files(hub, "refused", "x3", reason="type_refused")
    await set_files(hub, "quarantined", "x4", reason="infected")
    await set_files(hub, "stored", "u1", scanned="unscanned")
    return conversation_id
