"""The two ways to signal-cli: its daemon (JSON-RPC over HTTP), and signal-cli-rest-api around it. A call is written in the daemon's
words; for the wrapper it is put into those of its API (provider file, 5).

Neither asks who is there: `authorization` is for a proxy before them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

import orjson
from httpx import AsyncClient

from hub.connectors.contract import Account
from hub.connectors.errors import OutcomeUnknown, Unavailable, UnsupportedContent
from hub.connectors.http import LARGEST_ANSWER, Answer, exchange
from hub.connectors.signal.codes import foreign_error, rest_error, result_error, rpc_error
from hub.connectors.signal.reading import Json, a_text, an_object, objects, read_json
from hub.connectors.signal.settings import SignalSettings

RPC: Final = "/api/v1/rpc"
TIMESTAMP: Final = re.compile(r"[0-9]{1,15}")


@dataclass(frozen=True, slots=True)
class Attachment:
    """A whole file on its way out."""

    mime: str
    name: str
    base64: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Call:
    """A method of the daemon; `params` without the account. Attachments are `Attachment`s."""

    method: str
    params: Json = field(repr=False)


async def call(
    account: Account[SignalSettings],
    http: AsyncClient,
    asked: Call,
    *,
    largest: int = LARGEST_ANSWER,
    patience: float | None = None,
) -> Any:
    """What the method returned. Raises a SendError."""
    settings = account.settings
    if settings.road == "rest":
        method, path, body = rest_request(asked, settings.number)
        answer = await request(account, http, method, path, body)
        return _rest_sent(answer, settings.number)
    params = asked.params | {"account": settings.number}
    if "attachments" in params:
        params["attachments"] = [_data_uri(one) for one in params["attachments"]]
    whole = {"jsonrpc": "2.0", "id": asked.method, "method": asked.method, "params": params}
    answer = await request(account, http, "POST", RPC, whole, largest=largest, patience=patience)
    return _rpc_result(answer, settings.number)


async def ask(
    account: Account[SignalSettings],
    http: AsyncClient,
    asked: Call,
    *,
    largest: int = LARGEST_ANSWER,
    patience: float | None = None,
) -> Any:
    """A call that may be made twice: where it is not known whether it was heard, Unavailable is said."""
    try:
        return await call(account, http, asked, largest=largest, patience=patience)
    except OutcomeUnknown as error:
        raise Unavailable(error.provider_code, error.provider_text) from None


async def request(
    account: Account[SignalSettings],
    http: AsyncClient,
    method: str,
    path: str,
    body: Json | None = None,
    *,
    largest: int = LARGEST_ANSWER,
    patience: float | None = None,
) -> Answer:
    """One request. The body goes as bytes, so that the time it may take grows with its size."""
    content = None if body is None else orjson.dumps(body)
    headers = authorization(account) | ({} if content is None else {"content-type": "application/json"})
    url = f"{account.settings.base_url}{path}"
    return await exchange(http, method, url, headers=headers, content=content, largest=largest, patience=patience)


def authorization(account: Account[SignalSettings]) -> dict[str, str]:
    secret = account.settings.authorization.get_secret_value()
    return {"authorization": secret} if secret else {}


def _rpc_result(answer: Answer, number: str) -> Any:
    """The daemon answers 200 for errors too; what has another status was said by somebody else."""
    told = _json(answer)
    if answer.status_code == 200 and isinstance(told, dict):
        if error := an_object(told, "error"):
            raise rpc_error(error, number)
        if "result" in told:
            return told["result"]
    raise foreign_error(answer)


def rest_answer(answer: Answer, number: str) -> Any:
    """What the wrapper says, None where it says nothing. Raises a SendError."""
    told = _json(answer)
    if answer.status_code not in (200, 201, 204) or (told is None and answer.content):
        raise rest_error(answer, told, number)
    return told


def _rest_sent(answer: Answer, number: str) -> Any:
    """What became of a call: of a send its timestamp, which versions write as a number, as a text, in a list of one. Raises a
    SendError."""
    told = rest_answer(answer, number)
    first = told[0] if isinstance(told, list) and told else told
    for failed in objects(an_object(first, "errors"), "recipients"):
        if (error := result_error({"type": failed.get("reason")}, "")) is not None:
            raise error
    timestamp = a_text(first, "timestamp")
    return {"timestamp": int(timestamp)} if TIMESTAMP.fullmatch(timestamp) else first


def rest_request(asked: Call, number: str) -> tuple[str, str, Json]:
    """Method, path and body of the wrapper. Raises UnsupportedContent for a method that it does not have."""
    params, own = asked.params, quote(number, safe="")
    match asked.method:
        case "send":
            return "POST", "/v2/send", _rest_message(params, number)
        case "remoteDelete":
            body = {"recipient": params["recipient"][0], "timestamp": params["targetTimestamp"]}
            return "DELETE", f"/v1/remote-delete/{own}", body
        case "sendReaction":
            body = {
                "recipient": params["recipient"][0],
                "reaction": params["emoji"],
                "target_author": params["targetAuthor"],
                "timestamp": params["targetTimestamp"],
            }
            return "DELETE" if params.get("remove") else "POST", f"/v1/reactions/{own}", body
        case "sendReceipt":
            body = {"recipient": params["recipient"], "receipt_type": "read", "timestamp": params["targetTimestamp"][0]}
            return "POST", f"/v1/receipts/{own}", body
        case "sendTyping":
            return "PUT", f"/v1/typing-indicator/{own}", {"recipient": params["recipient"][0]}
        case _:
            raise UnsupportedContent("not_by_rest")


def _rest_message(params: Mapping[str, Any], number: str) -> Json:
    """Without styles: the wrapper makes them of signs inside the text and cannot be told to leave others alone (README).
    `text_mode` keeps it from reading what somebody typed as such signs."""
    body: Json = {"number": number, "recipients": params["recipient"], "message": params["message"], "text_mode": "normal"}
    names = {"editTimestamp": "edit_timestamp", "quoteTimestamp": "quote_timestamp", "quoteAuthor": "quote_author"}
    body |= {theirs: params[ours] for ours, theirs in names.items() if ours in params}
    if "attachments" in params:
        body["base64_attachments"] = [_rest_uri(one) for one in params["attachments"]]
    return body


def _data_uri(file: Attachment) -> str:
    """RFC 2397 with a name, which signal-cli decodes as that of a form."""
    return f"data:{file.mime};filename={quote(file.name, safe='')};base64,{file.base64}"


def _rest_uri(file: Attachment) -> str:
    """The wrapper takes the name as it stands, for a file on its disk; a semicolon would end it."""
    name = re.sub(r"[;/\\]", "_", file.name)
    return f"data:{file.mime};filename={name};base64,{file.base64}"


def _json(answer: Answer) -> Any:
    try:
        return read_json(answer.content)
    except ValueError:
        return None
