"""Links to one stored file for a provider that fetches what we send: signed, for this object alone, expiring (`core/tokens.py`)."""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from hub.core.tokens import make_token, read_token
from hub.core.vault import Vault

_TABLE: Final = "attachment"
_USE: Final = "link"
_ENDING: Final = re.compile(r"\.[A-Za-z0-9]{1,10}$")


@dataclass(frozen=True, slots=True)
class Linked:
    """The file that a valid link names."""

    organisation_id: UUID
    attachment_id: UUID


def make_link(vault: Vault, base_url: str, linked: Linked, lifetime: timedelta, *, name: str) -> str:
    """The address under which anybody may fetch this file until `lifetime` is over. It ends as the file's `name` does: some
    messengers look at nothing else to tell what it is (Viber)."""
    token = make_token(vault, linked.organisation_id, linked.attachment_id, lifetime, table=_TABLE, use=_USE)
    ending = _ENDING.search(name)
    return f"{base_url}/files/{token}{ending[0].lower() if ending else ''}"


def read_link(vault: Vault, token: str) -> Linked:
    """What a token names, whatever ending stands behind it. NotFound when it was not made by us, was changed, or is over: they look
    alike from outside."""
    return Linked(*read_token(vault, token.partition(".")[0], table=_TABLE, use=_USE))
