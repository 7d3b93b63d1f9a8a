"""The link to a person's own page: whoever was sent it may see and change every choice of one address, without log-in.

It names the subject of the address in the ledger and ends after LIFETIME (`core/tokens.py`); it was sent to exactly this address of
this messenger, and that is the proof of what is agreed to there. Erasing the person ends it, too.
"""

from datetime import timedelta
from typing import Final
from uuid import UUID

from hub.consent.books import ledger
from hub.consent.locks import Key
from hub.core.db import UnitOfWork
from hub.core.errors import NotFound
from hub.core.tokens import make_token, read_token
from hub.core.vault import Vault
from hub.runtime import Runtime

LIFETIME: Final = timedelta(hours=72)
_TABLE: Final = "consent_subject"
_USE: Final = "own_page"


async def link_for(runtime: Runtime, unit: UnitOfWork, key: Key) -> str:
    """A fresh link for this address. The caller holds its lock."""
    subjects = await ledger.find_subjects(unit, runtime.vault, {key})
    subject_id, _ = subjects[key]
    token = make_token(runtime.vault, unit.tenant, subject_id, LIFETIME, table=_TABLE, use=_USE)
    return f"{runtime.settings.base_url}/c/{token}"


def open_link(vault: Vault, token: str) -> tuple[UUID, UUID]:
    """Organisation and subject of a link; NotFound when it is none, or over."""
    return read_token(vault, token, table=_TABLE, use=_USE)


async def whose(unit: UnitOfWork, subject_id: UUID) -> Key:
    """The address of a subject; NotFound when the person was erased."""
    row = await unit.sql.fetchrow(
        "SELECT messenger, scope, address FROM consent_subject WHERE organisation_id = $1 AND id = $2", unit.tenant, subject_id
    )
    if row is None:
        raise NotFound("this link is over")
    return (row["messenger"], row["scope"], row["address"])
