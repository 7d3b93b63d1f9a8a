"""A list of addresses that the business never writes to: kept as hashes (`hub/consent/suppression.py`), and those that are known
already are blocked at once.

    GET  /o/{slug}/consent/suppression    how many are remembered, and the form
    POST /o/{slug}/consent/suppression    one messenger, an address on each line, and the reason
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from hub.consent import suppression
from hub.consent.agreeing.addresses import TYPED, clean_address
from hub.consent.books import aliases, ledger
from hub.consent.books.chain import Change
from hub.consent.locks import Key, lock_addresses
from hub.consent.suppression import Suppressed
from hub.core import clock
from hub.core.db import UnitOfWork
from hub.core.errors import HubError, InvalidInput
from hub.core.pages import render
from hub.inbox.page.screen import runtime_of
from hub.inbox.persons.wishes import LONGEST
from hub.organisations import audit
from hub.organisations.access import requires
from hub.organisations.actor import Access
from hub.organisations.rights import Right
from hub.runtime import Runtime

router = APIRouter()

Manager = Annotated[Access, requires(Right.MANAGE_CONSENT)]
MOST: Final = 10_000
"""Addresses of one list."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """How many addresses of a messenger are suppressed, and why."""

    messenger: str
    cause: str
    count: int


async def suppress_list(runtime: Runtime, access: Access, messenger: str, typed: str, reason: str) -> int:
    """Remember these addresses and block those that are known; how many there were. InvalidInput names the line, and nothing is
    kept."""
    if messenger not in TYPED:
        raise InvalidInput("a messenger whose addresses can be typed", field="messenger")
    if not reason.strip() or len(reason) > LONGEST:
        raise InvalidInput("a reason is needed", field="reason")
    keys = _read(messenger, typed)
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        families = await aliases.families(unit, keys)
        await lock_addresses(unit, set(keys).union(*families.values()))
        now = clock.now()
        await suppression.suppress(unit, runtime.vault, [Suppressed(key, "request", now, reason.strip()) for key in keys])
        evidence = {"source": suppression.SOURCE, "reason": reason.strip(), "actor": access.person_name}
        changes = [Change(*key, "barred", now, evidence) for key in await _known(unit, keys)]
        if changes:
            await ledger.record(unit, runtime.vault, runtime.hooks, changes)
        await audit.record(unit, access, "suppression.added", messenger, {"addresses": len(keys)})
    return len(keys)


def _read(messenger: str, typed: str) -> list[Key]:
    keys: dict[Key, None] = {}
    for number, line in enumerate(typed.splitlines(), 1):
        if not line.strip():
            continue
        try:
            keys[messenger, "", clean_address(messenger, line.strip().strip(';,"'))] = None
        except InvalidInput as error:
            raise InvalidInput(str(error), field="addresses", number=number) from None
    if not 0 < len(keys) <= MOST:
        raise InvalidInput(f"1 to {MOST} addresses", field="addresses", number=min(len(keys), MOST) + 1)
    return list(keys)


async def _known(unit: UnitOfWork, keys: Sequence[Key]) -> list[Key]:
    """Those that belong to a person we have, or of whom the ledger knows."""
    rows = await unit.sql.fetch(
        """
        SELECT w.messenger, w.address FROM unnest($2::text[], $3::text[]) AS w(messenger, address)
        WHERE EXISTS (SELECT FROM consent_subject s
                      WHERE s.organisation_id = $1 AND s.messenger = w.messenger AND s.scope = '' AND s.address = w.address)
           OR EXISTS (SELECT FROM channel h JOIN identity i ON i.organisation_id = h.organisation_id AND i.channel_id = h.id
                      WHERE h.organisation_id = $1 AND h.connector = w.messenger AND i.provider_user_id = w.address)
        """,
        unit.tenant,
        [key[0] for key in keys],
        [key[2] for key in keys],
    )
    return [(row["messenger"], "", row["address"]) for row in rows]


@router.get("/o/{slug}/consent/suppression")
async def suppression_page(request: Request, access: Manager, added: int = 0) -> Response:
    """How many addresses are remembered, by messenger and cause."""
    return await _page(request, access, added=added)


async def _page(
    request: Request, access: Access, *, added: int = 0, error: HubError | None = None, typed: dict[str, str] | None = None
) -> Response:
    runtime = runtime_of(request)
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        rows = await unit.sql.fetch(
            """
            SELECT messenger, cause, count(*) AS count FROM suppression
            WHERE organisation_id = $1 AND lifted_at IS NULL GROUP BY 1, 2 ORDER BY 1, 2
            """,
            unit.tenant,
        )
    labels = {name: connector.label for name, connector in runtime.connectors.items()}
    return render(
        request,
        "consent/suppression.html",
        status=error.http_status if error else 200,
        remembered=[Remembered(**row) for row in rows],
        labels=labels,
        messengers=[name for name in sorted(TYPED) if name in labels],
        added=added,
        error=error,
        typed=typed or {},
    )


@router.post("/o/{slug}/consent/suppression")
async def suppress(
    request: Request,
    access: Manager,
    messenger: Annotated[str, Form(max_length=40)],
    addresses: Annotated[str, Form()] = "",
    reason: Annotated[str, Form(max_length=LONGEST)] = "",
) -> Response:
    """Take a list in."""
    try:
        count = await suppress_list(runtime_of(request), access, messenger, addresses, reason)
    except InvalidInput as error:
        typed = {"messenger": messenger, "addresses": addresses, "reason": reason}
        return await _page(request, access, error=error, typed=typed)
    return RedirectResponse(f"/o/{access.slug}/consent/suppression?added={count}", 303)
