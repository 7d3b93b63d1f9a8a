"""Asking for what came in. What signal-cli hands out it has no more: nothing of an answer may be lost here, however odd it is."""

import json
from typing import Any, Final
from urllib.parse import quote

from httpx import AsyncClient

from hub.connectors.contract import Account, RawRequest
from hub.connectors.errors import OutcomeUnknown, SendError, Unavailable
from hub.connectors.http import Answer
from hub.connectors.signal.codes import foreign_error, rest_error, rpc_error
from hub.connectors.signal.reading import Json, an_object, read_json
from hub.connectors.signal.roads import RPC, request
from hub.connectors.signal.settings import SignalSettings

QUIET_SECONDS: Final = 2
"""A poll ends when nothing came for so long. Longer would hold back what came first."""
MOST: Final = 20
"""Messages of one poll: a chat that never rests ends it, too."""
PATIENCE: Final = 100.0
"""Seconds: 20 messages with a pause before each, and their files, which signal-cli downloads before it hands them out. Less than a
job may take (`worker.JOB_SECONDS`)."""
LARGEST: Final = 16_000_000
"""Bytes of an answer: 20 long messages that quote long messages have far less."""


async def receive(account: Account[SignalSettings], http: AsyncClient) -> tuple[RawRequest, ...]:
    """What came in, as requests. Raises a SendError: TakenElsewhere when signal-cli gives it to somebody else."""
    number = account.settings.number
    if account.settings.road == "rest":
        path = f"/v1/receive/{quote(number, safe='')}?timeout={QUIET_SECONDS}&max_messages={MOST}"
        asked = request(account, http, "GET", path, largest=LARGEST, patience=PATIENCE)
    else:
        params = {"account": number, "timeout": QUIET_SECONDS, "maxMessages": MOST}
        body = {"jsonrpc": "2.0", "id": "receive", "method": "receive", "params": params}
        asked = request(account, http, "POST", RPC, body, largest=LARGEST, patience=PATIENCE)
    try:
        answer = await asked
    except OutcomeUnknown as error:
        raise Unavailable(error.provider_code, error.provider_text) from None
    return tuple(RawRequest("POST", {}, body) for body in _bodies(answer, number))


def _bodies(answer: Answer, number: str) -> list[bytes]:
    """Each envelope by itself. A list that cannot be read is kept as a whole: it will not come again."""
    try:
        told: Any = read_json(answer.content)
    except ValueError:
        if answer.status_code == 200 and answer.content.lstrip()[:1] in (b"[", b"{"):
            return [answer.content]
        told = None
    listed = told.get("result") if isinstance(told, dict) else told
    if answer.status_code == 200 and isinstance(listed, list):
        return [json.dumps(one, separators=(",", ":")).encode() for one in listed]
    raise _again(_error(answer, told, number))


def _error(answer: Answer, told: Json | Any, number: str) -> SendError:
    if error := an_object(told, "error"):
        return rpc_error(error, number)
    return rest_error(answer, told, number) if isinstance(told, dict) else foreign_error(answer)


def _again(error: SendError) -> SendError:
    """To ask again does no harm."""
    return Unavailable(error.provider_code, error.provider_text) if isinstance(error, OutcomeUnknown) else error
