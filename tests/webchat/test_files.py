"""Files both ways: a visitor's is examined before it is taken, ours is handed out by a link for one file."""

import os
import time
from typing import Any

from hub.core import ids
from hub.core.storage import Form
from hub.inbox.stored import clearing
from tests.files import EICAR, EXE, HTML, OGG_VOICE, PDF, SVG, image
from tests.support import HubUnderTest
from tests.webchat.support import Browser, attach, visit_site


async def settled(visitor: Browser) -> dict[str, Any]:
    """The newest message of the box once everything due has happened."""
    await visitor.hub.settle()
    return (await visitor.messages())[-1]


async def test_picture_arrives_whole(hub: HubUnderTest) -> None:
    """It is stored at once, comes through the door as a message, and the visitor sees it again with its small picture."""
    visitor = await (await visit_site(hub)).start()
    photo = image()
    assert (await visitor.send_file("Rad & Co.jpg", photo)).status_code == 204
    shown = await settled(visitor)
    file = shown["files"][0]
    assert (file["mime"], file["size"], file["picture"], file["at"]) == ("image/jpeg", len(photo), True, [640, 480])
    whole = await visitor.client.get(file["url"])
    assert whole.content == photo
    assert whole.headers["cross-origin-resource-policy"] == "cross-origin"
    assert whole.headers["content-security-policy"].startswith("sandbox")
    assert (await visitor.client.get(file["url"] + "?small=true")).headers["content-type"] == "image/webp"
    stored = await hub.rows("SELECT kind, state, name, scanned FROM attachment")
    assert [tuple(row) for row in stored] == [("image", "stored", "Rad & Co.jpg", "unscanned")]


async def test_each_kind(hub: HubUnderTest) -> None:
    visitor = await (await visit_site(hub)).start()
    for name, data in (("ton.ogg", OGG_VOICE), ("angebot.pdf", PDF), ("liste.csv", b"a;b\n1;2\n")):
        assert (await visitor.send_file(name, data)).status_code == 204
    await settled(visitor)
    rows = await hub.rows("SELECT kind, state FROM attachment ORDER BY name")
    assert [tuple(row) for row in rows] == [("document", "stored"), ("document", "stored"), ("audio", "stored")]


async def test_what_is_refused_leaves_nothing(hub: HubUnderTest) -> None:
    """Malware, programs, pages and nothing at all: told in words, in no delivery and in no store."""
    visitor = await (await visit_site(hub)).start()
    for name, data, word in (
        ("x.txt", EICAR, "Schadsoftware"),
        ("setup.pdf", EXE, "nicht angenommen"),
        ("seite.html", HTML, "nicht angenommen"),
        ("bild.svg", SVG, "nicht angenommen"),
        ("leer.txt", b"", "leer"),
    ):
        answer = await visitor.send_file(name, data)
        assert (answer.status_code, answer.json()["error"]) == (422, "file_refused")
        assert word in answer.json()["text"]
    assert await hub.value("SELECT count(*) FROM webhook_delivery") == 0
    assert [path for path in hub.runtime.storage._root.rglob("*") if path.is_file()] == []


async def test_too_large_is_cut_off(hub: HubUnderTest, monkeypatch: Any) -> None:
    visitor = await (await visit_site(hub)).start()
    monkeypatch.setattr("hub.webchat.uploads.LARGEST_FILE", 2_000_000)
    answer = await visitor.send_file("gross.txt", b"x" * 2_000_001)
    assert answer.status_code == 422
    assert "größer als 2 MB" in answer.json()["text"]


async def test_form_without_file(hub: HubUnderTest) -> None:
    visitor = await (await visit_site(hub)).start()
    assert (await visitor.post("files?id=0123456789", {})).status_code == 422
    assert (await visitor.post("files", {})).status_code == 422


async def test_file_waits_as_long_as_its_delivery(hub: HubUnderTest) -> None:
    """Nothing that sweeps takes what no row names yet; it goes when its raw delivery has gone."""
    visitor = await (await visit_site(hub)).start()
    await visitor.send_file("angebot.pdf", PDF)
    storage, organisation = hub.runtime.storage, hub.organisation_id
    path = next(path for path in storage._root.rglob(f"*{Form.ASIDE}"))
    part = int(path.parent.name, 16)

    def age(days: float) -> None:
        os.utime(path, (time.time() - days * 86_400,) * 2)

    age(hub.runtime.settings.keep_raw_days)
    await clearing.sweep_part(hub.runtime, organisation, part)
    shown = await settled(visitor)
    assert (await visitor.client.get(shown["files"][0]["url"])).content == PDF
    age(hub.runtime.settings.keep_raw_days + 1.1)
    await clearing.sweep_part(hub.runtime, organisation, part)
    assert not path.exists()
    assert (await visitor.client.get(shown["files"][0]["url"])).content == PDF


async def test_file_that_is_gone_is_told(hub: HubUnderTest) -> None:
    visitor = await (await visit_site(hub)).start()
    await visitor.send_file("angebot.pdf", PDF)
    next(path for path in hub.runtime.storage._root.rglob(f"*{Form.ASIDE}")).unlink()
    shown = await settled(visitor)
    assert "url" not in shown["files"][0]
    assert await hub.value("SELECT state FROM attachment") == "gone"


async def test_our_files_are_in_one_message(hub: HubUnderTest) -> None:
    visitor = await (await visit_site(hub)).start()
    await visitor.write("Bitte die Unterlagen")
    conversation = await visitor.conversation()
    files = [await attach(hub, conversation, name, PDF) for name in ("a.pdf", "b.pdf")]
    await hub.reply(conversation, "Beides", files=files)
    shown = await settled(visitor)
    assert (shown["text"], [file["name"] for file in shown["files"]]) == ("Beides", ["a.pdf", "b.pdf"])
    fetched = await visitor.client.get(shown["files"][1]["url"])
    assert fetched.content == PDF
    assert fetched.headers["content-disposition"].startswith("attachment")


async def test_link_is_for_its_own_chat_and_a_day(hub: HubUnderTest) -> None:
    visitor = await (await visit_site(hub)).start()
    await visitor.send_file("angebot.pdf", PDF)
    url = (await settled(visitor))["files"][0]["url"]
    other = await hub.found("velo", "Velo Bregenz")
    theirs = await hub.connect(
        "webchat", other, **{"title": "V", "origins": "velo.example", "privacy_url": "https://velo.example/d"}
    )
    assert (await visitor.client.get(url.replace(visitor.key, ids.show("chn", theirs.id)))).status_code == 404
    assert (await visitor.client.get(url[:-3] + "xyz")).status_code == 404
    hub.clock.advance(hours=25)
    assert (await visitor.client.get(url)).status_code == 404
