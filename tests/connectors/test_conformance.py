"""What every connector shows without tests of its own: this suite runs over all connector folders and their samples.

A check that cannot apply is named in the connector's `samples.EXEMPT` with its reason. That every inbound sample posted twice to
the real route happens once is shown in `tests/inbox/`, where the door is.
"""

import ast
import importlib.util
import json
import logging
import pickle
import socket
import time
from collections.abc import Awaitable, Iterator
from copy import copy, deepcopy
from dataclasses import asdict, replace
from datetime import UTC
from pathlib import Path
from typing import Any, Literal, get_args, get_origin
from urllib.parse import parse_qsl, urlencode

import pytest
import structlog
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from hub.connectors import errors
from hub.connectors.contract import (
    Broadcasts,
    Connector,
    FetchesMedia,
    FileHead,
    OutboundMessage,
    PermitInvalid,
    Polled,
    Polls,
    RawRequest,
    SetupResult,
)
from hub.connectors.events import (
    Album,
    Card,
    Cards,
    Choice,
    ContactCard,
    Event,
    Location,
    Media,
    OutboundContent,
    Span,
    StatusChanged,
    StatusUpTo,
    Style,
    Template,
    Text,
    TimeChoice,
)
from hub.consent.permit import issue_permit
from hub.core import ids
from hub.core.i18n import LOCALES, Translator
from tests.connectors.samples import (
    ALL,
    CALLBACK,
    ERRORS,
    FilesOfOurs,
    Inbound,
    Samples,
    client,
    outbound_action,
    outbound_message,
    permit,
    plain,
    provider,
    said,
    texts,
)

every = pytest.mark.parametrize("samples", ALL, ids=str)
inbound = pytest.mark.parametrize(
    ("samples", "sample"), [pytest.param(samples, one, id=f"{samples}-{one.name}") for samples in ALL for one in samples.inbound()]
)
signed = pytest.mark.parametrize(
    ("samples", "sample"),
    [
        pytest.param(samples, one, id=f"{samples}-{one.name}")
        for samples in ALL
        if "verify" not in samples.exempt
        for one in samples.inbound()
    ],
)
"""Of messengers that deliver to an address of ours."""


def rows(table: str) -> pytest.MarkDecorator:
    """One test per row of this table of every connector."""
    return pytest.mark.parametrize(
        ("samples", "row"),
        [pytest.param(samples, row, id=f"{samples}-{row['name']}") for samples in ALL for row in samples.table(table)],
    )


# --- contract ---------------------------------------------------------------------------------------------------------


@every
def test_it_fulfils_the_contract(samples: Samples) -> None:
    assert isinstance(samples.connector, Connector)
    assert samples.connector.label
    assert samples.connector.mark


@every
def test_it_imports_no_other_connector(samples: Samples) -> None:
    """Nothing outside a connector's folder changes with it: shared things live in `hub.connectors` itself."""
    own = f"hub.connectors.{samples.connector.connector}"
    for path in samples.folder.parent.rglob("*.py"):
        for name in _imports(path):
            parts = name.split(".")
            is_foreign = name.startswith("hub.connectors.") and f"hub.connectors.{parts[2]}" != own
            if is_foreign and not parts[2].startswith("_"):
                found = importlib.util.find_spec(f"hub.connectors.{parts[2]}")
                assert found is None or found.submodule_search_locations is None, f"{path.name} imports {name}"
            assert not name.startswith("hub.") or name.startswith(("hub.connectors", "hub.core")), f"{path.name}: {name}"


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@every
@pytest.mark.parametrize("locale", LOCALES)
def test_the_set_up_form_has_its_words(samples: Samples, locale: str) -> None:
    """Field titles and descriptions are catalogue keys in German and English."""
    t = Translator(locale)
    kind = samples.connector.settings
    for field in (info for name, info in kind.model_fields.items() if name not in kind.given):
        assert field.title and field.description
        assert t(field.title)
        assert t(field.description)


@every
@pytest.mark.parametrize("locale", LOCALES)
def test_the_catalogue_of_messengers_has_its_words(samples: Samples, locale: str) -> None:
    """Whether the interface is an official one, which road a message takes, what it costs, and where data go (R-262, R-291)."""
    t = Translator(locale)
    for about in ("official", "road", "costs", "data"):
        assert t(f"channel.{samples}.about.{about}")


@pytest.mark.parametrize("locale", LOCALES)
def test_every_connector_error_has_words_for_people(locale: str) -> None:
    t = Translator(locale)
    assert [code for code in ERRORS if not t(f"error.{code}")] == []


@every
def test_the_readme_names_what_it_stands_on(samples: Samples) -> None:
    assert (samples.folder.parent / "README.md").read_text("utf-8").startswith(f"# {samples.connector.label}")


EXEMPTIONS = {
    "verify",  # nobody delivers: what comes in is asked for
    "verify:changed",  # the provider signs nothing
    "verify:old",  # it dates nothing
    "verify:rotation",  # it signs with a secret of the form, of which there is one
    "outbound:statuses",  # it answers refusals with 200
    "outbound:requests",  # the hub is its own provider and asks nobody
    "setup:credentials",  # there are none
}


@every
def test_exemptions_give_a_reason(samples: Samples) -> None:
    assert set(samples.exempt) <= EXEMPTIONS
    assert all(len(reason) > 20 for reason in samples.exempt.values())


# --- verify -----------------------------------------------------------------------------------------------------------


@signed
def test_a_signed_request_passes(samples: Samples, sample: Inbound) -> None:
    samples.connector.verify(samples.module.sign(sample.body, samples.module.SECRETS[0]), samples.account())


@every
def test_two_secrets_work_during_rotation(samples: Samples) -> None:
    samples.skip_if_exempt("verify")
    samples.skip_if_exempt("verify:rotation")
    body = samples.inbound()[0].body
    assert len(samples.module.SECRETS) == 2
    for secret in samples.module.SECRETS:
        samples.connector.verify(samples.module.sign(body, secret), samples.account())


@every
@pytest.mark.parametrize("secret", ["", "wrong", "größer", "another-accounts-secret"])
def test_a_wrong_secret_is_refused(samples: Samples, secret: str) -> None:
    request = samples.module.sign(samples.inbound()[0].body, secret)
    with pytest.raises(errors.SignatureInvalid):
        samples.connector.verify(request, samples.account())


@every
def test_an_old_secret_is_refused_after_rotation(samples: Samples) -> None:
    samples.skip_if_exempt("verify")
    newest, before = samples.module.SECRETS
    with pytest.raises(errors.SignatureInvalid):
        samples.connector.verify(samples.module.sign(b"{}", before), samples.account(secrets=(newest,)))


@every
def test_an_unsigned_request_is_refused(samples: Samples) -> None:
    """Where the signature rides in the body, `unsigned` takes it out."""
    body = samples.inbound()[0].body
    unsigned = getattr(samples.module, "unsigned", lambda body: body)(body)
    with pytest.raises(errors.SignatureInvalid):
        samples.connector.verify(RawRequest("POST", {}, unsigned), samples.account())


@every
@pytest.mark.parametrize("secrets", [(), ("",)])
def test_an_account_without_secret_is_never_served(samples: Samples, secrets: tuple[str, ...]) -> None:
    """Verification has no soft mode: not even an empty secret that equals an empty one."""
    account = samples.account(secrets=secrets)
    for request in (samples.module.sign(b"{}", ""), RawRequest("POST", {}, b"{}")):
        with pytest.raises(errors.SignatureInvalid):
            samples.connector.verify(request, account)


@every
def test_a_changed_body_is_refused(samples: Samples) -> None:
    samples.skip_if_exempt("verify")
    samples.skip_if_exempt("verify:changed")
    request = samples.module.sign(samples.inbound()[0].body, samples.module.SECRETS[0])
    changed = RawRequest(request.method, request.headers, bytes([request.body[0] ^ 1]) + request.body[1:])
    with pytest.raises(errors.SignatureInvalid):
        samples.connector.verify(changed, samples.account())


@every
def test_an_old_request_is_refused(samples: Samples) -> None:
    samples.skip_if_exempt("verify")
    samples.skip_if_exempt("verify:old")
    with pytest.raises(errors.SignatureInvalid):
        samples.connector.verify(samples.module.old(), samples.account())


@every
def test_no_stored_header_carries_a_secret(samples: Samples) -> None:
    """What is stored with a delivery holds no secret (I10)."""
    request = samples.module.sign(b"{}", samples.module.SECRETS[0])
    kept = [value for name, value in request.headers.items() if name in samples.connector.keeps_headers]
    assert not any(secret in value for secret in samples.module.SECRETS for value in kept)


# --- parse ------------------------------------------------------------------------------------------------------------


def parse(samples: Samples, body: bytes) -> list[Event]:
    return list(samples.connector.parse(samples.kept(body), samples.account()))


@inbound
def test_a_sample_means_its_events(samples: Samples, sample: Inbound, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same twice, without network and without the secret headers."""

    def blocked(*_: object) -> None:
        raise AssertionError("parse opens a socket")

    monkeypatch.setattr(socket, "socket", blocked)
    events = parse(samples, sample.body)
    assert [plain(event) for event in events] == sample.events
    assert parse(samples, sample.body) == events


@inbound
def test_events_are_well_formed(samples: Samples, sample: Inbound) -> None:
    """Aware UTC times and unique keys: what the database holds so that each thing happens once (I2)."""
    events = parse(samples, sample.body)
    assert events
    assert all(event.at.tzinfo is UTC for event in events)
    assert len({event.key for event in events}) == len(events)


@every
def test_different_samples_have_different_keys(samples: Samples) -> None:
    """An edit is not a duplicate of what it edits (I2)."""
    keys = [event["key"] for sample in samples.inbound() for event in sample.events]
    assert len(keys) == len(set(keys))


@inbound
def test_whatever_is_missing_or_odd_it_is_events_or_malformed(samples: Samples, sample: Inbound) -> None:
    """Each value of the payload removed in turn, and replaced in turn by what does not belong there."""
    for body in _damaged_bodies(sample):
        _must_not_break(samples, body)


def _damaged_bodies(sample: Inbound) -> Iterator[bytes]:
    match sample.form:
        case ".json":
            yield from (json.dumps(body).encode() for body in _damaged(json.loads(sample.body)))
        case ".form":
            fields = dict(parse_qsl(sample.body.decode(), keep_blank_values=True))
            for name in fields:
                yield urlencode({one: value for one, value in fields.items() if one != name}).encode()
                yield from (urlencode({**fields, name: str(odd)}).encode() for odd in ODD)
        case _:
            for place in range(0, len(sample.body), max(1, len(sample.body) // 200)):
                yield sample.body[:place]
                yield sample.body[:place] + bytes([sample.body[place] ^ 0xFF]) + sample.body[place + 1 :]


ODD: tuple[Any, ...] = (None, True, -1, 2**63, 10**40, 1.5, "", "x", [], [[]], {}, {"x": 1})


def _damaged(value: Any) -> Iterator[Any]:
    """The payload with one place damaged, for every place and every damage."""
    places: list[tuple[Any, Any]] = []
    whole = deepcopy(value)
    open_ = [whole]
    while open_:
        node = open_.pop()
        inner = list(node.items() if isinstance(node, dict) else enumerate(node))
        places += [(node, key) for key, _ in inner]
        open_ += [child for _, child in inner if isinstance(child, dict | list)]
    for node, key in places:
        kept = copy(node)
        del node[key]
        yield whole
        for odd in ODD:
            _restore(node, kept)
            node[key] = odd
            yield whole
        _restore(node, kept)


def _restore(node: Any, kept: Any) -> None:
    """In place and in the old order."""
    node.clear()
    node.update(kept) if isinstance(node, dict) else node.extend(kept)


def _must_not_break(samples: Samples, body: bytes) -> None:
    try:
        events = parse(samples, body)
    except errors.MalformedPayload:
        return
    assert all(isinstance(event, get_args(Event)) for event in events)


@every
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe{}",
        b'{"a":',
        b"[]",
        b"null",
        b'"text"',
        b"{}",
        b"{}{}",
        b"[" * 100_000,
        b'{"update_id":1,"message":' + b'{"x":' * 50_000 + b"1" + b"}" * 50_001,
        b'{"update_id":1,"message":{"text":"\xc3\x28"}}',
        b'{"update_id":1,"message":{"text":"\\ud800"}}',
        b"<html></html>",
        b"payload=%7B%7D",
        b"NaN",
        b"9" * 10_000,
    ],
    ids=range(16),
)
def test_what_is_no_payload_is_malformed(samples: Samples, body: bytes) -> None:
    """Broken bytes, broken UTF-8, no object, too deep: a dead letter with its cause, never a crash."""
    with pytest.raises(errors.MalformedPayload):
        parse(samples, body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=20,
)


@every
@hypothesis_settings(max_examples=100, database=None, deadline=None, derandomize=True)
@given(data=st.data())
def test_any_json_is_events_or_malformed(samples: Samples, data: st.DataObject) -> None:
    """Arbitrary JSON, half of it under the names that the connector's own samples use."""
    first = next((body for body in bodies_of(samples) if isinstance(body, dict)), None)
    if first is None:
        _must_not_break(samples, data.draw(st.binary(max_size=200)))
        return
    names = st.sampled_from(_names(samples))
    known = st.dictionaries(names, st.recursive(JSON, lambda inner: st.dictionaries(names, inner, max_size=6)), max_size=6)
    value = data.draw(JSON | known)
    if isinstance(value, dict):
        value = data.draw(st.sampled_from([value, {**first, **value}]))
    _must_not_break(samples, json.dumps(value).encode("utf-8", "replace"))


def bodies_of(samples: Samples) -> list[Any]:
    """The samples that are JSON."""
    return [json.loads(sample.body) for sample in samples.inbound() if sample.form == ".json"]


def _names(samples: Samples) -> list[str]:
    found: set[str] = set()
    open_ = bodies_of(samples)
    while open_:
        node = open_.pop()
        if isinstance(node, dict):
            found |= node.keys()
            open_ += node.values()
        elif isinstance(node, list):
            open_ += node
    return sorted(found)


# --- split and send ---------------------------------------------------------------------------------------------------


@rows("outbound")
async def test_one_attempt(samples: Samples, row: dict[str, Any]) -> None:
    """Action and answer -> exactly these requests, and the receipt or the error that says what happens next. Each file is read once
    and closed."""
    files = FilesOfOurs(row.get("files", {}))
    action = outbound_action(row, files)
    with provider(samples, row["calls"]):
        async with client() as http:
            if "receipt" in row:
                receipt = await samples.connector.send(permit(), action, samples.account(), http)
                shown = {"status": receipt.status, "keys": list(receipt.keys), "at": receipt.at and receipt.at.isoformat()}
                assert {**shown, "sequence": receipt.sequence} == row["receipt"]
            else:
                with pytest.raises(ERRORS[row["error"]]) as failure:
                    await samples.connector.send(permit(), action, samples.account(), http)
                assert type(failure.value) is ERRORS[row["error"]]
                for name in ("provider_code", "provider_text", "retry_after"):
                    if name in row:
                        assert getattr(failure.value, name) == row[name]
    assert all(one.closed for opened in files.opened.values() for one in opened)
    assert all(len(opened) <= 1 for opened in files.opened.values())


@every
def test_the_outbound_table_is_whole(samples: Samples) -> None:
    """A success and each way to fail: 400, 401, 429 with a time, 500, garbage, no connection, no answer in time."""
    samples.skip_if_exempt("outbound:requests")
    table = samples.table("outbound")
    answers = [call["answer"] for row in table for call in row["calls"]]
    if "outbound:statuses" not in samples.exempt:
        assert {400, 401, 429, 500} <= {answer.get("status") for answer in answers}
    assert {"ConnectError", "ConnectTimeout", "ReadTimeout"} <= {answer.get("raises") for answer in answers}
    assert any(answer.get("status", 0) // 100 == 2 and "text" in answer for answer in answers)
    assert {row["error"] for row in table if "error" in row} >= {"rate_limited", "outcome_unknown", "unsupported_content"}


ACTIONS = {"edit": "EditMessage", "delete": "DeleteMessage", "react": "React", "typing": "ShowTyping", "read": "MarkRead"}


@every
def test_words_go_before_cards(samples: Samples) -> None:
    can = samples.connector.capabilities
    if can.cards is not None:
        cards = Cards(text="", items=(Card(title="Stadtrad", text="899 Euro"),))
        parts = samples.connector.split(replace(cards, text="Im Angebot:"))
        assert [*parts] == [Text(text="Im Angebot:"), cards]


@every
def test_what_it_can_do_is_shown(samples: Samples) -> None:
    """Honesty: each kind of content, file, style and action that `capabilities` claim has a row that arrives."""
    can = samples.connector.capabilities
    fine = [row for row in samples.table("outbound") if "receipt" in row]
    contents = [action.content for row in fine if isinstance(action := outbound_action(row), OutboundMessage)]
    texts_ = [words for content in contents if (words := words_of(content)) is not None]
    files = [one for content in contents for one in (content.items if isinstance(content, Album) else [content])]
    assert {one.kind for one in files if isinstance(one, Media)} >= set(can.media)
    assert {span.style for text in texts_ for span in text.spans} >= can.styles
    assert any(isinstance(content, Location) for content in contents) == can.location
    assert any(isinstance(content, Choice) for content in contents) == (can.choice is not None)
    assert any(isinstance(content, ContactCard) for content in contents) == can.contact
    assert any(isinstance(content, Cards) for content in contents) == (can.cards is not None)
    assert any(isinstance(content, TimeChoice) for content in contents) == can.times
    assert any(isinstance(content, Template) for content in contents) == can.templates
    assert any(row.get("reply_to_key") for row in fine) == can.replies
    assert {row.get("action") for row in fine} >= {ACTIONS[action] for action in can.actions}


def words_of(content: OutboundContent) -> Text | None:
    """The text of a content, wherever it has one."""
    match content:
        case Text():
            return content
        case Choice() | TimeChoice():
            return content.text
        case Media() | Album():
            return content.caption
        case _:
            return None


@every
async def test_what_it_cannot_do_is_refused_before_any_request(samples: Samples) -> None:
    """Honesty, the other way: an action that `capabilities` do not name costs no request."""
    can = samples.connector.capabilities
    whole = {"address": "1", "text": "x", "target_key": "k", "target_keys": ["k"], "emoji": "👍"}
    takes = {
        "edit": ("target_key", "text"),
        "delete": ("target_keys",),
        "react": ("target_key", "emoji"),
        "typing": (),
        "read": ("target_key",),
    }
    async with client() as http:
        for kind, name in ACTIONS.items():
            if kind not in can.actions:
                action = outbound_action({"action": name, "address": "1", **{one: whole[one] for one in takes[kind]}})
                with provider(samples, []), pytest.raises(errors.UnsupportedContent):
                    await samples.connector.send(permit(), action, samples.account(), http)


SIZE = {"utf16": lambda text: len(text.encode("utf-16-le")) // 2, "utf8": lambda text: len(text.encode()), "characters": len}


PIECES = st.sampled_from(["Wort ", "\n", "👋", "ä", "x" * 700, " ", "Zeile.\n", "\r\n", "👩‍🚀" * 300])


@st.composite
def formatted(draw: st.DrawFn, styles: frozenset[Style]) -> Text:
    """A text with spans that nest, as the contract says."""
    text = "".join(draw(st.lists(PIECES, min_size=1, max_size=40)))
    spans: list[Span] = []
    open_ = [(0, len(text))] if styles and text else []
    while open_ and len(spans) < 6:
        low, high = open_.pop()
        cuts = sorted(draw(st.lists(st.integers(low, high), min_size=2, max_size=2)))
        if cuts[0] < cuts[1]:
            style = draw(st.sampled_from(sorted(styles)))
            spans.append(Span(start=cuts[0], end=cuts[1], style=style, url="https://muster.example/" if style == "link" else ""))
            open_ += [(cuts[1], high), (cuts[0], cuts[1])]
    return Text(text=text, spans=tuple(spans))


def letters(text: Text) -> list[tuple[str, frozenset[tuple[str, str]]]]:
    """Every visible character with the formatting it has."""
    return [
        (letter, frozenset((span.style, span.url) for span in text.spans if span.start <= place < span.end))
        for place, letter in enumerate(text.text)
        if not letter.isspace()
    ]


@every
@hypothesis_settings(max_examples=60, database=None, deadline=None, derandomize=True)
@given(data=st.data())
def test_a_text_is_split_without_losing_a_character_or_its_formatting(samples: Samples, data: st.DataObject) -> None:
    """Every part fits, none is empty, together they say what was written in the style it had, and no span leaves its part."""
    can = samples.connector.capabilities
    text = data.draw(formatted(can.styles))
    if not text.text.strip():
        with pytest.raises(errors.UnsupportedContent):
            samples.connector.split(text)
        return
    parts = [part for part in samples.connector.split(text) if isinstance(part, Text)]
    assert all(part.text.strip() and SIZE[can.text_unit](part.text) <= can.max_text for part in parts)
    assert [letter for part in parts for letter in letters(part)] == letters(text)
    assert all(0 <= span.start < span.end <= len(part.text) for part in parts for span in part.spans)


@every
@pytest.mark.parametrize("letter", ["x", "ä", "👋"])
async def test_what_fits_is_sent_and_one_more_is_refused_before_any_request(samples: Samples, letter: str) -> None:
    """Honesty: `max_text` holds to the character, and what it denies costs no request."""
    can = samples.connector.capabilities
    count = can.max_text // SIZE[can.text_unit](letter)
    longest = letter * count
    assert texts(samples.connector.split(Text(text=longest))) == [longest]
    assert len(samples.connector.split(Text(text=longest + letter))) == 2
    success = a_message(samples)
    calls = [{key: value for key, value in call.items() if key not in ("json", "form")} for call in success["calls"][:1]]
    async with client() as http:
        with provider(samples, calls):
            await samples.connector.send(permit(), outbound_message({**success, "text": longest}), samples.account(), http)
        with provider(samples, []), pytest.raises(errors.UnsupportedContent):
            too_long = outbound_message({**success, "text": longest + letter})
            await samples.connector.send(permit(), too_long, samples.account(), http)


@every
def test_every_status_it_confirms_has_a_sample(samples: Samples) -> None:
    """Honesty: what `capabilities` claims is shown, and nothing more is."""
    told = {StatusChanged.__name__, StatusUpTo.__name__}
    shown = {event["status"] for sample in samples.inbound() for event in sample.events if event["event"] in told}
    assert shown - {"failed"} == samples.connector.capabilities.confirms


# --- permits (I4) -----------------------------------------------------------------------------------------------------


def a_message(samples: Samples) -> dict[str, Any]:
    return next(row for row in samples.table("outbound") if "receipt" in row and "text" in row)


@every
async def test_a_permit_sends_once(samples: Samples) -> None:
    row, leave = a_message(samples), permit()
    async with client() as http:
        with provider(samples, row["calls"]):
            await samples.connector.send(leave, outbound_message(row), samples.account(), http)
        with provider(samples, []), pytest.raises(PermitInvalid):
            await samples.connector.send(leave, outbound_message(row), samples.account(), http)


@every
async def test_a_failed_attempt_uses_its_permit_up(samples: Samples) -> None:
    samples.skip_if_exempt("outbound:requests")
    row = next(row for row in samples.table("outbound") if row.get("error") == "provider_unavailable")
    leave = permit()
    async with client() as http:
        with provider(samples, row["calls"]), pytest.raises(errors.Unavailable):
            await samples.connector.send(leave, outbound_message(row), samples.account(), http)
        with provider(samples, []), pytest.raises(PermitInvalid):
            await samples.connector.send(leave, outbound_message(row), samples.account(), http)


@every
async def test_a_permit_for_another_message_sends_nothing(samples: Samples) -> None:
    message = outbound_message(a_message(samples))
    others = [
        issue_permit(part_id=ids.new_id(), attempt_id=message.attempt_id),
        issue_permit(part_id=message.part_id, attempt_id=ids.new_id()),
    ]
    async with client() as http:
        for leave in others:
            with provider(samples, []), pytest.raises(PermitInvalid):
                await samples.connector.send(leave, message, samples.account(), http)


@pytest.mark.parametrize("samples", [one for one in ALL if isinstance(one.connector, Broadcasts)], ids=str)
async def test_a_broadcast_spends_the_permit_of_every_receiver(samples: Samples) -> None:
    """One that was used keeps all of it back, before any request."""
    connector, first = samples.connector, outbound_message(a_message(samples))
    assert isinstance(connector, Broadcasts)
    second, leave, used = replace(first, address=f"{first.address}2"), permit(), permit()
    used.spend(second)
    async with client() as http:
        with provider(samples, []), pytest.raises(PermitInvalid):
            await connector.broadcast([leave, used], [first, second], samples.account(), http)
        with pytest.raises(PermitInvalid):
            leave.spend(first)


@every
async def test_an_expired_permit_sends_nothing(samples: Samples, monkeypatch: pytest.MonkeyPatch) -> None:
    """A permit lives 5 seconds."""
    leave, start = permit(), time.monotonic()
    async with client() as http:
        monkeypatch.setattr(time, "monotonic", lambda: start + 5.1)
        with provider(samples, []), pytest.raises(PermitInvalid):
            await samples.connector.send(leave, outbound_message(a_message(samples)), samples.account(), http)
        monkeypatch.undo()


def test_a_permit_cannot_be_copied_or_pickled() -> None:
    for duplicate in (copy, deepcopy, pickle.dumps):
        with pytest.raises(TypeError):
            duplicate(permit())


# --- set-up -----------------------------------------------------------------------------------------------------------


async def run(samples: Samples, row: dict[str, Any]) -> SetupResult | None:
    account = samples.account(own_id=row.get("own_id", ""))
    with provider(samples, row["calls"]):
        async with client() as http:
            if row["do"] == "teardown":
                await samples.connector.teardown(account, http)
                return None
            return await samples.connector.setup(account, CALLBACK if row.get("is_public", True) else None, http)


def setup_result(samples: Samples, row: dict[str, Any]) -> SetupResult:
    """`settings` are those of the account with the ones named changed."""
    told = {**row, "notes": tuple(row["notes"])}
    if "settings" in row:
        told["settings"] = samples.connector.settings.model_validate({**samples.module.SETTINGS, **row["settings"]})
    return SetupResult(**told)


@rows("setup")
async def test_set_up_and_tear_down(samples: Samples, row: dict[str, Any]) -> None:
    if "error" not in row:
        result = await run(samples, row)
        expected = row.get("result")
        assert result == (expected and setup_result(samples, expected))
        return
    with pytest.raises(ERRORS[row["error"]]) as failure:
        await run(samples, row)
    assert type(failure.value) is ERRORS[row["error"]]
    for name in ("field", "provider_text"):
        if name in row:
            assert getattr(failure.value, name) == row[name]


@every
def test_the_set_up_table_is_whole(samples: Samples) -> None:
    """It may be repeated, wrong credentials name a field of the form, and taking away what is gone is no error."""
    table = samples.table("setup")
    fine = [row["name"] for row in table if "error" not in row]
    assert {"first", "again", "taken_away", "already_gone"} <= set(fine)
    rejected = {row["field"] for row in table if row.get("error") == "credentials_rejected"}
    assert rejected or "setup:credentials" in samples.exempt
    assert rejected <= set(samples.connector.settings.model_fields)


@every
@pytest.mark.parametrize("locale", LOCALES)
def test_notes_of_the_set_up_have_words(samples: Samples, locale: str) -> None:
    t = Translator(locale)
    assert all(t(note) for row in samples.table("setup") for note in row.get("result", {}).get("notes", ()))


# --- polling and files ------------------------------------------------------------------------------------------------


def optional_rows(table: str, ability: type) -> pytest.MarkDecorator:
    """One test per row of this table of every connector that has the ability."""
    return pytest.mark.parametrize(
        ("samples", "row"),
        [
            pytest.param(samples, row, id=f"{samples}-{row['name']}")
            for samples in ALL
            if isinstance(samples.connector, ability)
            for row in samples.table(table)
        ],
    )


def must_be(row: dict[str, Any], failure: pytest.ExceptionInfo[errors.ConnectorError]) -> None:
    assert type(failure.value) is ERRORS[row["error"]]
    for name in ("provider_code", "retry_after"):
        if name in row:
            assert getattr(failure.value, name) == row[name]


async def poll(samples: Samples, row: dict[str, Any]) -> Polled:
    assert isinstance(samples.connector, Polls)
    with provider(samples, row["calls"]):
        async with client() as http:
            return await samples.connector.poll(samples.account(), http, row["cursor"])


@optional_rows("poll", Polls)
async def test_one_poll(samples: Samples, row: dict[str, Any]) -> None:
    """What comes is what the webhook would have brought, and the next poll says that we have it."""
    if "error" in row:
        with pytest.raises(errors.ConnectorError) as failure:
            await poll(samples, row)
        must_be(row, failure)
        return
    polled = await poll(samples, row)
    assert [json.loads(request.body) for request in polled.requests] == row["requests"]
    assert polled.cursor == row["next"]
    for request in polled.requests:
        _must_not_break(samples, request.body)


class Sink:
    """Takes a file in memory, at most `room` bytes of it."""

    def __init__(self, room: int = 1_000_000) -> None:
        self.content = b""
        self._room = room

    async def write(self, piece: bytes) -> None:
        if len(self.content) + len(piece) > self._room:
            raise errors.FileTooLarge
        self.content += piece


async def fetch(samples: Samples, row: dict[str, Any], sink: Sink) -> FileHead:
    assert isinstance(samples.connector, FetchesMedia)
    with provider(samples, row["calls"]):
        async with client() as http:
            return await samples.connector.fetch(row["ref"], samples.account(), http, sink, size=row.get("size"))


@optional_rows("fetch", FetchesMedia)
async def test_one_file_is_fetched(samples: Samples, row: dict[str, Any]) -> None:
    sink = Sink(row.get("room", 1_000_000))
    if "error" in row:
        with pytest.raises(errors.ConnectorError) as failure:
            await fetch(samples, row, sink)
        must_be(row, failure)
        return
    assert asdict(await fetch(samples, row, sink)) == {"mime": "", "name": "", "size": None} | row["head"]
    assert sink.content.decode() == row["holds"]


@every
def test_the_tables_of_what_it_can_do_besides_are_whole(samples: Samples) -> None:
    """Credentials refused, a pause asked for, nobody there: and of a file, that it is too large and that it is gone."""
    needed = {"auth_failed", "rate_limited", "provider_unavailable"}
    if isinstance(samples.connector, Polls):
        table = samples.table("poll")
        assert needed <= {row.get("error") for row in table}
        assert any(row["cursor"] == "" for row in table) and any(row["cursor"] for row in table)
    if isinstance(samples.connector, FetchesMedia):
        assert needed | {"too_large", "gone"} <= {row.get("error") for row in samples.table("fetch")}


@optional_rows("poll", Polls)
async def test_no_secret_in_logs_or_errors_of_a_poll(
    samples: Samples, row: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    await _must_keep_secrets(samples, poll(samples, row), caplog)


@optional_rows("fetch", FetchesMedia)
async def test_no_secret_in_logs_or_errors_of_a_fetch(
    samples: Samples, row: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """The address of a file has the credentials in it too."""
    await _must_keep_secrets(samples, fetch(samples, row, Sink(row.get("room", 1_000_000))), caplog)


async def _must_keep_secrets(samples: Samples, doing: Awaitable[object], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    seen: list[str] = []
    with structlog.testing.capture_logs() as records:
        try:
            seen.append(repr(await doing))
        except errors.ConnectorError as error:
            seen += _spoken(error)
    seen += [str(records), caplog.text]
    assert [secret for secret in samples.secret_values() if any(secret in text for text in seen)] == []


# --- secrets (I10) ----------------------------------------------------------------------------------------------------


@rows("outbound")
async def test_no_secret_in_logs_or_errors_of_a_send(
    samples: Samples, row: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Not in what is logged at any level, not in an error, its repr, its causes or its contexts."""
    caplog.set_level(logging.DEBUG)
    seen: list[str] = []
    with structlog.testing.capture_logs() as records, provider(samples, row["calls"]):
        async with client() as http:
            try:
                action = outbound_action(row, FilesOfOurs(row.get("files", {})))
                receipt = await samples.connector.send(permit(), action, samples.account(), http)
                seen.append(repr(receipt))
            except errors.ConnectorError as error:
                seen += _spoken(error)
    seen += [str(records), caplog.text, *(str(record.args) for record in caplog.records)]
    assert [secret for secret in samples.secret_values() if any(secret in text for text in seen)] == []
    if row["calls"]:
        assert [record["event"] for record in records] == ["exchange"] * len(row["calls"])
        assert [word for word in said(row) if word in str(records)] == []


@rows("setup")
async def test_no_secret_in_logs_or_errors_of_a_set_up(
    samples: Samples, row: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    await _must_keep_secrets(samples, run(samples, row), caplog)


def _spoken(error: BaseException | None) -> list[str]:
    """Everything an error says, with everything that hangs on it."""
    said: list[str] = []
    while error is not None:
        said += [str(error), repr(error), str(vars(error))]
        request = getattr(error, "_request", None)
        said += [str(request.url)] if request is not None else []
        error = error.__cause__ or error.__context__
    return said


@every
def test_no_secret_in_the_repr_of_an_account(samples: Samples) -> None:
    account = samples.account()
    said = repr(account) + str(account) + repr(account.settings) + str(account.settings.model_dump())
    assert [secret for secret in samples.secret_values() if secret in said] == []


@every
def test_a_refused_setting_is_not_quoted(samples: Samples) -> None:
    """A secret typed into the wrong field, or one of the wrong shape, is not repeated in the error. A choice names its words."""
    fields = samples.connector.settings.model_fields
    for name, value in samples.module.SETTINGS.items():
        if get_origin(fields[name].annotation) is Literal:
            continue
        with pytest.raises(ValueError) as failure:
            samples.connector.settings.model_validate({**samples.module.SETTINGS, name: f"{value} \x00"})
        assert value not in str(failure.value) + repr(failure.value)


def test_the_suite_sees_connectors() -> None:
    """An empty parametrisation would pass in silence."""
    assert ALL
    assert all(samples.inbound() and samples.table("outbound") and samples.table("setup") for samples in ALL)
