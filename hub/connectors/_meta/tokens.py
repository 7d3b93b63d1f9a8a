"""Whose token it is: Meta is asked before anything is done with it (messenger.md, 1)."""

import time
from collections.abc import Mapping
from typing import Final

from httpx import AsyncClient

from hub.connectors._meta.graph import ask
from hub.connectors._meta.reading import Json, a_text, an_id, an_object, texts
from hub.connectors._meta.subscriptions import App
from hub.connectors.errors import AuthFailed, CredentialsRejected, RateLimited, Rejected, Unavailable
from hub.core.http import AddressDenied

BLAMED: Final[Mapping[str, str]] = {"101": "app_id"}
"""Which field Meta's refusal to look at a token speaks of: an app that does not exist; else the app's secret."""
FOREIGN: Final = "100"
"""A token of another app."""


async def inspect_page_token(app: App, http: AsyncClient, token: str, *, field: str, permissions: frozenset[str]) -> Json:
    """What Meta says of a token that was typed into `field`. Raises CredentialsRejected unless it is a page's, of this app and with
    these permissions; Unavailable."""
    told = an_object(await _inspect(app, http, token, field), "data")
    if told.get("is_valid") is not True:
        raise CredentialsRejected(field, a_text(an_object(told, "error"), "message"), reason="not_valid")
    if an_id(told, "app_id") != app.id:
        raise CredentialsRejected(field, reason="another_app")
    if a_text(told, "type") != "PAGE" or not an_id(told, "profile_id"):
        raise CredentialsRejected(field, reason="no_page_token")
    if not permissions <= set(texts(told, "scopes")):
        raise CredentialsRejected(field, reason="permissions_missing")
    return told


def seconds_left(told: Json) -> int | None:
    """Seconds until the token ends; None for one without end, which Meta writes as 0."""
    end = told.get("expires_at")
    return max(0, end - int(time.time())) if type(end) is int and end > 0 else None


async def _inspect(app: App, http: AsyncClient, token: str, field: str) -> Json:
    query, secrets = {"input_token": "{input_token}"}, {"input_token": token}
    try:
        return await ask(app.graph, http, "GET", "debug_token", query=query, secrets=secrets)
    except (AuthFailed, Rejected) as error:
        blamed = field if error.provider_code == FOREIGN else BLAMED.get(error.provider_code, "app_secret")
        raise CredentialsRejected(blamed, error.provider_text) from None
    except RateLimited as error:
        raise Unavailable(error.provider_code, error.provider_text) from None
    except Unavailable as error:
        if error.provider_code == AddressDenied.code:
            raise CredentialsRejected("base_url", reason="not_public") from None
        raise
