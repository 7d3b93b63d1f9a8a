"""Mail to the owners of an organisation about its channels, in each owner's language."""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from hub.core.db import UnitOfWork
from hub.core.i18n import Translator
from hub.core.mail import MailFailed, can_send, send_mail
from hub.core.settings import Settings

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Owner:
    """An active owner, with the organisation as a mail names it. `zone` is that of its days."""

    email: str
    locale: str
    slug: str
    organisation: str
    zone: str


@dataclass(frozen=True, slots=True)
class Letter:
    """One mail to one owner, ready to go."""

    to: str
    subject: str
    text: str


async def owners_of(unit: UnitOfWork) -> list[Owner]:
    """The active owners of the unit's organisation, by e-mail."""
    rows = await unit.sql.fetch(
        """
        SELECT p.email, p.locale, o.slug, o.name AS organisation, o.zone
        FROM member m JOIN person p ON p.id = m.person_id JOIN organisation o ON o.id = m.organisation_id
        WHERE m.organisation_id = $1 AND m.role = 'owner' AND m.deactivated_at IS NULL ORDER BY p.email
        """,
        unit.tenant,
    )
    return [Owner(**row) for row in rows]


def write_letter(settings: Settings, owner: Owner, key: str, *, page: str = "channels", **values: object) -> Letter:
    """The texts `<key>.subject` and `<key>.text` for an owner; besides `values` they may name the `organisation` and the `link` to
    this page of theirs."""
    t = Translator(owner.locale)
    values = {**values, "organisation": owner.organisation, "link": f"{settings.base_url}/o/{owner.slug}/{page}"}
    return Letter(owner.email, t(f"{key}.subject", **values), t(f"{key}.text", **values))


async def send_letters(settings: Settings, letters: Sequence[Letter]) -> int:
    """Send what can be sent; how many mails the server took. Never inside a transaction."""
    if not can_send(settings):
        return 0
    taken = 0
    for letter in letters:
        try:
            await send_mail(settings, to=letter.to, subject=letter.subject, text=letter.text)
        except MailFailed as error:
            log.warning("channel_mail_failed", error=str(error))
        else:
            taken += 1
    return taken
