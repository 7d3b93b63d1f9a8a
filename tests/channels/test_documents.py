"""Written consents as documents: handed in, examined, kept with their hash, and read by who may manage channels only."""

import hashlib

from hub.channels.documents import LARGEST
from hub.inbox.stored import clearing
from tests.channels.support import upload, words
from tests.files import EICAR, EXE, PDF
from tests.inbox.pages_support import visit
from tests.support import HubUnderTest


async def test_a_document_is_kept_and_only_admins_read_it(hub: HubUnderTest) -> None:
    """R-190: an uploaded consent has its hash and its place in the audit log, stays in the store, and is a download for admins."""
    ada, jonas = await visit(hub, "Ada Admin", role="admin"), await visit(hub)
    answer = await upload(ada, "google/consent", name="../Zustimmung Google.exe.pdf")
    assert answer.status_code == 201, answer.text
    told = answer.json()
    row = (await hub.rows("SELECT * FROM consent_document"))[0]
    assert row["sha256"] == hashlib.sha256(PDF).digest() and row["size"] == len(PDF) and row["uploaded_by"] == ada.member_id
    assert (row["connector"], row["kind"], row["mime"]) == ("google", "consent", "application/pdf")
    entry = (await hub.rows("SELECT target, member_id, detail FROM audit_entry WHERE action = 'messenger.document_added'"))[0]
    assert (entry["target"], entry["detail"]["sha256"]) == ("google", hashlib.sha256(PDF).hexdigest())

    got = await ada.client.get(told["href"])
    assert got.content == PDF and got.headers["content-type"] == "application/pdf"
    assert got.headers["content-disposition"].startswith("attachment;") and "sandbox" in got.headers["content-security-policy"]
    assert (await jonas.client.get(told["href"])).status_code == 403
    page = words(await ada.page("/channels?connect=google"))
    assert told["name"] in page and "hochgeladen von Ada Admin" in page
    for part in range(256):
        hub.runtime.storage.sweep_unfinished(hub.organisation_id, part, older_than=-1)
    await clearing.sweep_part(hub.runtime, hub.organisation_id, row["id"].int % 256)
    assert hub.runtime.storage.path(hub.organisation_id, row["id"]).exists()


async def test_what_is_no_document_is_refused(hub: HubUnderTest) -> None:
    """R-231 for documents: only a PDF or a picture, no malware, no more than it may have; nothing of it stays."""
    ada = await visit(hub, "Ada Admin", role="admin")
    for body, reason in (
        (b"", "empty"),
        (b"nur Text", "no_document"),
        (EXE, "type_refused"),
        (EICAR, "infected"),
        (PDF + bytes(LARGEST), "too_large"),
    ):
        answer = await upload(ada, "google/consent", body)
        assert (answer.status_code, answer.json()["reason"]) == (422, reason) and answer.json()["text"]
    assert (await upload(ada, "google/seat")).status_code == 404
    assert (await upload(ada, "nobody/consent")).status_code == 404
    assert await hub.value("SELECT count(*) FROM consent_document") == 0
    assert await hub.value("SELECT count(*) FROM audit_entry WHERE action = 'file.refused'") == 3
    assert not [path for path in hub.runtime.settings.media_folder.rglob("*") if path.is_file()]
