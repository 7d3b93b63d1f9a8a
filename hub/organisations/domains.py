"""Whose mail domains an organisation's own people have (R-046): the service is for internal use only, so somebody with an address
elsewhere joins once an owner has answered for it that they are own personnel, or released in writing. The answer is kept."""

import re
from typing import Final

from hub.core.db import UnitOfWork
from hub.core.errors import Conflict, Forbidden, InvalidInput
from hub.organisations import audit
from hub.organisations.actor import Access

ANSWERS: Final = ("own_personnel", "released")
_DOMAIN: Final = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}")


class ForeignDomain(Conflict):
    """The address has a domain that is not the organisation's: an owner has to say what the person is. `domain` in values."""

    code = "foreign_domain"


def domain_of(email: str) -> str:
    """`nora@radwerk.example` -> `radwerk.example`."""
    return email.rpartition("@")[2]


async def list_domains(unit: UnitOfWork) -> list[str]:
    """The organisation's own."""
    rows = await unit.sql.fetch("SELECT domain FROM mail_domain WHERE organisation_id = $1 ORDER BY domain", unit.tenant)
    return [row["domain"] for row in rows]


async def add_domain(unit: UnitOfWork, domain: str) -> None:
    """Count a domain as the organisation's own. Safe to repeat."""
    await unit.sql.execute(
        "INSERT INTO mail_domain (organisation_id, domain) VALUES ($1, $2) ON CONFLICT DO NOTHING", unit.tenant, domain
    )


async def change_domains(unit: UnitOfWork, access: Access, typed: str, *, remove: bool) -> None:
    """An owner adds a domain or takes one off the list. Raises InvalidInput(field="domain"), Forbidden for everybody else: the list
    decides for whom an owner is asked."""
    domain = typed.strip().lower().removeprefix("@")
    if not _DOMAIN.fullmatch(domain):
        raise InvalidInput("a domain like example.org", field="domain")
    if access.role != "owner":
        raise Forbidden("only an owner decides whose people are the organisation's own")
    if remove:
        await unit.sql.execute("DELETE FROM mail_domain WHERE organisation_id = $1 AND domain = $2", unit.tenant, domain)
    else:
        await add_domain(unit, domain)
    await audit.record(unit, access, "domain.removed" if remove else "domain.added", domain, {})


async def standing_of(unit: UnitOfWork, access: Access, email: str, answer: str) -> str:
    """What an invited person is: of the organisation's domain, or what an owner answered. ForeignDomain while nobody has."""
    domain = domain_of(email)
    if domain in await list_domains(unit):
        return "own_domain"
    if answer not in ANSWERS or access.role != "owner":
        raise ForeignDomain(domain=domain)
    return answer
