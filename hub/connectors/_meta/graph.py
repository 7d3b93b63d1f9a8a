"""One call of the Graph API: what is asked, and what it answers. What a refusal means stands in `codes.py`.

The token goes into a header and never into an address. With a page's token goes a proof that we know the app's secret, which an app
may demand ("Require app secret").
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlencode

from httpx import AsyncClient

from hub.connectors._meta.codes import body_of, graph_error
from hub.connectors._meta.reading import Json
from hub.connectors._meta.signature import app_secret_proof
from hub.connectors.contract import OutboundFile
from hub.connectors.errors import AuthFailed, CredentialsRejected, OutcomeUnknown, RateLimited, SendError, Unavailable
from hub.connectors.http import exchange, upload
from hub.core.http import AddressDenied

VERSION: Final = "v26.0"


@dataclass(frozen=True, slots=True)
class Graph:
    """Where the Graph API is asked, and as whom. `app_secret`: a proof of it goes with each call; empty: none does."""

    address: str
    token: str = field(repr=False)
    app_secret: str = field(default="", repr=False)

    def url(self, path: str, query: Mapping[str, str] | None = None) -> tuple[str, dict[str, str]]:
        """The address of a call, and what stands in its place-holders."""
        asked = dict(query or {})
        secrets = {}
        if self.app_secret:
            secrets["proof"] = app_secret_proof(self.token, self.app_secret)
        shown = urlencode(asked, safe=",{}") + ("&" if asked and secrets else "") + ("appsecret_proof={proof}" if secrets else "")
        return f"{self.address}/{VERSION}/{path}{'?' if shown else ''}{shown}", secrets

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


async def call(
    graph: Graph,
    http: AsyncClient,
    method: str,
    path: str,
    *,
    query: Mapping[str, str] | None = None,
    secrets: Mapping[str, str] | None = None,
    json: object = None,
    form: Mapping[str, str] | None = None,
) -> Json:
    """What was answered. `secrets` fill place-holders of the query. Raises a SendError."""
    url, own = graph.url(path, query)
    hidden = {**own, **(secrets or {})}
    answer = await exchange(http, method, url, secrets=hidden, headers=graph.headers, json=json, form=form)
    error = graph_error(answer, graph.token, *hidden.values())
    if error is not None:
        raise error
    return body_of(answer) or {}


async def send_file(graph: Graph, http: AsyncClient, path: str, fields: Mapping[str, str], file: OutboundFile) -> Json:
    """Hand over a file, which sends nothing yet and may be repeated. Raises a SendError, never OutcomeUnknown."""
    url, secrets = graph.url(path)
    try:
        answer = await upload(http, url, secrets=secrets, headers=graph.headers, fields=fields, files={"filedata": file})
    except OutcomeUnknown as error:
        failure: SendError = Unavailable(error.provider_code)
    else:
        refused = graph_error(answer, graph.token, *secrets.values())
        if refused is None:
            return body_of(answer) or {}
        failure = Unavailable(refused.provider_code) if isinstance(refused, OutcomeUnknown) else refused
    raise failure


async def ask(
    graph: Graph,
    http: AsyncClient,
    method: str,
    path: str,
    *,
    query: Mapping[str, str] | None = None,
    secrets: Mapping[str, str] | None = None,
    form: Mapping[str, str] | None = None,
    json: object = None,
) -> Json:
    """A call that may be made twice: where it is not known whether it was, Unavailable is said."""
    try:
        return await call(graph, http, method, path, query=query, secrets=secrets, form=form, json=json)
    except OutcomeUnknown as error:
        raise Unavailable(error.provider_code, error.provider_text) from None


async def ask_set_up(
    graph: Graph,
    http: AsyncClient,
    method: str,
    path: str,
    *,
    field: str,
    query: Mapping[str, str] | None = None,
    form: Mapping[str, str] | None = None,
    json: object = None,
) -> Json:
    """A call of the set-up. Raises CredentialsRejected naming `field` when the credentials are refused, Unavailable or Rejected."""
    try:
        return await ask(graph, http, method, path, query=query, form=form, json=json)
    except AuthFailed as error:
        raise CredentialsRejected(field, error.provider_text or error.provider_code) from None
    except RateLimited as error:
        raise Unavailable(error.provider_code, error.provider_text) from None
    except Unavailable as error:
        if error.provider_code == AddressDenied.code:
            raise CredentialsRejected("base_url", reason="not_public") from None
        raise
