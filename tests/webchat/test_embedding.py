"""Which pages may show the chat, what they load, and how much anybody may do (R-110, R-297)."""

import gzip
import json

import pytest

from hub.core import ids
from hub.core.limits import ALONE_SHARE
from hub.webchat import limits
from hub.webchat.colours import DARK_GROUND, LIGHT_GROUND, contrast, paint
from tests.inbox.pages_support import visit
from tests.support import HubUnderTest
from tests.webchat.support import ELSEWHERE, SITE, connect_chat, visit_site

LARGEST_SCRIPT = 15_000
"""Bytes, gzipped (issue 4)."""


async def test_script_is_whole_and_small(hub: HubUnderTest) -> None:
    """One request brings widget, settings and words in both languages, in less than 15 kB, with the licence's mark (R-298)."""
    visitor = await visit_site(hub, title="Räder & <Co>", greeting="</script>")
    answer = await visitor.client.get(f"{visitor.base}.js", headers={"origin": SITE, "accept-encoding": "gzip"})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert "set-cookie" not in answer.headers
    assert len(gzip.compress(answer.content, 9)) < LARGEST_SCRIPT
    assert answer.text.startswith("/*! Hub ")
    config = json.loads(answer.text.rpartition("openChat(")[2].removesuffix(");\n"))
    assert (config["title"], config["key"]) == ("Räder & <Co>", visitor.key)
    assert config["words"]["de"].keys() == config["words"]["en"].keys()
    assert visitor.channel.secret not in answer.text and "origins" not in config


async def test_script_is_kept_by_the_browser(hub: HubUnderTest) -> None:
    visitor = await visit_site(hub)
    first = await visitor.client.get(f"{visitor.base}.js")
    again = await visitor.client.get(f"{visitor.base}.js", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("header", ["origin", "referer"])
async def test_website_that_is_not_named_gets_nothing(hub: HubUnderTest, header: str) -> None:
    """R-297: given an origin not allowed, when loaded, then 403; an allowed one gets the script and may read it."""
    visitor = await visit_site(hub)
    for place in (
        ELSEWHERE,
        "https://radwerk.example.velo.example",
        "http://www.radwerk.example",
        "https://www.radwerk.example:8443",
    ):
        refused = await visitor.client.get(f"{visitor.base}.js", headers={header: place})
        assert refused.status_code == 403
        assert "access-control-allow-origin" not in refused.headers
    allowed = await visitor.client.get(f"{visitor.base}.js", headers={header: SITE})
    assert allowed.status_code == 200
    assert allowed.headers.get("access-control-allow-origin") == (SITE if header == "origin" else None)


async def test_nothing_is_said_from_elsewhere(hub: HubUnderTest) -> None:
    """R-297: with a token or without, no act is taken from a page of another website, nor from one without a name."""
    visitor = await (await visit_site(hub)).start()
    for origin in (ELSEWHERE, "null"):
        visitor.origin = origin
        for act in ("start", "messages", "files", "marks", "typing", "end", "presses"):
            assert (await visitor.post(act, {})).status_code == 403
        assert (await visitor.get("box")).status_code == 403
        assert (await visitor.client.options(f"{visitor.base}/messages", headers={"origin": origin})).status_code == 403
    assert await hub.value("SELECT count(*) FROM webhook_delivery") == 0


async def test_browsers_are_told_what_may_be_sent(hub: HubUnderTest) -> None:
    visitor = await visit_site(hub)
    asked = {
        "origin": SITE,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type",
    }
    answer = await visitor.client.options(f"{visitor.base}/messages", headers=asked)
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == SITE
    assert "authorization" in answer.headers["access-control-allow-headers"]
    assert "access-control-allow-credentials" not in answer.headers


async def test_errors_can_be_read_by_the_page(hub: HubUnderTest) -> None:
    visitor = await visit_site(hub)
    answer = await visitor.get("box")
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (401, SITE)


@pytest.mark.parametrize("key", ["chn_x", "nobody", "chn_01kqhcp5v0eqm8wzs1k6j0f3aa"])
async def test_unknown_key(hub: HubUnderTest, key: str) -> None:
    client = hub.browser()
    for path in (f"/webchat/{key}.js", f"/webchat/{key}", f"/webchat/{key}/box"):
        assert (await client.get(path)).status_code == 404
    assert (await client.post(f"/webchat/{key}/start", json={})).status_code == 404


async def test_another_messengers_channel_is_no_chat(hub: HubUnderTest) -> None:
    telegram = await hub.connect()
    assert (await hub.browser().get(f"/webchat/{ids.show('chn', telegram.id)}.js")).status_code == 404


async def test_nobody_else_speaks_for_a_visitor(hub: HubUnderTest) -> None:
    """The door takes what our own endpoints have signed and nothing else."""
    channel = await connect_chat(hub)
    body = json.dumps({"kind": "message", "id": "x", "at": 1, "visitor": {"id": "vis_x"}, "text": "falsch"})
    for headers in ({}, {"x-hub-webchat-signature": "t=1,v1=00"}):
        assert (await hub.browser().post(channel.path, content=body, headers=headers)).status_code == 401


async def test_too_many_messages(hub: HubUnderTest) -> None:
    """R-232: the visitor who writes too fast is told to wait, and how long; others go on."""
    visitor = await (await visit_site(hub)).start()
    other = await (await visit_site(hub, visitor.channel)).start()
    hub.clock.advance(seconds=15)
    for number in range(limits.MESSAGES.most):
        await visitor.write(str(number))
    refused = await visitor.post("messages", {"id": "0123456789", "text": "eine zu viel"})
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "45")
    assert "retry-after" in refused.headers["access-control-expose-headers"]
    await other.write("Ich darf")
    hub.clock.advance(seconds=45)
    await visitor.write("jetzt wieder")


async def test_too_many_visitors_of_one_address(hub: HubUnderTest) -> None:
    visitor = await visit_site(hub)
    for _ in range(limits.STARTS.most):
        assert (await visitor.post("start", {})).status_code == 201
    assert (await visitor.post("start", {})).status_code == 429


async def test_limits_hold_without_valkey(hub: HubUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each process counts by itself then, and more strictly."""

    async def away(*_: object) -> None:
        raise ConnectionError

    visitor = await (await visit_site(hub)).start()
    monkeypatch.setattr(hub.runtime.queue.redis, "eval", away)
    for number in range(limits.MESSAGES.most // ALONE_SHARE):
        await visitor.write(str(number))
    assert (await visitor.post("messages", {"id": "0123456789", "text": "x"})).status_code == 429


@pytest.mark.parametrize(
    ("act", "said"),
    [
        ("messages", {"id": "0123456789", "text": "x" * 4001}),
        ("messages", {"id": "0123456789", "text": " \n"}),
        ("messages", {"id": "kurz", "text": "x"}),
        ("messages", {"id": "0123456789", "text": "x", "page": {"url": "javascript:alert(1)"}}),
        ("messages", {"id": "0123456789", "text": "x", "visitor": "vis_x"}),
        ("messages", []),
        ("presses", {"id": "0123456789", "option": "", "label": "x"}),
        ("marks", {"status": "sent", "messages": ["msg_x"]}),
        ("marks", {"status": "read", "messages": []}),
        ("typing", {}),
    ],
)
async def test_malformed_is_refused(hub: HubUnderTest, act: str, said: object) -> None:
    visitor = await (await visit_site(hub)).start()
    answer = await visitor.post(act, said)
    assert (answer.status_code, answer.json()["error"]) == (422, "invalid_input")
    assert await hub.value("SELECT count(*) FROM webhook_delivery") == 0


async def test_large_body_is_not_read_to_its_end(hub: HubUnderTest) -> None:
    visitor = await (await visit_site(hub)).start()
    assert (await visitor.post("messages", {"id": "0123456789", "text": "x" * 100_000})).status_code == 413


@pytest.mark.parametrize("about", [{"name": "x" * 81}, {"name": "a\x00b"}, {"email": "keine"}, {"language": "de_DE; DROP"}])
async def test_odd_persons_are_refused(hub: HubUnderTest, about: dict[str, str]) -> None:
    assert (await (await visit_site(hub)).post("start", about)).status_code == 422


async def test_hosted_page(hub: HubUnderTest) -> None:
    """The chat without a website: its own page loads the same script under the hub's strict policy."""
    visitor = await visit_site(hub)
    answer = await visitor.client.get(visitor.base, headers={"referer": f"{ELSEWHERE}/links"})
    assert answer.status_code == 200
    assert f'<script type="module" src="{visitor.base}.js"></script>' in answer.text
    assert "set-cookie" not in answer.headers and "script-src 'self'" in answer.headers["content-security-policy"]
    assert (
        await visitor.client.get(f"{visitor.base}.js", headers={"referer": f"http://hub.test{visitor.base}"})
    ).status_code == 200


async def test_list_of_places(hub: HubUnderTest) -> None:
    """R-297: the business sees which websites show the chat, with the line that puts it there."""
    visitor = await visit_site(hub)
    jonas = await visit(hub)
    path = f"/webchat/{visitor.key}"
    assert "Noch hat keine Website den Chat geladen" in await jonas.page(path)
    for place in (SITE, SITE, ELSEWHERE):
        await visitor.client.get(f"{visitor.base}.js", headers={"origin": place})
    page = await jonas.page(path)
    assert f'&lt;script type="module" src="http://hub.test/webchat/{visitor.key}.js"&gt;' in page
    assert page.count(SITE) == 2 and ELSEWHERE not in page
    first = await hub.rows("SELECT origin, first_at, last_at FROM webchat_place")
    hub.clock.advance(hours=2)
    await visitor.client.get(f"{visitor.base}.js", headers={"origin": SITE})
    later = await hub.rows("SELECT origin, first_at, last_at FROM webchat_place")
    assert len(first) == len(later) == 1
    assert later[0]["first_at"] == first[0]["first_at"] < later[0]["last_at"]


def test_any_colour_is_readable() -> None:
    """WCAG 2.2: words on the colour have 4.5:1, the button stands out with 3:1, light and dark."""
    for red in range(0, 256, 51):
        for green in range(0, 256, 51):
            for blue in range(0, 256, 51):
                for ground in (LIGHT_GROUND, DARK_GROUND):
                    found = paint(f"#{red:02x}{green:02x}{blue:02x}", ground)
                    assert contrast(found.fill, ground) >= 3
                    assert contrast(found.words, found.fill) >= 4.5
    assert paint("#2c5a9e", LIGHT_GROUND).fill == "#2c5a9e"
