"""Tokens that name one row for whoever holds them: signed, for one use, expiring.

A token is the organisation's and the row's id and the end of its life, sealed by the vault for this very use: nobody else can make
one, and changing a byte of it breaks it. It follows the vault's keys through their rotation.
"""

import base64
import binascii
from datetime import timedelta
from typing import Final
from uuid import UUID

from hub.core import clock
from hub.core.errors import NotFound
from hub.core.vault import SealBroken, Vault

_ID_BYTES: Final = 16
_LONGEST: Final = 300


def make_token(vault: Vault, organisation_id: UUID, row_id: UUID, lifetime: timedelta, *, table: str, use: str) -> str:
    """A token for a row until `lifetime` is over. `use` is no column of the table: what is sealed for it opens nowhere else."""
    end = int((clock.now() + lifetime).timestamp())
    sealed = vault.seal(str(end), organisation_id=organisation_id, table=table, column=use, row_id=row_id)
    return base64.urlsafe_b64encode(organisation_id.bytes + row_id.bytes + sealed).rstrip(b"=").decode()


def read_token(vault: Vault, token: str, *, table: str, use: str) -> tuple[UUID, UUID]:
    """Organisation and row that a token names. NotFound when it was not made by us, was changed, or is over: they look alike from
    outside."""
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True) if len(token) <= _LONGEST else b""
    except (binascii.Error, ValueError):
        raise NotFound("not a link") from None
    organisation, row, sealed = raw[:_ID_BYTES], raw[_ID_BYTES : 2 * _ID_BYTES], raw[2 * _ID_BYTES :]
    if len(row) < _ID_BYTES:
        raise NotFound("not a link")
    organisation_id, row_id = UUID(bytes=organisation), UUID(bytes=row)
    try:
        end = int(vault.open(sealed, organisation_id=organisation_id, table=table, column=use, row_id=row_id))
    except SealBroken:
        raise NotFound("not a link") from None
    if clock.now().timestamp() >= end:
        raise NotFound("this link is over")
    return organisation_id, row_id
