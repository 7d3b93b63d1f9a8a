"""What the website chat forgets of an erased person."""

from hub.consent.hooks import PersonErased
from hub.core import ids
from hub.core.db import UnitOfWork


async def forget(unit: UnitOfWork, event: PersonErased) -> None:
    """The browser of a person who is being erased is known no more: its token is good for nothing."""
    shown = [address for messenger, _, address in event.keys if messenger == "webchat"]
    await unit.sql.execute(
        "DELETE FROM webchat_visitor WHERE organisation_id = $1 AND id = ANY($2::uuid[])",
        unit.tenant,
        [ids.read("vis", address) for address in shown],
    )
