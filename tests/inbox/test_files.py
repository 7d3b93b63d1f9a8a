"""Files in a browser's hands and from them: what is handed out, how, to whom; what is taken in, and what is not (R-231)."""

import base64
import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import pytest

from hub.connectors.contract import MediaLimit
from hub.connectors.errors import FileGone, Rejected
from hub.connectors.events import MediaKind
from hub.connectors.registry import Registry
from hub.core import ids
from hub.core.errors import NotFound
from hub.core.handing import FILE_POLICY
from hub.core.settings import Settings
from hub.inbox.stored import clearing
from hub.inbox.stored.links import Linked, make_link, read_link
from hub.organisations import sessions
from tests.files import EICAR, EXE, HTML, MP4, OGG_VOICE, PDF, SVG, archive, image, nested_archive, png_bomb, turned_photo
from tests.inbox.files_support import MEGABYTE, Desk, FilesProbe, attach, shown
from tests.inbox.pages_support import DATA, PAGE, Visitor, visit
from tests.organisations.support import signed_in
from tests.support import HubUnderTest

HOUR: Final = timedelta(hours=1)


@pytest.fixture
def probe() -> FilesProbe:
    return FilesProbe()


@pytest.fixture
def connectors(probe: FilesProbe) -> Registry:
    return Registry([probe])


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"media_limit": 2_500_000})


@pytest.fixture
async def desk(hub: HubUnderTest, probe: FilesProbe) -> AsyncIterator[Desk]:
    yield Desk(hub, probe, await hub.connect("probe"))


@pytest.fixture
async def agent(hub: HubUnderTest) -> Visitor:
    return await visit(hub)


async def get(agent: Visitor, row: Any, query: str = "", **headers: str) -> Any:
    return await agent.client.get(f"{agent.base}/files/{shown(row)}{query}", headers=headers)


# Handed out


async def test_a_file_is_a_download_without_rights(desk: Desk, agent: Visitor) -> None:
    """No guessing of its type, a sandbox, no other site, kept by nobody without asking again."""
    row = await desk.sends(PDF, name="Müller.pdf")
    response = await get(agent, row)
    assert (response.status_code, response.content) == (200, PDF)
    assert response.headers["content-type"] == "application/pdf"
    assert response.headers["content-disposition"] == "attachment; filename=\"Muller.pdf\"; filename*=UTF-8''M%C3%BCller.pdf"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert response.headers["cross-origin-resource-policy"] == "same-origin"
    assert response.headers["cache-control"] == "private, no-cache"


@pytest.mark.parametrize(
    ("body", "is_inline"),
    [
        (image("JPEG"), True),
        (image("PNG"), True),
        (OGG_VOICE, True),
        (MP4, True),
        (PDF, False),
        (b"Guten Tag", False),
        (b"\0\1", False),
    ],
)
async def test_only_harmless_types_are_shown_in_place(desk: Desk, agent: Visitor, body: bytes, is_inline: bool) -> None:
    """By what is in the file; what the sender said counts for nothing."""
    row = await desk.sends(body, name="bild.jpg", mime="image/jpeg")
    assert (await get(agent, row)).headers["content-disposition"].startswith("attachment;")
    shown_in_place = await get(agent, row, "?inline=1")
    assert shown_in_place.headers["content-disposition"].startswith("inline;" if is_inline else "attachment;")
    assert shown_in_place.headers["content-security-policy"] == FILE_POLICY


async def test_head_is_get_without_the_body(desk: Desk, agent: Visitor) -> None:
    row = await desk.sends(PDF)
    path = f"{agent.base}/files/{shown(row)}"
    whole, head = await agent.client.get(path), await agent.client.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(PDF))
    said, unsaid = ({k: v for k, v in answer.headers.items() if k != "x-request-id"} for answer in (head, whole))
    assert said == unsaid


async def test_ranges(desk: Desk, agent: Visitor) -> None:
    """What players ask for when somebody seeks in a voice message or a film (RFC 9110, 14)."""
    row = await desk.sends(MP4)
    size = len(MP4)
    etag = (await get(agent, row)).headers["etag"]
    for asked, part in {
        "bytes=0-99": (0, 100),
        "bytes=100-": (100, size),
        "bytes=-7": (size - 7, size),
        f"bytes=10-{size * 2}": (10, size),
        "bytes=0-0": (0, 1),
        "bytes=10-19,15-29": (10, 30),
    }.items():
        response = await get(agent, row, range=asked)
        assert response.status_code == 206, asked
        assert response.content == MP4[slice(*part)]
        assert response.headers["content-range"] == f"bytes {part[0]}-{part[1] - 1}/{size}"
        assert response.headers["content-length"] == str(part[1] - part[0])
        assert response.headers["accept-ranges"] == "bytes"
        assert response.headers["content-security-policy"] == FILE_POLICY
    several = await get(agent, row, range="bytes=0-3,100-103")
    assert several.status_code == 206
    assert several.headers["content-type"].startswith("multipart/byteranges")
    assert MP4[:4] in several.content and MP4[100:104] in several.content
    beyond = await get(agent, row, range=f"bytes={size}-")
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{size}")
    same = await get(agent, row, **{"range": "bytes=0-3", "if-range": etag})
    assert (same.status_code, same.content) == (206, MP4[:4])
    changed = await get(agent, row, **{"range": "bytes=0-3", "if-range": '"another"'})
    assert (changed.status_code, changed.content) == (200, MP4)


async def test_a_browser_asks_whether_its_copy_is_still_right(desk: Desk, agent: Visitor) -> None:
    row = await desk.sends(image())
    etag = (await get(agent, row)).headers["etag"]
    again = await get(agent, row, **{"if-none-match": f'"x", {etag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    assert (await get(agent, row, "/thumb", **{"if-none-match": etag})).status_code == 200
    assert (await get(agent, row, **{"if-none-match": '"x"'})).status_code == 200


async def test_the_small_picture(desk: Desk, agent: Visitor) -> None:
    """A picture drawn anew, without the metadata of the photo."""
    response = await get(agent, await desk.sends(turned_photo()), "/thumb")
    assert response.headers["content-type"] == "image/webp"
    assert response.headers["content-disposition"].startswith("inline;")
    assert response.headers["content-security-policy"] == FILE_POLICY
    assert response.content[8:12] == b"WEBP" and b"Kameramarke" not in response.content
    assert (await get(agent, await desk.sends(PDF), "/thumb")).status_code == 404


@pytest.mark.parametrize("body", [EICAR, EXE, SVG, HTML, png_bomb(60_000, 60_000), FileGone(), Rejected()])
async def test_what_is_not_stored_is_not_handed_out(desk: Desk, agent: Visitor, body: bytes | Exception) -> None:
    """R-231: nothing in quarantine, nothing refused, nothing that is not there; by no address."""
    row = await desk.sends(body)
    assert row["state"] != "stored"
    for query in ("", "?inline=1", "/thumb"):
        assert (await get(agent, row, query)).status_code == 404
    linked = Linked(desk.hub.organisation_id, row["id"])
    link = make_link(desk.hub.runtime.vault, "", linked, HOUR, name="Rechnung.PDF")
    assert (await desk.hub.browser().get(link)).status_code == 404


async def test_an_object_that_is_missing_is_answered_404(desk: Desk, agent: Visitor) -> None:
    row = await desk.sends(PDF)
    desk.hub.runtime.storage.delete(desk.hub.organisation_id, row["id"])
    assert (await get(agent, row)).status_code == 404


async def test_who_may_read_the_inbox_may_read_its_files_and_nobody_else(desk: Desk) -> None:
    """R-263: another organisation's file is unknown, in its own addresses and in ours."""
    row = await desk.sends(PDF)
    reader = await visit(desk.hub, "Rita Leser", role="readonly")
    assert (await get(reader, row)).status_code == 200
    assert (await desk.hub.browser().get(f"{reader.base}/files/{shown(row)}", headers=DATA)).status_code == 401
    await desk.hub.found("velo", "Velo Bregenz")
    stranger = await signed_in(desk.hub, "owner@velo.example")
    for slug in ("velo", desk.hub.slug):
        for query in ("", "/thumb"):
            assert (await stranger.client.get(f"/o/{slug}/files/{shown(row)}{query}")).status_code == 404


# Signed links


async def test_a_signed_link_gives_one_file_to_anybody(desk: Desk) -> None:
    row, other = await desk.sends(PDF), await desk.sends(image())
    link = make_link(
        desk.hub.runtime.vault, "http://hub.test", Linked(desk.hub.organisation_id, row["id"]), HOUR, name="Rechnung.PDF"
    )
    anybody = desk.hub.browser()
    response = await anybody.get(link)
    assert (response.status_code, response.content) == (200, PDF)
    assert response.headers["content-disposition"].startswith("attachment;")
    assert response.headers["content-security-policy"] == FILE_POLICY
    assert (await anybody.head(link)).status_code == 200
    assert (await anybody.post(link)).status_code == 405
    assert link != make_link(
        desk.hub.runtime.vault, "http://hub.test", Linked(desk.hub.organisation_id, other["id"]), HOUR, name="Rechnung.PDF"
    )


async def test_a_link_ends(desk: Desk) -> None:
    row = await desk.sends(PDF)
    link = make_link(desk.hub.runtime.vault, "", Linked(desk.hub.organisation_id, row["id"]), HOUR, name="Rechnung.PDF")
    desk.hub.clock.advance(minutes=59, seconds=59)
    assert (await desk.hub.browser().get(link)).status_code == 200
    desk.hub.clock.advance(seconds=1)
    assert (await desk.hub.browser().get(link)).status_code == 404


async def test_a_link_ends_as_its_file_does(desk: Desk) -> None:
    """Some messengers look at nothing else to tell what it is (viber.md, A5)."""
    row = await desk.sends(PDF)
    vault, linked = desk.hub.runtime.vault, Linked(desk.hub.organisation_id, row["id"])
    for name, ending in (("Rechnung März.PDF", ".pdf"), ("a.tar.gz", ".gz"), ("ohne", ""), ("x.so nicht", ""), ("x.", "")):
        token = make_link(vault, "", linked, HOUR, name=name).rpartition("/")[2]
        assert token.partition(".")[1] + token.partition(".")[2] == ending
        assert read_link(vault, token) == linked


async def test_no_link_can_be_made_up(desk: Desk) -> None:
    """Every byte counts: another file, another organisation, another end."""
    row = await desk.sends(PDF)
    vault = desk.hub.runtime.vault
    token = make_link(vault, "", Linked(desk.hub.organisation_id, row["id"]), HOUR, name="Rechnung").rpartition("/")[2]
    assert read_link(vault, token).attachment_id == row["id"]
    for at in range(len(token) - 1):
        changed = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
        with pytest.raises(NotFound):
            read_link(vault, changed)
    for other in ("", "x", token[:-2], token + "AAAA", "A" * 301, "ü", token[:43]):
        with pytest.raises(NotFound):
            read_link(vault, other)
    place = {"organisation_id": desk.hub.organisation_id, "row_id": row["id"]}
    sealed = vault.seal("9999999999", table="channel", column="settings_sealed", **place)
    with pytest.raises(NotFound):  # sealed by us, but for another place
        raw = desk.hub.organisation_id.bytes + row["id"].bytes + sealed
        read_link(vault, base64.urlsafe_b64encode(raw).rstrip(b"=").decode())


# Taken in


async def test_an_upload_waits_to_be_sent(desk: Desk, agent: Visitor) -> None:
    conversation = await desk.says()
    photo = image("JPEG")
    response = await attach(agent, conversation, photo, "C:\\Fotos\\Brille\u202e.jpg")
    told = response.json()
    assert response.status_code == 201, told
    assert told["id"].startswith("file_")
    thumb = f"{agent.base}/files/{told['id']}/thumb"
    assert {**told, "id": ""} == {
        "id": "", "name": "Brille.jpg", "size": len(photo), "kind": "image", "mime": "image/jpeg", "thumb": thumb,
    }  # fmt: skip
    assert (await agent.client.get(thumb)).headers["content-type"] == "image/webp"
    row = (await desk.hub.rows("SELECT * FROM attachment"))[0]
    assert (row["state"], row["message_id"], row["uploaded_by"]) == ("stored", None, agent.member_id)
    assert (row["sha256"], row["scanned"], row["width"]) == (hashlib.sha256(photo).digest(), "unscanned", 640)
    assert await desk.hub.value("SELECT count(*) FROM message") == 1


async def test_an_upload_reaches_the_customer(desk: Desk) -> None:
    """The bytes that were attached, under a harmless name and their own type."""
    conversation = await desk.says()
    browser, access = await signed_in(desk.hub), desk.hub.owner
    owner = Visitor(browser.client, browser.token, access.member_id, access.session_id, f"/o/{desk.hub.slug}")
    told = (await attach(owner, conversation, PDF)).json()
    await desk.hub.reply(conversation, "Unser Angebot", files=[ids.read("file", told["id"])])
    await desk.hub.settle()
    assert desk.probe.sent == [("Angebot.pdf", "application/pdf", PDF)]
    assert (await owner.post(f"/files/{told['id']}/remove")).status_code == 404
    assert desk.objects() == 1


async def test_the_test_signature_is_refused_and_logged(desk: Desk, agent: Visitor) -> None:
    """R-231: given the EICAR test file, when uploaded, then refused and logged: who, where, what was found, and no body."""
    conversation = await desk.says()
    response = await attach(agent, conversation, EICAR, "eicar.com")
    assert response.status_code == 422
    told = response.json()
    assert (told["error"], told["reason"], told["field"]) == ("file_refused", "infected", "file")
    assert "EICAR-Test-File" in told["text"]
    assert desk.objects() == 0 and await desk.hub.rows("SELECT FROM attachment") == []
    entry = (await desk.hub.rows("SELECT * FROM audit_entry WHERE action = 'file.refused'"))[0]
    assert (entry["member_id"], entry["session_id"]) == (agent.member_id, agent.session_id)
    assert entry["target"] == ids.show("conv", conversation)
    assert entry["detail"]["found"] == "EICAR-Test-File" and EICAR.decode() not in str(entry["detail"])


@pytest.mark.parametrize(
    ("body", "name", "reason"),
    [
        (EXE, "Angebot.pdf", "type_refused"),
        (HTML, "Angebot.html", "type_refused"),
        (SVG, "logo.svg", "type_refused"),
        (b"WScript.Echo", "Angebot.pdf.js", "type_refused"),
        (image("JPEG") + archive({"a": b"x"}), "bild.jpg", "polyglot"),
        (nested_archive(), "fotos.zip", "bomb"),
        (png_bomb(60_000, 60_000), "bild.png", "bomb"),
        (archive({"a": b"x"})[:-5], "fotos.zip", "unreadable"),
        (b"", "leer.pdf", "empty"),
        (bytes(2_500_001), "film.dat", "too_large"),
    ],
    ids=["program", "page", "drawing", "script", "two things", "shrinks again", "huge picture", "cut off", "empty", "too large"],
)
async def test_a_hostile_upload_is_refused_with_its_reason(desk: Desk, agent: Visitor, body: bytes, name: str, reason: str) -> None:
    response = await attach(agent, await desk.says(), body, name)
    told = response.json()
    assert (response.status_code, told["reason"]) == (422, reason)
    assert told["text"]
    assert desk.objects() == 0 and await desk.hub.rows("SELECT FROM attachment") == []


async def test_what_the_messenger_takes_decides_how_a_file_goes(desk: Desk, agent: Visitor, probe: FilesProbe) -> None:
    """The best kind that takes its type and size, a document else, and a clear word when none does."""
    conversation = await desk.says()

    async def kind_of(body: bytes, name: str) -> str:
        told = (await attach(agent, conversation, body, name)).json()
        return str(told.get("kind") or told["reason"])

    assert await kind_of(image("JPEG"), "a.jpg") == "image"
    assert await kind_of(image("WEBP"), "a.webp") == "document"
    assert await kind_of(image("PNG") + bytes(MEGABYTE), "a.png") == "document"
    assert await kind_of(OGG_VOICE, "a.ogg") == "voice"
    assert await kind_of(PDF, "a.pdf") == "document"
    images: dict[MediaKind, MediaLimit] = {"image": probe.capabilities.media["image"]}
    probe.capabilities = replace(probe.capabilities, media=images)
    assert await kind_of(PDF, "a.pdf") == "not_taken"
    assert await kind_of(image("PNG") + bytes(MEGABYTE), "a.png") == "too_large"
    probe.capabilities = replace(probe.capabilities, media={})
    assert await kind_of(image("JPEG"), "a.jpg") == "not_taken"


async def test_a_form_that_is_none(desk: Desk, agent: Visitor) -> None:
    conversation = ids.show("conv", await desk.says())
    path = f"{agent.base}/conversations/{conversation}/files"
    token = {"x-csrf-token": sessions.csrf_token(agent.token), **DATA}
    form = {"content-type": "multipart/form-data; boundary=x", **token}
    head = b'--x\r\ncontent-disposition: form-data; name="file"; filename="a.pdf"\r\n\r\n'
    for headers, body in [
        (token, b"x"),
        ({"content-type": "multipart/form-data", **token}, head),
        (form, b""),
        (form, b"no form"),
        (form, b"--x--\r\n"),
        (form, b'--x\r\ncontent-disposition: form-data; name="other"; filename="a.pdf"\r\n\r\nx\r\n--x--\r\n'),
        (form, b'--x\r\ncontent-disposition: form-data; name="file"\r\n\r\nx\r\n--x--\r\n'),
        (form, head + b"cut off"),
    ]:
        response = await agent.client.post(path, content=body, headers=headers)
        assert (response.status_code, response.json()["field"]) == (422, "file"), body
    assert desk.objects() == 0
    whole = await agent.client.post(path, content=head + b"Guten Tag\r\n--x--\r\n", headers=form)
    assert (whole.status_code, whole.json()["size"]) == (201, 9)


async def test_who_may_attach(desk: Desk, agent: Visitor) -> None:
    """Who answers customers, with the page's token, to a conversation of theirs; else nothing is read."""
    conversation = await desk.says()
    reader = await visit(desk.hub, "Rita Leser", role="readonly")
    assert (await attach(reader, conversation, PDF)).status_code == 403
    assert (await attach(agent, ids.new_id(), PDF)).status_code == 404
    path = f"{agent.base}/conversations/{ids.show('conv', conversation)}/files"
    in_the_form: dict[str, Any] = {"csrf": (None, sessions.csrf_token(agent.token)), "file": ("a.pdf", PDF)}
    assert (await agent.client.post(path, files=in_the_form, headers=DATA)).status_code == 403
    await desk.hub.found("velo", "Velo Bregenz")
    stranger = await signed_in(desk.hub, "owner@velo.example")
    elsewhere = Visitor(stranger.client, stranger.token, ids.new_id(), ids.new_id(), "/o/velo")
    assert (await attach(elsewhere, conversation, PDF)).status_code == 404
    assert desk.objects() == 0


async def test_an_upload_is_taken_back_by_its_member(desk: Desk, agent: Visitor) -> None:
    conversation = await desk.says()
    told = (await attach(agent, conversation, image())).json()
    other = await visit(desk.hub, "Lena Vogel")
    assert (await other.post(f"/files/{told['id']}/remove")).status_code == 404
    assert (await agent.post(f"/files/{told['id']}/remove")).status_code == 204
    assert (await agent.post(f"/files/{told['id']}/remove")).status_code == 404
    assert desk.objects() == 0 and await desk.hub.rows("SELECT FROM attachment") == []


async def test_an_upload_that_nobody_sends_goes_after_a_day(desk: Desk, agent: Visitor) -> None:
    await attach(agent, await desk.says(), image())
    await desk.sends(PDF)
    desk.hub.clock.advance(hours=24)
    await clearing.sweep(desk.hub.runtime, desk.hub.organisation_id)
    assert desk.objects() == 3
    desk.hub.clock.advance(seconds=1)
    await clearing.sweep(desk.hub.runtime, desk.hub.organisation_id)
    assert desk.objects() == 1
    assert await desk.hub.value("SELECT count(*) FROM attachment") == 1


async def test_a_failed_file_is_fetched_again_by_a_press(desk: Desk, agent: Visitor) -> None:
    """A script learns what to draw anew, a browser goes back to the thread."""
    row = await desk.sends(Rejected("400"))
    desk.probe.files[row["ref"]] = PDF
    conversation, message = ids.show("conv", row["conversation_id"]), ids.show("msg", row["message_id"])
    response = await agent.post(f"/files/{shown(row)}/fetch")
    assert (response.status_code, response.json()) == (200, {"conversation": conversation, "message": message})
    assert (await agent.post(f"/files/{shown(row)}/fetch")).status_code == 409
    await desk.hub.settle()
    assert (await get(agent, row)).content == PDF
    failed = await desk.sends(Rejected("400"))
    page = await agent.post(f"/files/{shown(failed)}/fetch", headers=PAGE, view="mine")
    assert (page.status_code, page.headers["location"]) == (303, f"{agent.base}/inbox/mine/{conversation}")
