"""Whatever is posted to the door: an honest status, nothing that stops the lane, nothing lost that was answered 200 (I1).

What is answered 200 ends as applied, ignored or dead letter; nothing stays in between, and good messages posted in the midst of it
all arrive.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.core import ids
from tests.support import Connected, HubUnderTest, telegram_text

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(1200),
    pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisWarning"),  # it finds the huge bodies too long to show
]

EXAMPLES = 40
BODIES = 25
"""Per example: they share batches, so that the bad ones sit beside the good ones."""

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=12), inner, max_size=5),
    max_leaves=25,
)
GOOD = telegram_text(0, "Hallo")
PLACES = ("update_id", "message", "message.message_id", "message.from", "message.chat", "message.chat.id", "message.chat.type",
          "message.date", "message.text", "message.from.first_name", "message.from.language_code")  # fmt: skip


def changed(place: str, value: Any) -> bytes:
    """A good update with one value replaced."""
    update = json.loads(json.dumps(GOOD))
    *parents, last = place.split(".")
    inside = update
    for name in parents:
        inside = inside[name]
    inside[last] = value
    return json.dumps(update).encode()


BODY = st.one_of(
    st.binary(max_size=200),
    JSON.map(lambda value: json.dumps(value).encode()),
    st.builds(changed, st.sampled_from(PLACES), JSON),
    st.integers(0, len(json.dumps(GOOD)) - 1).map(lambda end: json.dumps(GOOD).encode()[:end]),
    st.integers(1, 100_000).map(lambda depth: b"[" * depth + b"]" * depth),
    st.integers(1, 60_000).map(lambda depth: b'{"message":' * depth + b"1" + b"}" * depth),
    st.binary(min_size=1, max_size=8).map(lambda raw: b'{"update_id": 1, "message": {"text": "' + raw + b'"}}'),
    st.text(min_size=1, max_size=300).map(lambda text: changed("message.text", text)),
    st.integers(100_000, 1_000_000).map(lambda length: changed("message.text", "x" * length)),
)
KIND = st.sampled_from(
    ["application/json", "text/plain", "multipart/form-data; boundary=x", "", "\x00", "application/json; charset=utf-16"]
)


@contextmanager
def only_errors_logged() -> Iterator[None]:
    """Thousands of expected dead letters say nothing about the hub."""
    with structlog.testing.capture_logs():
        yield


async def post(hub: HubUnderTest, path: str, body: bytes, secret: str | None, kind: str = "application/json") -> int:
    headers = {"content-type": kind}
    if secret is not None:
        headers["x-telegram-bot-api-secret-token"] = secret
    return (await hub.browser().post(path, content=body, headers=headers)).status_code


async def stored(hub: HubUnderTest) -> int:
    return int(await hub.value("SELECT count(*) FROM webhook_delivery"))


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(bodies=st.lists(st.tuples(BODY, KIND), min_size=BODIES, max_size=BODIES))
async def test_every_body_ends_somewhere_and_stops_nobody(hub: HubUnderTest, bodies: list[tuple[bytes, str]]) -> None:
    channel = await one_channel(hub)
    before = await stored(hub)
    good = {number: f"gut {ids.new_id().hex}" for number in range(5, BODIES, 10)}
    with only_errors_logged():
        for number, (body, kind) in enumerate(bodies):
            assert await post(hub, channel.path, body, channel.secret, kind) == 200
            if number in good:
                update = telegram_text(10**9 + before + number, good[number])
                assert await hub.deliver(channel, update) == 200
        await hub.settle()
    assert await stored(hub) == before + len(bodies) + len(good)
    assert await hub.value("SELECT count(*) FROM webhook_delivery WHERE state = 'received'") == 0
    found = await hub.rows("SELECT text FROM message WHERE text = ANY($1::text[])", list(good.values()))
    assert sorted(row["text"] for row in found) == sorted(good.values())
    causes = await hub.rows("SELECT DISTINCT why FROM delivery_result WHERE state = 'dead' AND why NOT LIKE 'malformed: %'")
    assert [row["why"] for row in causes] == [], "a body that can be read is applied, one that cannot is malformed"


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(secret=st.none() | st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=80), body=st.binary(max_size=50))
async def test_no_secret_but_the_right_one_opens(hub: HubUnderTest, secret: str | None, body: bytes) -> None:
    channel = await one_channel(hub)
    before = await stored(hub)
    assert await post(hub, channel.path, body, secret) == 401
    assert await stored(hub) == before


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(path=st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="#?%\\"), max_size=60))
async def test_no_path_but_a_channels_own_is_known(hub: HubUnderTest, path: str) -> None:
    channel = await one_channel(hub)
    before = await stored(hub)
    shown = ids.show("chn", ids.new_id())
    for address in (f"/hooks/{path}", f"/hooks/telegram/{path}", f"/hooks/telegram/{shown}", f"{channel.path}{path or '/'}"):
        assert await post(hub, address, b"{}", channel.secret) in (404, 405), address
    assert await stored(hub) == before


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(extra=st.integers(1, 3_000_000), announced=st.booleans())
async def test_no_body_over_the_limit_is_taken(hub: HubUnderTest, extra: int, announced: bool) -> None:
    channel = await one_channel(hub)
    before = await stored(hub)
    huge = b"x" * (hub.runtime.settings.body_limit + extra)

    async def pieces() -> Any:
        for at in range(0, len(huge), 500_000):
            yield huge[at : at + 500_000]

    headers = {"x-telegram-bot-api-secret-token": channel.secret}
    answer = await hub.browser().post(channel.path, content=huge if announced else pieces(), headers=headers)
    assert answer.status_code == 413
    assert await stored(hub) == before


_channels: dict[Any, Connected] = {}


async def one_channel(hub: HubUnderTest) -> Connected:
    """The channel of this hub: examples of one test share it."""
    if hub.organisation_id not in _channels:
        _channels[hub.organisation_id] = await hub.connect()
    return _channels[hub.organisation_id]
