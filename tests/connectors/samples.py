"""Reads the samples of every connector for the conformance suite. What the files hold: `docs/connectors.md`, "Samples"."""

import importlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
import respx

from hub.connectors import errors, http
from hub.connectors.contract import Account, AnyConnector, OutboundMessage, Permit
from hub.connectors.events import Event, OutboundContent, Sender, Span, Text
from hub.connectors.registry import discover
from hub.consent.permit import issue_permit

CHANNEL = UUID("01900000-0000-7000-8000-000000000001")
PART = UUID("01900000-0000-7000-8000-000000000002")
ATTEMPT = UUID("01900000-0000-7000-8000-000000000003")
CALLBACK = "https://hub.example.org/hooks/sample/chn_7Q2"

ERRORS: dict[str, type[errors.ConnectorError]] = {
    thing.code: thing for thing in vars(errors).values() if isinstance(thing, type) and issubclass(thing, errors.ConnectorError)
}


@dataclass(frozen=True)
class Inbound:
    name: str
    body: bytes
    events: list[dict[str, Any]]


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
        bodies = [path for path in sorted(self.folder.glob("*.json")) if "." not in path.stem]
        return [
            Inbound(path.stem, path.read_bytes(), json.loads(path.with_suffix(".events.json").read_text("utf-8")))
            for path in bodies
        ]

    def table(self, name: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = json.loads((self.folder / f"{name}.table.json").read_text("utf-8"))
        return rows

    def account(self, *, own_id: str | None = None, secrets: tuple[str, ...] | None = None) -> Account[Any]:
        settings = self.connector.settings.model_validate(self.module.SETTINGS)
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


def outbound_message(row: dict[str, Any]) -> OutboundMessage:
    return OutboundMessage(
        part_id=PART,
        attempt_id=ATTEMPT,
        address=row["address"],
        content=Text(text=row["text"]),
        reply_to_key=row.get("reply_to_key"),
    )


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
            assert (request.method, str(request.url)) == (call["method"], call["url"])
            if "json" in call:
                assert json.loads(request.content) == call["json"]
            return _answer(call["answer"], request)

        router.route().mock(side_effect=answer)
        yield router
        assert not left, f"not asked: {left}"


def _answer(answer: dict[str, Any], request: httpx.Request) -> httpx.Response:
    if "raises" in answer:
        failure: type[httpx.TransportError] = getattr(httpx, answer["raises"])
        raise failure(f"on the way to {request.url}", request=request)
    if "json" in answer:
        return httpx.Response(answer["status"], json=answer["json"], headers=answer.get("headers"))
    return httpx.Response(answer["status"], text=answer["text"], headers=answer.get("headers"))


def client() -> httpx.AsyncClient:
    return http.connector_client(frozenset())
