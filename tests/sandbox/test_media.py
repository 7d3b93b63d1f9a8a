"""Files both ways (provider file, 5, 7 and 8): what is sent can be fetched again, byte for byte, and every limit holds."""

from typing import Any

import httpx
import pytest

from hub.core import clock
from hub.core.clock import FakeClock
from hub.sandbox.samples import read as sample
from hub.sandbox.telegram.webhook import Options
from tests.sandbox.support import BOT, TOKEN, Hook, Simulated, refusal, telegram_sandbox

PNG = sample("photo-1-90.jpg")
FIELDS = {
    "photo": {"file_id", "file_unique_id", "file_size", "width", "height"},
    "video": {"file_id", "file_unique_id", "file_size", "width", "height", "duration", "mime_type", "file_name", "thumbnail"},
    "voice": {"file_id", "file_unique_id", "file_size", "duration", "mime_type"},
    "audio": {"file_id", "file_unique_id", "file_size", "duration", "performer", "title", "mime_type", "file_name"},
    "video_note": {"file_id", "file_unique_id", "file_size", "length", "duration", "thumbnail"},
    "document": {"file_id", "file_unique_id", "file_size", "file_name", "mime_type"},
    "animation": {"file_id", "file_unique_id", "file_size", "width", "height", "duration", "mime_type", "file_name", "thumbnail"},
    "sticker": {"file_id", "file_unique_id", "file_size", "type", "width", "height", "is_animated", "is_video", "emoji", "set_name"}
    | {"thumbnail"},
}
"""What the provider file shows of each kind, 5.3 to 5.7."""


async def talking(simulated: Simulated) -> int:
    person = await simulated.person()
    await simulated.write(person, "Hallo")
    return person


@pytest.mark.parametrize("kind", FIELDS)
async def test_what_a_person_sends_has_the_fields_of_its_kind(simulated: Simulated, kind: str) -> None:
    person = await simulated.person()
    shown = (await simulated.send(person, sample=kind))[kind]
    assert set(shown[-1] if kind == "photo" else shown) == FIELDS[kind]


async def test_a_photo_has_sizes_smallest_first(simulated: Simulated) -> None:
    """5.3: several sizes of one picture; each of them can be fetched."""
    person = await simulated.person()
    message = await simulated.send(person, sample="photo", caption="Brille defekt 😕")
    assert [(size["width"], size["height"]) for size in message["photo"]] == [(90, 68), (320, 240), (800, 600)]
    assert message["caption"] == "Brille defekt 😕" and "text" not in message
    for size, name in zip(message["photo"], ("photo-1-90.jpg", "photo-1-320.jpg", "photo-1-800.jpg"), strict=True):
        assert (await simulated.fetch(size["file_id"])).content == sample(name)


async def test_an_animation_is_a_document_too(simulated: Simulated) -> None:
    """5.6: both fields name the same file."""
    message = await simulated.send(await simulated.person(), sample="animation")
    assert message["animation"]["file_id"] == message["document"]["file_id"]
    assert "width" not in message["document"]


@pytest.mark.parametrize(
    ("name", "is_animated", "is_video"),
    [("sticker", False, False), ("sticker_animated", True, False), ("sticker_video", False, True)],
)
async def test_stickers(simulated: Simulated, name: str, is_animated: bool, is_video: bool) -> None:
    shown = (await simulated.send(await simulated.person(), sample=name))["sticker"]
    assert (shown["is_animated"], shown["is_video"]) == (is_animated, is_video)


@pytest.mark.parametrize(
    ("method", "field", "name", "seconds"),
    [
        ("sendPhoto", "photo", "photo-2-800.jpg", None),
        ("sendVideo", "video", "video.mp4", 3),
        ("sendAnimation", "animation", "animation.mp4", 2),
        ("sendAudio", "audio", "audio.mp3", 6),
        ("sendVoice", "voice", "voice.ogg", 4),
        ("sendVideoNote", "video_note", "round.mp4", 3),
        ("sendDocument", "document", "document.pdf", None),
        ("sendSticker", "sticker", "sticker.webp", None),
    ],
)
async def test_an_upload_comes_back_byte_for_byte(
    simulated: Simulated, method: str, field: str, name: str, seconds: int | None
) -> None:
    """Multipart, the part named like the parameter; the result is the message, its file can be fetched and sent again by its id."""
    person, data = await talking(simulated), sample(name)
    sent = (await simulated.upload(method, {field: (name, data)}, chat_id=person)).json()["result"]
    shown = sent[field][-1] if field == "photo" else sent[field]
    assert shown["file_size"] == len(data) and shown.get("duration") == seconds
    assert (await simulated.fetch(shown["file_id"])).content == data
    again = (await simulated.call(method, chat_id=person, **{field: shown["file_id"]})).json()["result"]
    assert again[field] == sent[field] and again["message_id"] != sent["message_id"]


async def test_a_file_keeps_its_name_and_type(simulated: Simulated) -> None:
    """What the bytes do not say, the sender does."""
    person = await talking(simulated)
    files = {"document": ("Übersicht Q3.csv", b"a;b", "text/csv")}
    document = (
        await simulated.upload("sendDocument", files, chat_id=person, caption="Bitte <b>prüfen</b>", parse_mode="HTML")
    ).json()
    assert document["result"]["document"]["file_name"] == "Übersicht Q3.csv"
    assert document["result"]["document"]["mime_type"] == "text/csv"
    assert document["result"]["caption_entities"] == [{"offset": 6, "length": 6, "type": "bold"}]


async def test_what_is_no_voice_goes_out_as_a_document(simulated: Simulated) -> None:
    person = await talking(simulated)
    sent = (await simulated.upload("sendVoice", {"voice": ("x.txt", b"hallo", "text/plain")}, chat_id=person)).json()["result"]
    assert "voice" not in sent and sent["document"]["file_name"] == "x.txt"


def png(width: int, height: int) -> bytes:
    """The head of a PNG of this size."""
    return b"\x89PNG\r\n\x1a\n" + (13).to_bytes(4, "big") + b"IHDR" + width.to_bytes(4, "big") + height.to_bytes(4, "big")


@pytest.mark.parametrize(
    ("method", "files", "parameters", "expected"),
    [
        ("sendPhoto", {}, {}, "there is no photo in the request"),
        ("sendVideoNote", {}, {}, "there is no video note in the request"),
        ("sendDocument", {}, {"document": "attach://fehlt"}, "there is no document in the request"),
        ("sendDocument", {"document": ("leer.txt", b"")}, {}, "file must be non-empty"),
        ("sendPhoto", {"photo": ("x.jpg", b"kein Bild")}, {}, "IMAGE_PROCESS_FAILED"),
        ("sendPhoto", {"photo": ("x.png", png(9000, 1001))}, {}, "PHOTO_INVALID_DIMENSIONS"),
        ("sendPhoto", {"photo": ("x.png", png(2101, 100))}, {}, "PHOTO_INVALID_DIMENSIONS"),
        ("sendPhoto", {"photo": ("x.png", png(10, 10) + bytes(10 << 20))}, {}, "is too big for a photo"),
        ("sendPhoto", {}, {"photo": "AgACAgIAAxkBfremd"}, "wrong file identifier/HTTP URL specified"),
        ("sendPhoto", {}, {"photo": "https://muster.example/x.jpg"}, "failed to get HTTP URL content"),
        ("sendVideoNote", {}, {"video_note": "https://muster.example/x.mp4"}, "wrong file identifier/HTTP URL specified"),
        ("sendPhoto", {"photo": ("x.jpg", PNG)}, {"caption": "😀" * 513}, "message caption is too long"),
        ("sendPhoto", {"photo": ("x.jpg", PNG)}, {"caption": "<x>", "parse_mode": "HTML"}, "can't parse entities"),
    ],
)
async def test_uploads_that_are_refused(
    simulated: Simulated, method: str, files: dict[str, Any], parameters: dict[str, str], expected: str
) -> None:
    person = await talking(simulated)
    if files:
        answer = await simulated.upload(method, files, chat_id=person, **parameters)
    else:
        answer = await simulated.call(method, chat_id=person, **parameters)
    status, description = refusal(answer)
    assert status == 400 and expected in description
    assert len((await simulated.phone(person))["entries"]) == 1


async def test_more_than_50_mb_is_413(simulated: Simulated) -> None:
    person = await talking(simulated)
    answer = await simulated.upload("sendDocument", {"document": ("x.bin", bytes(50 << 20))}, chat_id=person)
    assert refusal(answer) == (413, "Request Entity Too Large")


async def test_a_file_of_one_kind_is_no_other(simulated: Simulated) -> None:
    person = await simulated.person()
    voice = (await simulated.send(person, sample="voice"))["voice"]["file_id"]
    answer = await simulated.call("sendPhoto", chat_id=person, photo=voice)
    assert refusal(answer) == (400, "Bad Request: can't use file of type Voice as Photo")


async def test_unique_ids_follow_the_bytes(simulated: Simulated) -> None:
    """Section 8: `file_unique_id` is the same for the same bytes, whoever sends them; it cannot be fetched."""
    person = await talking(simulated)
    one = (await simulated.send(person, sample="document"))["document"]
    other = (await simulated.upload("sendDocument", {"document": ("a.pdf", sample("document.pdf"))}, chat_id=person)).json()
    assert one["file_unique_id"] == other["result"]["document"]["file_unique_id"]
    assert refusal(await simulated.call("getFile", file_id=one["file_unique_id"])) == (400, "Bad Request: invalid file_id")
    assert refusal(await simulated.call("getFile")) == (400, "Bad Request: file_id not specified")


async def test_more_than_20_mb_cannot_be_fetched(simulated: Simulated) -> None:
    message = await simulated.send(await simulated.person(), sample="large", caption="Größer als 20 MB")
    assert message["document"]["file_size"] > 20 << 20
    answer = await simulated.call("getFile", file_id=message["document"]["file_id"])
    assert refusal(answer) == (400, "Bad Request: file is too big")


async def test_ranges(simulated: Simulated) -> None:
    """A download may go on where it broke off."""
    file_id = (await simulated.send(await simulated.person(), sample="voice"))["voice"]["file_id"]
    data = sample("voice.ogg")
    part = await simulated.fetch(file_id, range="bytes=100-199")
    assert (part.status_code, part.content) == (206, data[100:200])
    assert part.headers["content-range"] == f"bytes 100-199/{len(data)}"
    assert (await simulated.fetch(file_id, range="bytes=-10")).content == data[-10:]
    assert (await simulated.fetch(file_id, range="bytes=100-")).content == data[100:]
    assert (await simulated.fetch(file_id, range=f"bytes={len(data)}-")).status_code == 416
    assert (await simulated.fetch(file_id, range="bytes=1-2,5-6")).status_code == 200


async def test_a_path_is_good_for_an_hour(simulated: Simulated) -> None:
    file_id = (await simulated.send(await simulated.person(), sample="voice"))["voice"]["file_id"]
    told = (await simulated.call("getFile", file_id=file_id)).json()["result"]
    address = f"{simulated.address}/file/bot{TOKEN}/{told['file_path']}"
    fake = FakeClock(clock.now())
    clock.set_clock(fake)
    try:
        assert (await simulated.http.get(address)).status_code == 200
        fake.advance(hours=1, seconds=1)
        assert refusal(await simulated.http.get(address)) == (404, "Not Found")
        assert (await simulated.fetch(file_id)).status_code == 200
    finally:
        clock.set_clock(None)


@pytest.mark.parametrize(
    ("token", "path", "expected"),
    [
        ("7012345678:AAE-another_token_of_thirty_five", "photos/file_0.jpg", (401, "Unauthorized")),
        ("no-token", "photos/file_0.jpg", (404, "Not Found")),
        (TOKEN, "photos/file_99.jpg", (404, "Not Found")),
        (TOKEN, "photos/%2e%2e/%2e%2e/etc/passwd", (404, "Not Found")),
    ],
)
async def test_downloads_nobody_may_have(simulated: Simulated, token: str, path: str, expected: tuple[int, str]) -> None:
    assert refusal(await simulated.http.get(f"{simulated.address}/file/bot{token}/{path}")) == expected


async def test_faults_of_files(simulated: Simulated) -> None:
    """Each of them once; then the file comes."""
    file_id = (await simulated.send(await simulated.person(), sample="voice"))["voice"]["file_id"]

    async def fault(kind: str, **more: Any) -> None:
        await simulated.fault(kind, times=1, **more)

    await fault("file_too_big")
    assert refusal(await simulated.call("getFile", file_id=file_id)) == (400, "Bad Request: file is too big")
    await fault("file_gone")
    words = "Bad Request: wrong file_id or the file is temporarily unavailable"
    assert refusal(await simulated.call("getFile", file_id=file_id)) == (400, words)
    await fault("file_limited", retry_after=7)
    limited = await simulated.call("getFile", file_id=file_id)
    assert (limited.status_code, limited.json()["parameters"]) == (429, {"retry_after": 7})
    await fault("expired_path")
    assert (await simulated.fetch(file_id)).status_code == 404
    await fault("half_download")
    with pytest.raises(httpx.RemoteProtocolError):
        await simulated.fetch(file_id)
    await fault("slow_download", delay=0.1)
    slow = await simulated.fetch(file_id)
    assert slow.content == sample("voice.ogg") and slow.elapsed.total_seconds() >= 0.1
    assert (await simulated.fetch(file_id)).content == sample("voice.ogg")


async def test_what_an_earlier_process_told_is_still_good(simulated: Simulated) -> None:
    """A restarted simulator knows its samples by the ids it told before, and a chat that gets its past back shows them whole."""
    person = await simulated.person()
    sent = (await simulated.send(person, sample="photo"))["photo"]
    fresh = telegram_sandbox(Options())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(fresh), base_url="http://127.0.0.1") as http:
        again = Simulated(fresh, "http://127.0.0.1", http)
        await again.control("POST", "/bots", {"token": TOKEN, "name": "Muster Optik", "username": "muster_optik_bot"})
        assert (await again.fetch(sent[-1]["file_id"])).content == sample("photo-1-800.jpg")
        await again.person(person)
        file = {"kind": "image", "name": "", "mime": "", "size": 0}
        line = {"at": "2025-12-11T08:20:01Z", "is_theirs": False}
        known = line | {"id": "7", "text": "alt", "files": [file | {"id": sent[-1]["file_id"]}]}
        lost = line | {"id": "8", "files": [file | {"id": "vergessen", "kind": "voice"}]}
        address = f"/phone/telegram/{BOT}/chat"
        shown = (await http.put(address, json={"person": str(person), "lines": [known, lost]})).json()["lines"]
        assert (shown[0]["files"][0]["id"], shown[0]["text"], shown[1]["files"][0]["id"]) == (sent[-1]["file_id"], "alt", "")
        one, other = [entry["message"] for entry in (await again.phone(person))["entries"]]
        assert (one["photo"], one["caption"], other["voice"]) == (sent, "alt", {})
    await fresh.stop()


# Albums


def photos(*names: str, **more: Any) -> list[dict[str, Any]]:
    return [{"type": "photo", "media": f"attach://{name}", **more} for name in names]


async def test_an_album(simulated: Simulated) -> None:
    """Uploads and known files in one; an array comes back, all with one media_group_id."""
    person = await simulated.person()
    known = (await simulated.send(person, sample="video"))["video"]["file_id"]
    media = [*photos("f0", caption="*Zwei*", parse_mode="MarkdownV2"), {"type": "video", "media": known}]
    sent = (await simulated.upload("sendMediaGroup", {"f0": ("a.jpg", PNG)}, chat_id=person, media=media)).json()["result"]
    assert len({one["media_group_id"] for one in sent}) == 1 and sent[0]["message_id"] != sent[1]["message_id"]
    assert (sent[0]["caption"], sent[0]["caption_entities"][0]["type"]) == ("Zwei", "bold")
    assert sent[1]["video"]["file_id"] == known


@pytest.mark.parametrize(
    ("media", "description"),
    [
        ("[", "can't parse media JSON object"),
        ({"type": "photo"}, "expected an Array of InputMedia"),
        (photos("f0"), "an album must have from 2 to 10 items"),
        (photos(*["f0"] * 11), "an album must have from 2 to 10 items"),
        ([*photos("f0"), {"type": "document", "media": "attach://f0"}], "document can't be mixed with other media types"),
        ([*photos("f0"), {"type": "audio", "media": "attach://a0"}], "audio can't be mixed with other media types"),
        ([*photos("f0"), {"type": "animation", "media": "attach://f0"}], "can't be used in sendMediaGroup"),
        ([*photos("f0"), {"type": "hologram", "media": "attach://f0"}], 'type "hologram" is unsupported'),
        ([*photos("f0"), {"type": "photo"}], "media not found"),
        (photos("f0", "f7"), "there is no photo in the request"),
    ],
)
async def test_albums_that_are_refused(simulated: Simulated, media: Any, description: str) -> None:
    """Nothing of them appears."""
    person = await talking(simulated)
    files = {"f0": ("a.jpg", PNG), "a0": ("a.mp3", sample("audio.mp3"))}
    status, words = refusal(await simulated.upload("sendMediaGroup", files, chat_id=person, media=media))
    assert status == 400 and description in words
    assert len((await simulated.phone(person))["entries"]) == 1


async def test_an_album_of_a_person(simulated: Simulated, hook: Hook) -> None:
    """5.4: an update each, one caption, one group; when shuffled, they come in another order than their numbers."""
    person = await simulated.person()
    album = [{"sample": "photo-1", "caption": "Zwei Ansichten"}, {"sample": "photo-2"}, {"sample": "video"}]
    await simulated.send(person, album=album, shuffled=True)
    messages = [one.update["message"] for one in await hook.wait_for(3)]
    assert len({one["media_group_id"] for one in messages}) == 1
    assert [one.get("caption") for one in sorted(messages, key=lambda one: int(one["message_id"]))] == [
        "Zwei Ansichten",
        None,
        None,
    ]
    numbers = [one["message_id"] for one in messages]
    assert numbers != sorted(numbers)


async def test_the_phone_uploads_any_file(simulated: Simulated) -> None:
    """The page's API takes bytes; what it serves is an attachment, never a page of its own."""
    person, base = await simulated.person(), f"{simulated.address}/phone/telegram/{BOT}/file"
    page = b"<script>alert(1)</script>"
    headers = {"content-type": "application/octet-stream"}
    query = {"person": str(person), "kind": "document", "name": "a.html", "mime": "text/html", "text": "Seite"}
    line = (await simulated.http.post(base, params=query, content=page, headers=headers)).json()
    shown = await simulated.http.get(base, params={"id": line["files"][0]["id"]})
    assert shown.content == page and shown.headers["content-disposition"].startswith("attachment")
    assert (await simulated.http.get(base, params={"id": "fehlt"})).status_code == 404
    photo = query | {"kind": "image", "name": "a.png", "mime": "image/png"}
    assert (await simulated.http.post(base, params=photo, content=b"x", headers=headers)).status_code == 422
