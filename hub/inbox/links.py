"""Links to one stored file for a provider that fetches what we send: signed, for this object alone, expiring.

The token is the organisation's and the file's id and the end of its life, sealed by the vault for this very place: nobody else can
make one, and changing a byte of it breaks it. It follows the vault's keys through their rotation.
"""

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from hub.core import clock
from hub.core.errors import NotFound
from hub.core.vault import SealBroken, Vault

_TABLE: Final = "attachment"
_COLUMN: Final = "link"
"""No column of the table: what is sealed for the link opens nowhere else."""
_ID_BYTES: Final = 16
_LONGEST: Final = 300
_ENDING: Final = re.compile(r"\.[A-Za-z0-9]{1,10}$")


@dataclass(frozen=True, slots=True)
class Linked:
    """The file that a valid link names."""

    organisation_id: UUID
    attachment_id: UUID


def make_link(vault: Vault, base_url: str, linked: Linked, lifetime: timedelta, *, name: str) -> str:
    """The address under which anybody may fetch this file until `lifetime` is over. It ends as the file's `name` does: some
    messengers look at nothing else to tell what it is (Viber)."""
    end = int((clock.now() + lifetime).timestamp())
    place = {"organisation_id": linked.organisation_id, "row_id": linked.attachment_id}
    sealed = vault.seal(str(end), table=_TABLE, column=_COLUMN, **place)
    token = base64.urlsafe_b64encode(linked.organisation_id.bytes + linked.attachment_id.bytes + sealed).rstrip(b"=")
    ending = _ENDING.search(name)
    return f"{base_url}/files/{token.decode()}{ending[0].lower() if ending else ''}"


def read_link(vault: Vault, token: str) -> Linked:
    """What a token names, whatever ending stands behind it. NotFound when it was not made by us, was changed, or is over: they look
    alike from outside."""
    token = token.partition(".")[0]
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True) if len(token) <= _LONGEST else b""
    except (binascii.Error, ValueError):
        raise NotFound("not a link") from None
    organisation, row, sealed = raw[:_ID_BYTES], raw[_ID_BYTES : 2 * _ID_BYTES], raw[2 * _ID_BYTES :]
    if len(row) < _ID_BYTES:
        raise NotFound("not a link")
    linked = Linked(UUID(bytes=organisation), UUID(bytes=row))
    place = {"organisation_id": linked.organisation_id, "row_id": linked.attachment_id}
    try:
        end = int(vault.open(sealed, table=_TABLE, column=_COLUMN, **place))
    except SealBroken:
        raise NotFound("not a link") from None
    if clock.now().timestamp() >= end:
        raise NotFound("this link is over")
    return linked
