"""Reads the samples of every connector for the conformance suite. What the files hold: `docs/connectors.md`, "Samples"."""

import importlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import parse_qsl
from uuid import UUID

import httpx
import pytest
import respx
from pydantic import SecretStr

from hub.connectors import contract, errors, events, http
from hub.connectors.contract import Account, AnyConnector, OutboundAction, OutboundFile, OutboundMessage, Permit, RawRequest
from hub.connectors.events import Event, OutboundContent, Sender, Slot, Span, Text
from hub.connectors.registry import discover
from hub.consent.permit import issue_permit

CHANNEL = UUID("01900000-0000-7000-8000-000000000001")
PART = UUID("01900000-0000-7000-8000-000000000002")
ATTEMPT = UUID("01900000-0000-7000-8000-000000000003")
RECEIVED = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
"""When the hub got each inbound sample."""
CALLBACK = "https://hub.example.org/hooks/sample/chn_7Q2"

ERRORS: dict[str, type[errors.ConnectorError]] = {
    thing.code: thing for thing in vars(errors).values() if isinstance(thing, type) and issubclass(thing, errors.ConnectorError)
}


BODIES = (".json", ".form", ".bin")
"""Endings of request bodies: JSON, an urlencoded form, anything else."""


@dataclass(frozen=True)
class Inbound:
    name: str
    body: bytes
    events: list[dict[str, Any]]
    form: str
    """The ending of its file."""


class Samples:
    """The samples of one connector."""

    def __init__(self, connector: AnyConnector) -> None:
        self.connector = connector
        self.module = importlib.import_module(f"hub.connectors.{connector.connector}.samples")
        self.folder = Path(str(self.module.__file__)).parent
        self.exempt: dict[str, str] = self.module.EXEMPT

    def __str__(self) -> str:
        return self.connector.connector

    def inbound(self) -> list[Inbound]:
        bodies = [path for path in sorted(self.folder.iterdir()) if path.suffix in BODIES and "." not in path.stem]
        return [
            Inbound(path.stem, path.read_bytes(), json.loads(path.with_suffix(".events.json").read_text("utf-8")), path.suffix)
            for path in bodies
        ]

    def kept(self, body: bytes) -> RawRequest:
        """A delivery as `parse` gets it: of its headers those that are stored, and the sender's key where there is one."""
        headers = self.module.sign(body, self.module.SECRETS[0]).headers
        stored = {name: value for name, value in headers.items() if name in self.connector.keeps_headers}
        return RawRequest("POST", stored, body, RECEIVED, peer_key=getattr(self.module, "PEER_KEY", b""))

    def table(self, name: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = json.loads((self.folder / f"{name}.table.json").read_text("utf-8"))
        return rows

    def account(self, *, own_id: str | None = None, secrets: tuple[str, ...] | None = None) -> Account[Any]:
        """`secrets` replace those of the webhook. Where the provider signs with a secret of the set-up form (`SIGNED_WITH`), the
        first of them stands there."""
        settings = self.connector.settings.model_validate(self.module.SETTINGS)
        if secrets is not None and (field := getattr(self.module, "SIGNED_WITH", "")):
            settings = settings.model_copy(update={field: SecretStr(secrets[0] if secrets else "")})
        return Account(
            channel_id=CHANNEL,
            settings=settings,
            own_id=self.module.OWN_ID if own_id is None else own_id,
            webhook_secrets=self.module.SECRETS if secrets is None else secrets,
        )

    def secret_values(self) -> list[str]:
        """Everything that may appear nowhere."""
        values = [value.get_secret_value() for _, value in self.account().settings if hasattr(value, "get_secret_value")]
        return [*values, *self.module.SECRETS]

    def skip_if_exempt(self, check: str) -> None:
        if check in self.exempt:
            pytest.skip(self.exempt[check])

    def fill(self, value: Any) -> Any:
        """`{name}` of settings, `{callback_url}` and `{webhook_secret}` in the strings of a table."""
        if isinstance(value, dict):
            return {key: self.fill(one) for key, one in value.items()}
        if isinstance(value, list):
            return [self.fill(one) for one in value]
        if not isinstance(value, str):
            return value
        for name, setting in self.account().settings:
            plain = setting.get_secret_value() if hasattr(setting, "get_secret_value") else str(setting)
            value = value.replace(f"{{{name}}}", plain)
        return value.replace("{callback_url}", CALLBACK).replace("{webhook_secret}", self.module.SECRETS[0])


ALL = [Samples(connector) for connector in discover().values()]


def plain(event: Event) -> dict[str, Any]:
    """An event as its `.events.json` shows it: what is as usual is left out, a content says its kind, times are in ISO 8601."""
    return {"event": type(event).__name__, **_fields(event)}


def _fields(value: Any) -> dict[str, Any]:
    shown = {one.name: getattr(value, one.name) for one in fields(value) if getattr(value, one.name) != one.default}
    return {name: _plain(one) for name, one in shown.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    if isinstance(value, Sender | Span):
        return _fields(value)
    if is_dataclass(value):
        return {"content": type(value).__name__, **_fields(value)}
    return value.isoformat() if isinstance(value, datetime) else value


def read_content(value: Any) -> Any:
    """The reverse of `plain` for a content: an object that names its `content` becomes that, one with `start` and `end` a span, any
    other a mapping (the places of a template)."""
    if isinstance(value, list):
        return tuple(read_content(one) for one in value)
    if not isinstance(value, dict):
        return value
    read = {name: read_content(one) for name, one in value.items() if name != "content"}
    if value.get("content") == Slot.__name__:
        read["start"] = datetime.fromisoformat(read["start"])
    if "content" in value:
        return getattr(events, value["content"])(**read)
    return Span(**read) if {"start", "end"} <= read.keys() else read


class FilesOfOurs:
    """Files on their way out, by the name of their media; counts how often each was opened, and keeps what was opened."""

    def __init__(self, described: dict[str, dict[str, Any]]) -> None:
        self.opened: dict[str, list[BytesIO]] = {ref: [] for ref in described}
        self.by_ref = {ref: self._file(ref, **one) for ref, one in described.items()}

    def _file(self, ref: str, name: str, mime: str, holds: str | None, size: int | None = None, link: str = "") -> OutboundFile:
        """One that `holds` nothing cannot be opened; `size` is said where it is another than that."""

        def open_() -> BinaryIO:
            if holds is None:
                raise FileNotFoundError(name)
            self.opened[ref].append(BytesIO(holds.encode()))
            return self.opened[ref][-1]

        return OutboundFile(name=name, mime=mime, size=len((holds or "").encode()) if size is None else size, open=open_, link=link)


def outbound_action(row: dict[str, Any], files: FilesOfOurs | None = None) -> OutboundAction:
    """The action of a row: a message unless `action` names another one; `text` is the content of a plain one."""
    names = ("content", "target_key", "emoji", "press", "reply_to_key", "tag")
    given: dict[str, Any] = {name: read_content(row[name]) for name in names if name in row}
    if "text" in row:
        given["content"] = Text(text=row["text"])
    if "target_keys" in row:
        given["target_keys"] = tuple(row["target_keys"])
    if files is not None and "files" in row:
        given["files"] = files.by_ref
    if "peer_key" in row:
        given["peer_key"] = bytes.fromhex(row["peer_key"])
    action: OutboundAction = getattr(contract, row.get("action", "OutboundMessage"))(
        part_id=PART, attempt_id=ATTEMPT, address=row["address"], **given
    )
    return action


def outbound_message(row: dict[str, Any]) -> OutboundMessage:
    """The action of a row that is a message of text."""
    action = outbound_action(row)
    assert isinstance(action, OutboundMessage)
    return action


def said(row: dict[str, Any]) -> list[str]:
    """Every word and file that a row sends: nothing of it may appear in a log."""
    open_: list[Any] = [row.get("text"), row.get("content"), [one.get("holds") for one in row.get("files", {}).values()]]
    found: list[str] = []
    while open_:
        node = open_.pop()
        if isinstance(node, dict):
            open_ += [
                one for name, one in node.items() if name not in ("content", "kind", "style", "id", "ref", "mime", "language")
            ]
            open_ += [node["content"]] if isinstance(node.get("content"), dict) else []
        elif isinstance(node, list):
            open_ += node
        elif isinstance(node, str) and node.strip():
            found.append(node)
    return found


def texts(parts: Sequence[OutboundContent]) -> list[str]:
    """The words of parts that are nothing but text."""
    assert all(isinstance(part, Text) for part in parts)
    return [part.text for part in parts if isinstance(part, Text)]


def permit() -> Permit:
    return issue_permit(part_id=PART, attempt_id=ATTEMPT)


@contextmanager
def provider(samples: Samples, calls: list[dict[str, Any]]) -> Iterator[respx.MockRouter]:
    """The provider as a script: each call as expected and answered in its turn. One that was not made fails the test, and so
    does a request that nobody expects."""
    with respx.mock(assert_all_called=False) as router:
        left = [samples.fill(call) for call in calls]

        def answer(request: httpx.Request) -> httpx.Response:
            assert left, f"an unexpected {request.method} {request.url.path}"
            call = left.pop(0)
            assert request.method == call["method"]
            assert str(request.url) == call["url"] if "url" in call else str(request.url).startswith(call["url_begins"])
            if "json" in call:
                assert json.loads(request.content) == call["json"]
            if "form" in call:
                assert _form(request) == (call["form"], call.get("files", {}))
            for name, value in call.get("headers", {}).items():
                assert request.headers.get(name) == value, name
            return _answer(call["answer"], request)

        router.route().mock(side_effect=answer)
        yield router
        assert not left, f"not asked: {left}"


def _form(request: httpx.Request) -> tuple[dict[str, Any], dict[str, Any]]:
    """Fields and files of a form, urlencoded or multipart. A field of the latter that is JSON is read, as providers do."""
    if request.headers["content-type"] == "application/x-www-form-urlencoded":
        return dict(parse_qsl(request.content.decode(), keep_blank_values=True, strict_parsing=True)), {}
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
    shown: dict[str, Any] = {}
    files: dict[str, Any] = {}
    for part in message_from_bytes(head + request.content, policy=policy.HTTP).iter_parts():
        name, file_name = str(part.get_param("name", header="content-disposition")), part.get_filename()
        body = part.get_payload(decode=True)
        assert isinstance(body, bytes)
        if file_name is None:
            shown[name] = _json_or_text(body.decode())
        else:
            files[name] = {"name": file_name, "mime": part.get_content_type(), "holds": body.decode()}
    return shown, files


def _json_or_text(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value


def _answer(answer: dict[str, Any], request: httpx.Request) -> httpx.Response:
    if "raises" in answer:
        failure: type[httpx.TransportError] = getattr(httpx, answer["raises"])
        raise failure(f"on the way to {request.url}", request=request)
    if "json" in answer:
        return httpx.Response(answer["status"], json=answer["json"], headers=answer.get("headers"))
    if "hex" in answer:
        return httpx.Response(answer["status"], content=bytes.fromhex(answer["hex"]), headers=answer.get("headers"))
    return httpx.Response(answer["status"], text=answer["text"], headers=answer.get("headers"))


def client() -> httpx.AsyncClient:
    return http.connector_client(frozenset())
