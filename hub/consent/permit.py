"""The only maker of permits (I4). Imported by `hub/inbox/sending/claiming.py` and by nothing else; the import rules say so."""

import time
from uuid import UUID

from hub.connectors.contract import PERMIT_SECONDS, Permit


def issue_permit(*, part_id: UUID, attempt_id: UUID) -> Permit:
    """A permit for one attempt at one part, to be called inside the claim after the gate has said yes."""
    permit = object.__new__(Permit)
    permit._part_id = part_id
    permit._attempt_id = attempt_id
    permit._deadline = time.monotonic() + PERMIT_SECONDS
    permit._spent = False
    return permit
