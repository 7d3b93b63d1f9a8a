"""Every Telegram kind both ways, over the real road: the simulator's wire, door, lane, store, gate, claim and back to the phone."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from hub.channels.moving import register_moved
from hub.connectors.events import Location
from hub.core import ids
from hub.core.settings import Settings
from hub.inbox.arriving import listening
from hub.inbox.sending import actions, dispatch
from hub.inbox.stored import uploads
from hub.runtime import Runtime
from tests.sandbox.support import BOT, Stage
from tests.scenarios.conftest import Story

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c4944415408d763f8cfc000000301010018dd8db00000000049454e44ae426082"
)


@pytest.fixture
def settings(settings: Settings, sockets: tuple[Stage, Stage]) -> Settings:
    telegram, hub = sockets
    return settings.model_copy(update={"public_url": hub.address, "trusted_hosts": frozenset({urlsplit(telegram.address).netloc})})


SENT = [
    ("photo", "image", "image/jpeg"),
    ("video", "video", "video/mp4"),
    ("animation", "animation", "video/mp4"),
    ("video_note", "video_note", "video/mp4"),
    ("voice", "voice", "audio/ogg"),
    ("audio", "audio", "audio/mpeg"),
    ("document", "document", "application/pdf"),
    ("sticker", "sticker", "image/webp"),
]


@pytest.mark.parametrize(("sample", "kind", "mime"), SENT)
async def test_a_file_comes_in_once_with_its_bytes(story: Story, sample: str, kind: str, mime: str) -> None:
    message = await story.telegram.send(
        story.person, sample=sample, caption="" if sample in ("sticker", "video_note") else "Siehe *hier*"
    )
    await story.settled()
    line = await story.newest()
    (file,) = await story.files(line["id"])
    assert (line["kind"], file["kind"], file["state"], file["mime"]) == ("media", kind, "stored", mime)
    assert file["has_thumbnail"] == (mime.partition("/")[0] in ("image", "video"))
    value: Any = message[sample][-1] if sample == "photo" else message[sample]
    theirs = (await story.telegram.fetch(value["file_id"])).content
    with story.hub.runtime.storage.open(story.hub.organisation_id, file["id"]) as ours:
        assert ours.read() == theirs
    if sample not in ("sticker", "video_note"):
        assert line["text"] == "Siehe *hier*"


@pytest.mark.parametrize(
    ("sample", "kind", "text", "content"),
    [
        ("location", "location", "", {"latitude": 47.545871, "longitude": 9.683104, "is_live": False}),
        ("live_location", "location", "", {"is_live": True}),
        ("poll", "unsupported", None, {"kind": "poll"}),
        ("dice", "unsupported", None, {"kind": "dice"}),
        ("unknown", "unsupported", None, {}),
        ("contact", "contact", "Jörg", {"is_sender": True}),
        ("contact_foreign", "contact", None, {"is_sender": False}),
    ],
)
async def test_what_is_no_file_comes_in_as_what_it_is(
    story: Story, sample: str, kind: str, text: str | None, content: dict[str, Any]
) -> None:
    await story.telegram.send(story.person, sample=sample)
    await story.settled()
    line = await story.newest()
    assert line["kind"] == kind
    assert {name: line["content"].get(name) for name in content} == content
    if text is not None:
        assert line["text"] == text


async def test_a_venue_is_one_place(story: Story) -> None:
    before = await story.hub.value("SELECT count(*) FROM message")
    await story.telegram.send(story.person, sample="venue")
    await story.settled()
    line = await story.newest()
    assert line["kind"] == "location" and line["text"] and line["content"]["address"]
    assert await story.hub.value("SELECT count(*) FROM message") == before + 1


@pytest.mark.parametrize("shuffled", [False, True])
async def test_an_album_is_one_message_in_any_order(story: Story, shuffled: bool) -> None:
    before = await story.hub.value("SELECT count(*) FROM message")
    album = [{"sample": "photo-1", "caption": "Drei Ansichten"}, {"sample": "photo-2"}, {"sample": "photo-3"}]
    await story.telegram.send(story.person, album=album, shuffled=shuffled)
    await story.settled()
    line = await story.newest()
    files = await story.files(line["id"])
    assert await story.hub.value("SELECT count(*) FROM message") == before + 1
    assert (line["text"], [file["state"] for file in files]) == ("Drei Ansichten", ["stored"] * 3)
    assert len({file["sha256"] for file in files}) == 3
    assert [file["position"] for file in files] == sorted(file["position"] for file in files)
    assert await story.hub.value("SELECT unread FROM conversation") == 2  # the start and the album


async def test_a_text_with_formatting_and_its_edit(story: Story) -> None:
    message = await story.telegram.send(story.person, text="👋 **fett** und `code`", is_typed=True)
    await story.settled()
    line = await story.newest()
    assert line["text"] == "👋 fett und code"
    assert [(line["text"][start:end], style) for start, end, style, _ in line["content"]["spans"]] == [
        ("fett", "bold"),
        ("code", "code"),
    ]
    await story.telegram.control(
        "PATCH", f"/bots/{BOT}/chats/{story.person}/messages/{message['message_id']}", {"text": "doch anders"}
    )
    await story.settled()
    line = await story.newest()
    assert line["text"] == "doch anders" and line["edited_at"] is not None and "spans" not in line["content"]


async def test_a_file_of_more_than_20_mb_keeps_its_message(story: Story) -> None:
    """Provider file, 13."""
    await story.telegram.send(story.person, sample="large")
    await story.settled()
    (file,) = await story.files((await story.newest())["id"])
    assert (file["state"], file["reason"], file["name"]) == ("refused", "too_large", "Werkstatthandbuch.pdf")


async def test_groups_channels_and_business_accounts_are_acknowledged_and_ignored(story: Story) -> None:
    """Provider file, 4 and 5.13: nothing of them becomes a conversation, and the reason is kept."""
    before = await story.hub.value("SELECT count(*) FROM message")
    group = await story.telegram.control(
        "POST", f"/bots/{BOT}/groups", {"id": -1001987654321, "title": "Team", "person": story.person}
    )
    assert group
    await story.telegram.control(
        "POST", f"/bots/{BOT}/groups/-1001987654321/messages", {"person": story.person, "text": "Hallo Gruppe"}
    )
    for kind in ("channel_post", "business_message", "future_kind"):
        chat = {"id": -100, "title": "x", "type": "channel"}
        payload = {"message_id": 1, "date": 1795510800, "chat": chat, "text": "x"}
        # not asked for, so Telegram holds them back; those of an earlier list may still come
        assert await story.hub.deliver(story.channel, {"update_id": 990 + len(kind), kind: payload}) == 200
    await story.settled()
    assert await story.hub.value("SELECT count(*) FROM message") == before
    assert await story.hub.value("SELECT count(*) FROM delivery_result WHERE state = 'ignored' AND why <> ''") >= 4
    assert await story.hub.value("SELECT count(*) FROM delivery_result WHERE state = 'dead'") == 0


async def test_what_an_agent_sends_is_what_the_customer_sees(story: Story) -> None:
    conversation = await story.conversation()
    await story.hub.reply(conversation, "*Fett* und 2*3*4")
    await story.hub.reply(conversation, "", location=Location(latitude=47.5, longitude=9.7))
    await story.hub.reply(conversation, "x" * 5000)
    await story.settled()
    told = [entry["message"] for entry in (await story.phone())[1:]]
    assert told[0]["text"] == "Fett und 2*3*4"
    assert told[0]["entities"] == [{"type": "bold", "offset": 0, "length": 4}]
    assert told[1]["location"] == {"latitude": 47.5, "longitude": 9.7}
    assert [len(one["text"]) for one in told[2:4]] == [4096, 904]
    assert [row["state"] for row in await story.hub.rows("SELECT state FROM message WHERE direction = 'out'")] == ["sent"] * 3


async def form(name: str, data: bytes) -> AsyncIterator[bytes]:
    """The body of a form with one file, as a browser sends it."""
    disposition = f'Content-Disposition: form-data; name="file"; filename="{name}"'
    yield f"--grenze\r\n{disposition}\r\nContent-Type: image/png\r\n\r\n".encode() + data + b"\r\n--grenze--\r\n"


async def test_files_are_sent_alone_and_as_an_album_with_a_long_caption(story: Story) -> None:
    conversation = await story.conversation()
    hub = story.hub

    async def attach(name: str) -> Any:
        kind = "multipart/form-data; boundary=grenze"
        upload = await uploads.add_upload(hub.runtime, hub.owner, conversation, content_type=kind, body=form(name, PNG))
        return upload.id

    await hub.reply(conversation, "Die Quittung", files=[await attach("quittung.png")])
    await hub.reply(conversation, "y" * 1500, files=[await attach("a.png"), await attach("b.png")])
    await story.settled()
    told = [entry["message"] for entry in (await story.phone())[1:]]
    assert told[0]["caption"] == "Die Quittung" and told[0]["photo"]
    assert (await story.telegram.fetch(told[0]["photo"][-1]["file_id"])).content == PNG
    assert told[1]["media_group_id"] == told[2]["media_group_id"]
    assert told[3]["text"] == "y" * 1500


async def test_a_question_is_pressed_and_the_press_is_answered(story: Story) -> None:
    conversation = await story.conversation()
    await story.hub.reply(conversation, "Passt Dienstag?", options=["Ja", "Nein"])
    await story.settled()
    question = (await story.phone())[-1]["message"]
    row = question["reply_markup"]["inline_keyboard"]
    buttons = [button for line in row for button in line]
    assert [button["text"] for button in buttons] == ["Ja", "Nein"]
    await story.telegram.press(story.person, question["message_id"], buttons[0]["callback_data"])
    await story.settled()
    line = await story.newest()
    assert (line["kind"], line["text"], line["content"]["option"]) == ("interactive", "Ja", "1")
    assert line["content"]["reply_to"]
    states = await story.hub.rows("SELECT state FROM message_part WHERE action = 'answer'")
    assert [row["state"] for row in states] == ["sent"]


async def test_reply_reaction_edit_and_deletion_reach_the_phone(story: Story) -> None:
    conversation, hub = await story.conversation(), story.hub
    theirs = await story.telegram.send(story.person, text="Was kostet das?")
    await story.settled()
    asked = (await story.newest())["id"]
    answer = await hub.reply(conversation, "12 €", reply_to=asked)
    await actions.react(hub.runtime, hub.owner, asked, "👍")
    await story.settled()
    phone = await story.phone()
    assert phone[-1]["message"]["reply_to_message"]["message_id"] == theirs["message_id"]
    assert "👍" in str(phone[-2])
    await actions.edit(hub.runtime, hub.owner, answer, "*14* €")
    await story.settled()
    assert (await story.phone())[-1]["message"]["text"] == "14 €"
    assert await hub.value("SELECT text FROM message WHERE id = $1", answer) == "14 €"
    await actions.delete(hub.runtime, hub.owner, answer)
    await story.settled()
    assert all("14 €" not in str(entry["message"]) for entry in await story.phone())
    assert await hub.value("SELECT deleted_at IS NOT NULL FROM message WHERE id = $1", answer)


async def test_typing_shows_on_the_phone(story: Story) -> None:
    clients = dispatch.Clients(story.hub.runtime.settings.trusted_hosts)
    await dispatch.show_sign(story.hub.runtime, clients, story.hub.organisation_id, await story.conversation(), "typing")
    await clients.close()
    assert "typing" in str(await story.telegram.phone(story.person))


async def test_polling_webhook_and_back_lose_and_double_nothing(story: Story, settings: Settings) -> None:
    """Design 9: the same messages by poll, by webhook and by poll again, with messages written during each move."""
    hub, said = story.hub, []

    async def write(text: str) -> None:
        said.append(text)
        await story.telegram.send(story.person, text=text)

    def at(address: str | None) -> Runtime:
        return Runtime(**{**vars(hub.runtime), "settings": settings.model_copy(update={"public_url": address})})

    await write("per Webhook")
    await story.settled()
    nowhere = at(None)
    await write("kurz vor dem Umzug")
    assert await register_moved(nowhere) == 1
    for round_ in range(2):
        await write(f"wird abgeholt {round_}")
        await poll(nowhere, story)
    await write("liegt noch bei Telegram")
    assert await register_moved(at(settings.public_url)) == 1
    await write("wieder per Webhook")
    await story.settled()
    texts = [row["text"] for row in await hub.rows("SELECT text FROM message WHERE direction = 'in' ORDER BY at, sequence")]
    assert texts[1:] == said


async def poll(runtime: Runtime, story: Story) -> None:
    """Two polls: the second tells Telegram that the first is safe."""
    from httpx import AsyncClient

    from hub.connectors.http import connector_client
    from hub.core import lanes

    lane = await lanes.take(runtime.database, story.hub.organisation_id, story.channel.id, "listen", ids.new_id())
    assert lane is not None
    http: AsyncClient
    async with connector_client(runtime.settings.trusted_hosts) as http:
        for _ in range(2):
            await listening._poll_once(runtime, lane, http)
    await lane.let_go()
