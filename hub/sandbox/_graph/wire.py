"""What a request to the Graph API says (messenger.md, 6)."""

import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request

from hub.sandbox._graph.refusals import Json, Refused, invalid
from hub.sandbox._graph.world import APP_ID, APP_SECRET


@dataclass(frozen=True, slots=True)
class File:
    """A file of a form."""

    name: str
    mime: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Asked:
    """Parameters of a call, from query, JSON or form, wherever they stand; nested ones of a form are JSON texts."""

    values: Json
    files: dict[str, File]
    token: str

    def text(self, name: str) -> str:
        value = self.values.get(name, "")
        return value if isinstance(value, str) else ""

    def names(self, name: str) -> tuple[str, ...]:
        """A list of names, as JSON or with commas between."""
        value = self.values.get(name, "")
        given = value if isinstance(value, list) else str(value).split(",")
        return tuple(str(one) for one in given if one)


async def read(request: Request) -> Asked:
    """Raises Refused for a body that cannot be read, and for a proof of the app's secret that is none."""
    values: Json = dict(request.query_params)
    files: dict[str, File] = {}
    if "json" in request.headers.get("content-type", ""):
        values |= await _json(request)
    elif request.method != "GET":
        async with request.form() as form:
            for name, value in form.multi_items():
                if isinstance(value, UploadFile):
                    files[name] = File(value.filename or "", value.content_type or "", await value.read())
                else:
                    values[name] = _nested(value)
    bearer = request.headers.get("authorization", "").partition("Bearer ")[2]
    token = bearer or str(values.pop("access_token", ""))
    proof = values.pop("appsecret_proof", None)
    if proof is not None and proof != hmac.new(APP_SECRET.encode(), token.encode(), hashlib.sha256).hexdigest():
        raise invalid("Invalid appsecret_proof provided in the API argument")
    return Asked(values, files, token)


def need_app(asked: Asked) -> None:
    """Raises Refused unless the app's owner asks."""
    app_id, _, secret = asked.token.partition("|")
    if app_id != APP_ID:
        raise Refused(101, "Error validating application. Cannot get application info due to a system error.")
    if secret != APP_SECRET:
        raise Refused(190, "Invalid OAuth access token signature.")


async def _json(request: Request) -> Json:
    try:
        body = await request.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise invalid("The parameters are no JSON object")
    return body


def _nested(value: str) -> Any:
    if not value.startswith(("{", "[")):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise invalid("A parameter is no JSON") from None
