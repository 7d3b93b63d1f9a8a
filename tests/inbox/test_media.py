"""Files that customers send: fetched at once, judged by their content, tried again, and never lost or left behind (R-231)."""

import asyncio
import hashlib
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hub.connectors import telegram
from hub.connectors.contract import FileHead
from hub.connectors.errors import AuthFailed, FileGone, FileTooLarge, OutcomeUnknown, RateLimited, Rejected, Unavailable
from hub.connectors.registry import Registry, discover
from hub.core import ids
from hub.core.errors import Conflict, NotFound
from hub.core.i18n import LOCALES, catalogue
from hub.core.settings import Settings
from hub.core.storage import PARTS, Form
from hub.inbox.arriving import ingest
from hub.inbox.stored import clearing, media, uploads
from tests.core.test_scanner import answers, clamd
from tests.files import EICAR, EXE, HTML, MP4, OGG_VOICE, PDF, archive, image, nested_archive, overlapping_archive, png_bomb
from tests.inbox.files_support import Desk, FilesProbe
from tests.support import HubUnderTest

SAMPLES = Path(telegram.__file__).parent / "samples"


@pytest.fixture
def probe() -> FilesProbe:
    return FilesProbe()


@pytest.fixture
def connectors(probe: FilesProbe) -> Registry:
    return Registry([probe, discover().get("telegram")])


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"media_limit": 3_000_000})


@pytest.fixture
async def desk(hub: HubUnderTest, probe: FilesProbe) -> AsyncIterator[Desk]:
    yield Desk(hub, probe, await hub.connect("probe"))


async def test_a_file_is_fetched_and_described_by_what_is_in_it(desk: Desk) -> None:
    """Whatever the sender's side says about it."""
    photo = image("JPEG")
    row = await desk.sends(photo, kind="image", name="../Urlaub.png", mime="text/html", size=7)
    assert desk.stored(row["id"]) == photo
    assert (row["state"], row["reason"], row["name"], row["mime"]) == ("stored", "", "Urlaub.png.jpg", "image/jpeg")
    assert (row["size"], row["sha256"]) == (len(photo), hashlib.sha256(photo).digest())
    assert (row["has_thumbnail"], row["width"], row["height"]) == (True, 640, 480)
    assert row["stored_at"] is not None
    told = [entry["data"] for entry in await desk.hub.rows("SELECT data FROM feed_entry WHERE kind = 'message_changed'")]
    assert told == [{"conversation": ids.show("conv", row["conversation_id"]), "message": ids.show("msg", row["message_id"])}]


async def test_without_a_scanner_a_file_is_marked_as_not_scanned(desk: Desk) -> None:
    """R-231: unscanned files are marked."""
    assert (await desk.sends(PDF, name="Rechnung.pdf"))["scanned"] == "unscanned"


async def test_names_come_from_the_message_then_from_the_provider_then_from_the_kind(desk: Desk) -> None:
    desk.probe.head = FileHead(name="von-drueben.oga")
    assert (await desk.sends(OGG_VOICE, kind="voice", name="Nachricht.ogg"))["name"] == "Nachricht.ogg"
    assert (await desk.sends(OGG_VOICE, kind="voice"))["name"] == "von-drueben.oga"
    desk.probe.head = FileHead()
    assert (await desk.sends(OGG_VOICE, kind="voice", duration=3))["name"] == "voice.ogg"
    assert (await desk.sends(MP4, kind="video_note", width=240, height=240))["width"] == 240


async def test_a_film_is_shown_by_the_small_picture_of_its_messenger(desk: Desk) -> None:
    """It is drawn anew like every picture; the film keeps the measures that the message names."""
    desk.probe.files["small"] = image("JPEG")
    row = await desk.sends(MP4, kind="video", width=1280, height=720, small_ref="small")
    assert (row["state"], row["has_thumbnail"], row["width"], row["height"]) == ("stored", True, 1280, 720)
    assert desk.hub.runtime.storage.path(desk.hub.organisation_id, row["id"], Form.SMALL).read_bytes()[8:12] == b"WEBP"


@pytest.mark.parametrize(
    "small",
    [FileGone(), Unavailable("503"), HTML, PDF, png_bomb(60_000, 60_000), bytes(3_000_001)],
    ids=["gone", "away", "page", "document", "bomb", "larger than any"],
)
async def test_a_film_stays_when_its_small_picture_does_not_come(desk: Desk, small: bytes | Exception) -> None:
    """It is asked for once; nothing that was sent in its place is kept."""
    desk.probe.files["small"] = small
    row = await desk.sends(MP4, kind="video", small_ref="small")
    assert (row["state"], row["has_thumbnail"]) == ("stored", False)
    assert (desk.probe.asked.count("small"), desk.objects()) == (1, 1)


async def test_a_picture_needs_no_second_one(desk: Desk) -> None:
    """What we draw ourselves is better than what the messenger made of it."""
    row = await desk.sends(image("JPEG"), kind="image", small_ref="small")
    assert row["has_thumbnail"] and "small" not in desk.probe.asked


@pytest.mark.parametrize(
    ("body", "name", "reason"),
    [
        (EXE, "Rechnung.pdf", "type_refused"),
        (HTML, "Rechnung.pdf", "type_refused"),
        (b"Guten Tag", "Rechnung\u202efdp.exe", "type_refused"),
        (image("GIF") + archive({"a": b"x"}), "bild.gif", "polyglot"),
        (archive({"a": bytes(120_000_000)}), "fotos.zip", "bomb"),
        (overlapping_archive(1000), "fotos.zip", "bomb"),
        (nested_archive(), "fotos.zip", "bomb"),
        (png_bomb(60_000, 60_000), "bild.png", "bomb"),
        (archive({"a": b"x"})[:-5], "fotos.zip", "unreadable"),
        (bytes(3_000_001), "film.mp4", "too_large"),
        (FileTooLarge(), "film.mp4", "too_large"),
    ],
    ids=[
        "program",
        "page",
        "name that turns round",
        "two things at once",
        "claims too much",
        "overlaps itself",
        "shrinks again",
        "picture of 3.6 billion pixels",
        "cut off",
        "larger than we keep",
        "larger than the provider hands out",
    ],
)
async def test_a_hostile_file_is_refused_and_the_message_kept(desk: Desk, body: bytes, name: str, reason: str) -> None:
    """R-231: with its reason; nothing of the file stays. The last one is the provider's own limit (Telegram's 20 MB)."""
    row = await desk.sends(body, name=name)
    assert (row["state"], row["reason"]) == ("refused", reason)
    assert desk.objects() == 0
    assert await desk.hub.value("SELECT text FROM message WHERE id = $1", row["message_id"]) == "Bitte ansehen"


async def test_telegram_hands_out_20_megabytes_at_most(desk: Desk) -> None:
    """The message says how large its file is; nobody is asked for what will not come (provider file, 8)."""
    channel = await desk.hub.connect()
    update = json.loads((SAMPLES / "document.json").read_bytes())
    assert update["message"]["document"]["file_size"] > 20_000_000
    assert await desk.hub.deliver(channel, update) == 200
    await desk.hub.settle()
    row = (await desk.hub.rows("SELECT * FROM attachment"))[0]
    assert (row["state"], row["reason"], row["tries"]) == ("refused", "too_large", 1)
    assert row["message_id"] is not None


async def test_the_test_signature_is_quarantined(desk: Desk) -> None:
    """R-231: when it comes in, the message is stored and the file kept in quarantine."""
    row = await desk.sends(EICAR, name="eicar.com")
    assert (row["state"], row["reason"], row["scanned"]) == ("quarantined", "infected", "infected")
    assert desk.stored(row["id"]) == EICAR
    assert await desk.hub.value("SELECT text FROM message WHERE id = $1", row["message_id"]) == "Bitte ansehen"


async def test_the_scanner_decides(desk: Desk) -> None:
    """R-231: the operator's scanner looks at every file; when it cannot, the file is marked."""

    async def sends(address: str) -> tuple[str, str]:
        settings = desk.hub.runtime.settings.model_copy(update={"clamd": address})
        object.__setattr__(desk.hub.runtime, "settings", settings)
        row = await desk.sends(PDF, name="Rechnung.pdf")
        return row["state"], row["scanned"]

    async with clamd(answers(b"stream: OK\0", wants=PDF)) as address:
        assert await sends(address) == ("stored", "clean")
    assert await sends(address) == ("stored", "unscanned")
    async with clamd(answers(b"stream: Pdf.Exploit FOUND\0")) as address:
        assert await sends(address) == ("quarantined", "infected")


async def test_what_the_provider_has_no_more_is_gone(desk: Desk) -> None:
    row = await desk.sends(FileGone())
    assert (row["state"], row["reason"]) == ("gone", "gone")
    with pytest.raises(Conflict):
        await media.fetch_again(desk.hub.runtime, desk.hub.organisation_id, row["id"])


@pytest.mark.parametrize("trouble", [Unavailable("ConnectTimeout"), OutcomeUnknown("ReadTimeout"), AuthFailed("401")])
async def test_trouble_that_passes_is_tried_again(desk: Desk, trouble: Exception) -> None:
    """With growing pauses; the row says why it waits, and it comes when it can."""
    row = await desk.sends(trouble)
    assert (row["state"], row["reason"], row["tries"]) == ("waiting", getattr(trouble, "code", ""), 1)
    await desk.hub.settle()
    assert len(desk.probe.asked) == 1
    for tries in (2, 3):
        desk.hub.clock.advance(seconds=300)
        await desk.hub.settle()
        assert (await desk.row(row["ref"]))["tries"] == tries
    desk.probe.files[row["ref"]] = PDF
    desk.hub.clock.advance(seconds=300)
    await desk.hub.settle()
    assert (await desk.row(row["ref"]))["state"] == "stored"
    health = await desk.hub.value("SELECT health FROM channel")
    assert health == ("attention" if isinstance(trouble, AuthFailed) else "healthy")


@pytest.mark.parametrize(("trouble", "reason"), [(TimeoutError(), "provider_unavailable"), (OSError(28, "full"), "not_stored")])
async def test_a_slow_provider_and_a_full_disk_cost_time_only(desk: Desk, trouble: Exception, reason: str) -> None:
    row = await desk.sends(trouble)
    assert (row["state"], row["reason"]) == ("waiting", reason)
    assert desk.objects() == 0


async def test_a_pause_that_the_provider_asks_for_is_kept(desk: Desk) -> None:
    row = await desk.sends(RateLimited(90))
    desk.probe.files[row["ref"]] = PDF
    desk.hub.clock.advance(seconds=89)
    await desk.hub.settle()
    assert (await desk.row(row["ref"]))["state"] == "waiting"
    desk.hub.clock.advance(seconds=1)
    await desk.hub.settle()
    assert (await desk.row(row["ref"]))["state"] == "stored"


async def test_after_a_day_it_failed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media, "MOST_TRIES", 2)
    row = await desk.sends(Unavailable())
    desk.hub.clock.advance(seconds=300)
    await desk.hub.settle()
    row = await desk.row(row["ref"])
    assert (row["state"], row["reason"]) == ("failed", "provider_unavailable")


async def test_a_failed_file_can_be_fetched_again(desk: Desk) -> None:
    """A defect of a connector costs one file and not its neighbours."""
    broken, refused = await desk.sends(ZeroDivisionError()), await desk.sends(Rejected("400"))
    assert (await desk.sends(PDF))["state"] == "stored"
    assert (broken["state"], broken["reason"]) == ("failed", "internal")
    assert (refused["state"], refused["reason"]) == ("failed", "rejected")
    desk.probe.files[refused["ref"]] = PDF
    told = await media.fetch_again(desk.hub.runtime, desk.hub.organisation_id, refused["id"])
    assert told == (refused["conversation_id"], refused["message_id"])
    await desk.hub.settle()
    assert (await desk.row(refused["ref"]))["state"] == "stored"
    other = await desk.hub.found("velo", "Velo Bregenz")
    with pytest.raises(NotFound):
        await media.fetch_again(desk.hub.runtime, other.organisation_id, broken["id"])


async def test_a_connector_that_cannot_fetch_says_so(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(FilesProbe, "fetch")
    row = await desk.sends(PDF)
    assert (row["state"], row["reason"]) == ("failed", "internal")


async def test_a_few_at_once(desk: Desk) -> None:
    for number in range(10):
        desk.probe.files[str(number)] = PDF
        await desk.says(ref=str(number))
    await desk.hub.settle()
    assert desk.probe.most_at_once == media.AT_ONCE
    assert sorted(desk.probe.asked) == [str(number) for number in range(10)]
    assert await desk.hub.value("SELECT count(*) FROM attachment WHERE state = 'stored'") == 10


async def _fetch(desk: Desk) -> list[str]:
    """What the lane of files does now: the refs that it has asked for since the beginning."""
    await media.drain(desk.hub.runtime, desk.hub.organisation_id, desk.channel.id, desk.hub.worker_id)
    return desk.probe.asked


async def test_files_step_back_while_webhooks_wait_to_be_applied(desk: Desk) -> None:
    desk.probe.files["a"] = PDF
    await desk.says(ref="a")
    assert await desk.hub.deliver(desk.channel, [{}]) == 200
    desk.hub.clock.advance(seconds=1)  # the way in does not keep up
    assert await _fetch(desk) == []
    await ingest.drain(desk.hub.runtime, desk.hub.organisation_id, desk.channel.id, desk.hub.worker_id)
    assert await _fetch(desk) == ["a"]


async def test_files_come_when_webhooks_never_end(desk: Desk) -> None:
    """Whatever waits, a file is late by a minute and some seconds, long before its address ends."""
    desk.probe.files["a"] = desk.probe.files["b"] = PDF
    await desk.says(ref="a")
    assert await desk.hub.deliver(desk.channel, [{}]) == 200
    desk.hub.clock.advance(seconds=30)
    assert await _fetch(desk) == []
    await desk.says(ref="b")
    for _ in range(4):
        assert await desk.hub.deliver(desk.channel, [{}]) == 200
        desk.hub.clock.advance(seconds=10)
        await _fetch(desk)
    assert desk.probe.asked == ["a"]  # the other one came half a minute later
    assert (await desk.row("a"))["state"] == "stored"
    desk.hub.clock.advance(seconds=30)
    assert await _fetch(desk) == ["a", "b"]


async def test_two_workers_fetch_a_file_once(desk: Desk) -> None:
    desk.probe.files["one"] = PDF
    await desk.says(ref="one")
    runtime, channel_id = desk.hub.runtime, desk.channel.id
    await asyncio.gather(*(media.drain(runtime, desk.hub.organisation_id, channel_id, ids.new_id()) for _ in range(3)))
    assert desk.probe.asked == ["one"]
    assert (await desk.row("one"))["state"] == "stored"


async def test_whoever_lost_the_lane_writes_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that was thought dead: its result is thrown away, the next holder fetches again."""
    fetch = FilesProbe.fetch

    async def loses(self: FilesProbe, *arguments: Any, **said: Any) -> FileHead:
        async with desk.hub.runtime.database.unit_of_work(desk.hub.organisation_id) as unit:
            await unit.sql.execute("UPDATE channel_lane SET fence = fence + 1, lease_until = NULL WHERE direction = 'media'")
        return await fetch(self, *arguments, **said)

    monkeypatch.setattr(FilesProbe, "fetch", loses)
    desk.probe.files["one"] = PDF
    await desk.says(ref="one")
    await media.drain(desk.hub.runtime, desk.hub.organisation_id, desk.channel.id, desk.hub.worker_id)
    assert (await desk.row("one"))["state"] == "waiting"
    monkeypatch.setattr(FilesProbe, "fetch", fetch)
    desk.hub.clock.advance(seconds=media.CLAIMED.total_seconds())
    await desk.hub.settle()
    assert (await desk.row("one"))["state"] == "stored"


async def test_dying_between_store_and_commit_loses_and_leaves_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next worker fetches it again a little later and writes over what lies there."""

    async def dies(*_: object) -> None:
        raise ConnectionError

    with monkeypatch.context() as patched:
        patched.setattr(media, "_record", dies)
        desk.probe.files["one"] = PDF
        await desk.says(ref="one")
        await media.drain(desk.hub.runtime, desk.hub.organisation_id, desk.channel.id, desk.hub.worker_id)
    row = await desk.row("one")
    assert (row["state"], desk.stored(row["id"])) == ("waiting", PDF)
    async with desk.hub.runtime.database.unit_of_work(desk.hub.organisation_id) as unit:
        await unit.sql.execute("UPDATE channel_lane SET lease_until = NULL")  # its lease runs out
    desk.hub.clock.advance(seconds=media.CLAIMED.total_seconds())
    await desk.hub.settle()
    assert (await desk.row("one"))["state"] == "stored"
    assert (desk.stored(row["id"]), desk.objects()) == (PDF, 1)


def _age(folder: Path) -> None:
    """A day passes for everything in the store."""
    for path in folder.rglob("*"):
        if path.is_file():
            os.utime(path, (path.stat().st_atime, path.stat().st_mtime - clearing.ORPHAN_SECONDS - 1))


async def _sweep_all(desk: Desk) -> None:
    for part in range(PARTS):
        await clearing.sweep_part(desk.hub.runtime, desk.hub.organisation_id, part)


async def test_objects_without_a_row_do_not_stay(desk: Desk) -> None:
    """Whatever a crash left behind goes within a day; what somebody needs, quarantine too, stays."""
    kept, small, locked = await desk.sends(PDF), await desk.sends(image()), await desk.sends(EICAR)
    left = ids.new_id()
    for object_id in (left, (await desk.sends(FileGone()))["id"]):
        async with desk.hub.runtime.storage.writing(desk.hub.organisation_id, object_id, limit=10) as writing:
            await writing.write(b"left")
    half = desk.hub.runtime.storage.path(desk.hub.organisation_id, left).with_suffix(".0123.part")
    half.write_bytes(b"half")
    await _sweep_all(desk)
    assert desk.objects() == 7
    _age(desk.hub.runtime.settings.media_folder)
    await _sweep_all(desk)
    assert desk.objects() == 4
    assert all(desk.stored(row["id"]) for row in (kept, small, locked))


async def test_the_sweeper_goes_through_the_whole_store(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """One part each minute."""
    swept: list[int] = []
    monkeypatch.setattr(clearing, "sweep_part", lambda runtime, organisation_id, part: _note(swept, part))
    for minute in range(PARTS):
        monkeypatch.setattr("time.time", lambda minute=minute: 60.0 * minute)
        await clearing.sweep(desk.hub.runtime, desk.hub.organisation_id)
    assert sorted(swept) == list(range(PARTS))


async def _note(swept: list[int], part: int) -> None:
    swept.append(part)


async def test_a_file_that_is_not_wanted_any_more_is_not_written(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message was edited meanwhile and another file took its place, or it was taken back: what was fetched goes at once."""
    fetch = FilesProbe.fetch

    async def replaced(self: FilesProbe, *arguments: Any, **said: Any) -> FileHead:
        async with desk.hub.runtime.database.unit_of_work(desk.hub.organisation_id) as unit:
            await unit.sql.execute("DELETE FROM attachment")
        return await fetch(self, *arguments, **said)

    monkeypatch.setattr(FilesProbe, "fetch", replaced)
    desk.probe.files["old"] = PDF
    await desk.says(ref="old")
    await desk.hub.settle()
    assert await desk.hub.rows("SELECT FROM attachment") == []
    assert await desk.hub.rows("SELECT FROM feed_entry WHERE kind = 'message_changed'") == []
    assert desk.objects() == 0


def test_every_reason_has_its_words() -> None:
    for locale in LOCALES:
        texts = catalogue(locale)
        assert {f"file.reason.{reason}" for reason in media.REASONS} == {key for key in texts if key.startswith("file.reason.")}
        assert {f"file.upload.{reason}" for reason in uploads.REASONS} == {key for key in texts if key.startswith("file.upload.")}
