"""What surrounds the simulators: found by folder, mounted, and one API for all of them to be a customer with."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson
import pytest

from hub.connectors.registry import discover
from hub.core.clock import FakeClock
from hub.core.i18n import LOCALES, Translator
from hub.core.pages import static_files
from hub.sandbox.app import create_sandbox_app
from hub.sandbox.messengers import PhoneButton, PhoneDraft, Simulator
from hub.sandbox.registry import Simulators, find_simulators
from hub.sandbox.samples import SAMPLES
from tests.sandbox.fake import ACCOUNT, AYLIN, FakeSimulator

BASE = f"/phone/fake/{ACCOUNT.id}"


@dataclass
class Played:
    """A sandbox with the fake messenger, and what its business heard."""

    http: httpx.AsyncClient
    fake: FakeSimulator
    heard: list[dict[str, Any]] = field(default_factory=list)

    async def get(self, path: str, **query: str) -> Any:
        answer = await self.http.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def act(self, act: str, person: str = AYLIN, **body: Any) -> Any:
        answer = await self.http.post(f"{BASE}/{act}", json={"person": person, **body})
        assert answer.status_code == 200, answer.text
        await self.fake.courier.settled()
        return answer.json()

    async def lines(self, person: str = AYLIN) -> list[dict[str, Any]]:
        return list((await self.get(f"{BASE}/chat", person=person))["lines"])


@pytest.fixture
async def played() -> AsyncIterator[Played]:
    heard: list[dict[str, Any]] = []

    def hear(request: httpx.Request) -> httpx.Response:
        heard.append(orjson.loads(request.content))
        return httpx.Response(200)

    async with httpx.AsyncClient(transport=httpx.MockTransport(hear)) as to_hub:
        fake = FakeSimulator(to_hub, "http://hub.example/hooks/fake")
        sandbox = create_sandbox_app(create=lambda _: [fake])
        async with httpx.AsyncClient(transport=httpx.ASGITransport(sandbox), base_url="http://127.0.0.1") as http:
            yield Played(http, fake, heard)
        await sandbox.stop()


@pytest.fixture
async def found() -> AsyncIterator[list[Simulator]]:
    async with httpx.AsyncClient() as http:
        simulators = find_simulators(http)
        yield simulators
        for one in simulators:
            await one.stop()


async def test_simulators_are_found_by_their_folders(found: list[Simulator]) -> None:
    """Each has a sign, an account, two people, settings that lead to the sandbox, and words for what only it has."""
    assert Simulators(found).all()
    icons, tokens = (static_files()[name].body.decode() for name in ("icons.svg", "tokens.css"))
    connectors = discover()
    for one in found:
        accounts = one.phone.accounts()
        assert accounts, one.connector
        assert all(len(one.phone.people(account.id)) >= 2 for account in accounts), one.connector
        assert "http://127.0.0.1:8001" in str(one.sample_settings("http://127.0.0.1:8001")), one.connector
        assert "write" in one.phone.can, one.connector
        assert f'id="m-{one.mark}"' in icons and f"--m-{one.mark}:" in tokens, one.connector
        assert one.mark == connectors.get(one.connector).mark, "as in the inbox"
        for locale in LOCALES:
            t = Translator(locale)
            assert all(t(key) for key in one.phone.extras.values()), one.connector
            assert all(t(f"sandbox.fault.{kind}") for kind in one.faults.kinds), one.connector


async def test_no_id_of_an_earlier_process_comes_again(clock: FakeClock) -> None:
    """The hub would take what is new for a repetition (I2): a demo is started again and again on the same data."""
    async with httpx.AsyncClient() as http:
        seen = set()
        for _ in range(2):
            clock.advance(hours=1)
            for one in find_simulators(http):
                account = one.phone.accounts()[0].id
                person = one.phone.people(account)[0].id
                line = one.phone.write(account, person, PhoneDraft(text="Grüß Gott"))
                assert (one.connector, line.id) not in seen, one.connector
                seen.add((one.connector, line.id))
                await one.stop()
        assert len(seen) == 2 * len(find_simulators(http))


async def test_a_simulator_is_mounted_under_its_name(played: Played) -> None:
    assert await played.get("/fake/v1/messages") == {"path": "/v1/messages", "root_path": "/fake", "method": "GET"}
    assert (await played.get("/fake"))["path"] == "/"
    assert (await played.http.get("/other/v1")).status_code == 404


async def test_the_page_learns_what_there_is(played: Played) -> None:
    (one,) = await played.get("/phone")
    assert (one["connector"], one["label"], one["mark"]) == ("fake", "Fake", "sms")
    assert one["accounts"] == [{"id": "acc-1", "title": "Radwerk", "address": "@radwerk"}]
    assert "react" in one["can"] and one["extras"] == {"order": Translator("de")("sandbox.title")}
    assert "flood_limits" in one["fault_kinds"] and one["faults"] == {}


async def test_every_act_reaches_the_messenger(played: Played) -> None:
    line = await played.act("write", text="Grüß Gott")
    assert (line["text"], line["is_theirs"], line["state"]) == ("Grüß Gott", False, "sent")
    asked = played.fake.phone.say(AYLIN, "Passt Dienstag?", (PhoneButton(id="1", label="Ja"),))
    await played.act("press", line=asked.id, button="1")
    await played.act("react", line=asked.id, emoji="👍")
    await played.act("edit", line=line["id"], text="Guten Tag")
    await played.act("write", place=[47.5, 9.7])
    await played.act("write", contact=["Werkstatt", "+4983825550142"], reply_to=asked.id)
    await played.act("extra", name="order")
    await played.act("read")
    await played.act("typing", is_typing=True)
    first, theirs, place, contact = await played.lines()
    assert (first["text"], first["is_edited"]) == ("Guten Tag", True)
    assert (theirs["buttons"][0]["label"], theirs["reactions"]) == ("Ja", ["👍"])
    assert place["place"] == [47.5, 9.7] and contact["contact"] == ["Werkstatt", "+4983825550142"]
    assert contact["reply_to"] == asked.id
    assert (await played.act("delete", line=line["id"]))["lines"][0]["is_deleted"]
    assert [list(one)[-1] for one in played.heard] == ["text", "pressed", "text", "text", "extra", "read", "typing"]


async def test_files_go_both_ways_with_their_bytes(played: Played) -> None:
    query = {"person": AYLIN, "kind": "document", "name": "Liste & Preise.csv", "mime": "text/csv", "text": "Siehe hier"}
    headers = {"content-type": "application/octet-stream"}
    answer = await played.http.post(f"{BASE}/file", params=query, content=b"a;b", headers=headers)
    (file,) = answer.json()["files"]
    assert (file["name"], file["size"], answer.json()["text"]) == ("Liste & Preise.csv", 3, "Siehe hier")
    fetched = await played.http.get(f"{BASE}/file", params={"id": file["id"]}, headers={"range": "bytes=1-"})
    assert (fetched.status_code, fetched.content) == (206, b";b")
    assert fetched.headers["content-disposition"].startswith("attachment")
    for kind in SAMPLES:
        (file,) = (await played.act("write", sample=kind))["files"]
        assert file["kind"] == kind and file["size"] > 100


async def test_a_new_person_writes_and_blocks(played: Played) -> None:
    answer = await played.http.post(f"{BASE}/people", json={"name": " Karin Bilgeri "})
    person = answer.json()["id"]
    assert [one["name"] for one in await played.get(f"{BASE}/people")] == ["Aylin Yıldırım", "Karin Bilgeri"]
    assert (await played.act("block", person, is_blocked=True))["is_blocked"]
    refused = await played.http.post(f"{BASE}/write", json={"person": person, "text": "x"})
    assert (refused.status_code, refused.json()["error"]) == (409, "conflict")
    assert not (await played.act("block", person, is_blocked=False))["is_blocked"]


async def test_what_was_said_before_comes_back_and_tells_nobody(played: Played) -> None:
    await played.act("write", text="früher")
    past = await played.lines()
    answer = await played.http.put(f"{BASE}/chat", json={"person": AYLIN, "lines": past[:1]})
    assert answer.json()["lines"] == past
    assert len(played.heard) == 1


async def test_faults_and_deliveries(played: Played) -> None:
    """A lost webhook reaches nobody and is told; a fault that is unknown is refused."""
    body = {"kind": "lost", "times": 1}
    on = (await played.http.put("/phone/fake/faults", json=body)).json()
    assert on["faults"] == {"lost": {"left": 1, "until": None}}
    await played.act("write", text="verloren")
    await played.act("write", text="da")
    assert [one["text"] for one in played.heard] == ["da"]
    told = await played.get("/phone/fake/deliveries")
    assert told["waiting"] == 0
    assert [one["outcome"] for one in told["deliveries"]] == [200, "lost"]
    assert (await played.http.put("/phone/fake/faults", json={"kind": "meteor"})).status_code == 422
    assert (await played.http.put("/phone/fake/faults", json={"kind": "slow", "on": False})).json()["faults"] == {}


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/phone/nobody/x/write", {"person": "x", "text": "x"}, 404),
        ("/phone/fake/nobody/write", {"person": "x", "text": "x"}, 404),
        (f"{BASE}/write", {"person": "nobody", "text": "x"}, 404),
        (f"{BASE}/write", {"person": AYLIN}, 422),
        (f"{BASE}/write", {"person": AYLIN, "text": "x", "place": [1, 2]}, 422),
        (f"{BASE}/write", {"person": AYLIN, "place": [91, 2]}, 422),
        (f"{BASE}/write", {"person": AYLIN, "text": "x", "more": 1}, 422),
        (f"{BASE}/extra", {"person": AYLIN, "name": "nothing"}, 404),
        (f"{BASE}/people", {"name": "  "}, 422),
    ],
)
async def test_what_makes_no_sense_is_refused(played: Played, path: str, body: dict[str, Any], status: int) -> None:
    assert (await played.http.post(path, json=body)).status_code == status


async def test_only_this_machine_may_play(played: Played) -> None:
    """Another site that the person's browser shows reaches neither page nor API."""
    for headers in ({"host": "evil.example"}, {"origin": "https://evil.example"}):
        assert (await played.http.get("/phone", headers=headers)).status_code == 403
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert (await played.http.post(f"{BASE}/write", content=b"x", headers=form)).status_code == 415


async def test_the_sample_shop_shows_the_chat_and_lets_nothing_else_in(played: Played) -> None:
    """R-297: one script tag; the page's own policy names itself and the hub."""
    before = await played.http.get("/shop")
    assert before.status_code == 200 and "<script" not in before.text
    script = "http://127.0.0.1:8000/webchat/chn_1.js"
    assert (await played.http.put("/shop", json={"script": script})).status_code == 204
    page = await played.http.get("/shop")
    assert page.text.count("<script") == 1 and f'<script type="module" src="{script}"></script>' in page.text
    assert "script-src 'self' http://127.0.0.1:8000; connect-src http://127.0.0.1:8000;" in page.headers["content-security-policy"]
    for bad in ("javascript:alert(1)", "http://x/;script-src *", 'http://x/" onload="'):
        assert (await played.http.put("/shop", json={"script": bad})).status_code == 422
