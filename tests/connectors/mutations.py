"""Samples changed by chance, the same in every run: what a provider might send one day, or somebody who tries us out."""

import json
import random
from collections.abc import Iterator
from copy import deepcopy
from typing import Any
from urllib.parse import parse_qsl, urlencode

from hub.connectors.contract import RawRequest
from hub.connectors.errors import MalformedPayload
from hub.connectors.events import Event
from tests.connectors.samples import Inbound, Samples

ODD: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    2**31,
    2**63,
    1e308,
    "",
    "x",
    "\x00",
    "\ud83d",
    "😀" * 50,
    [],
    {},
    [[]],
    {"x": {}},
)


def mutated(samples: Samples, count: int) -> Iterator[tuple[Inbound, bytes]]:
    """So many changed bodies, each from one of the samples."""
    chance = random.Random(f"{samples}")
    inbound = samples.inbound()
    for _ in range(count):
        sample = chance.choice(inbound)
        yield sample, _mutate(sample, chance)


def _mutate(sample: Inbound, chance: random.Random) -> bytes:
    if chance.random() < 0.3 or sample.form == ".bin":
        return _scramble(sample.body, chance)
    if sample.form == ".form":
        fields = dict(parse_qsl(sample.body.decode(), keep_blank_values=True))
        _change(fields, chance)
        plain = {name: str(value).encode("utf-8", "replace").decode() for name, value in fields.items()}
        return urlencode(plain).encode()
    body = json.loads(sample.body)
    for _ in range(chance.randint(1, 4)):
        _change(body, chance)
    return json.dumps(body, ensure_ascii=chance.random() < 0.5).encode("utf-8", "surrogatepass")


def _change(value: Any, chance: random.Random) -> None:
    """Something somewhere inside is taken away, replaced, swapped or doubled."""
    node = value
    while True:
        keys: list[Any] = list(node) if isinstance(node, dict) else list(range(len(node)))
        if not keys:
            return
        key = chance.choice(keys)
        child = node[key]
        if isinstance(child, dict | list) and child and chance.random() < 0.75:
            node = child
            continue
        break
    match chance.randrange(4):
        case 0:
            del node[key]
        case 1:
            node[key] = deepcopy(chance.choice(ODD))
        case 2:
            node[key] = deepcopy(node[chance.choice(keys)])
        case _:
            node[key] = child * 2 if isinstance(child, str | list) else [child, deepcopy(child)]


def _scramble(body: bytes, chance: random.Random) -> bytes:
    """Bytes are turned, cut out, doubled or put in."""
    place = chance.randrange(len(body) + 1)
    end = min(len(body), place + chance.randint(1, 8))
    match chance.randrange(4):
        case 0:
            return body[:place] + bytes(byte ^ chance.randrange(1, 256) for byte in body[place:end]) + body[end:]
        case 1:
            return body[:place] + body[end:]
        case 2:
            return body[:end] + body[place:]
        case _:
            return body[:place] + chance.randbytes(4) + body[place:]


def must_be_understood(samples: Samples, body: bytes) -> None:
    """Events, or MalformedPayload: nothing else comes out of `parse`, and no event without a key."""
    kept: RawRequest = samples.kept(body)
    try:
        events = samples.connector.parse(kept, samples.account())
    except MalformedPayload:
        return
    assert all(isinstance(event, Event) and event.key and event.at.tzinfo for event in events)
