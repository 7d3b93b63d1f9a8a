"""A provider's word on an account, where its messenger needs one (R-186, R-196): entered by the operator, in force from then on.

applied -> approved | refused; approved -> revoked; any of them again as the provider decides. An account with another word than
`approved` only receives (the gate's rule `not_approved`).
"""

from uuid import UUID

from hub.channels import history
from hub.channels.models import APPROVALS
from hub.core import ids
from hub.core.errors import InvalidInput, NotFound
from hub.core.feed import note_change
from hub.organisations import audit
from hub.runtime import Runtime


async def set_approval(runtime: Runtime, channel_id: UUID, word: str, reason: str) -> None:
    """Enter the provider's word on a channel of any organisation. InvalidInput for another word or without a reason; NotFound."""
    if word not in APPROVALS:
        raise InvalidInput(f"one of {', '.join(APPROVALS)}", field="word")
    if not reason.strip():
        raise InvalidInput("a reason is needed", field="reason")
    async with runtime.database.system() as unit:
        organisation_id: UUID | None = await unit.sql.fetchval("SELECT organisation_id FROM channel WHERE id = $1", channel_id)
    if organisation_id is None:
        raise NotFound("no such channel")
    async with runtime.database.unit_of_work(organisation_id) as unit:
        # a claim holds this row: it is over before the word counts, or it sees the word
        await unit.sql.execute(
            "UPDATE channel SET approval = $3 WHERE organisation_id = $1 AND id = $2", unit.tenant, channel_id, word
        )
        detail = {"word": word, "reason": reason.strip()}
        await audit.record(unit, None, f"channel.{word}", ids.show("chn", channel_id), detail)
        await history.note(unit, channel_id, "change", f"approval_{word}", reason.strip())
        note_change(unit, "channel", {"channel": ids.show("chn", channel_id)})
