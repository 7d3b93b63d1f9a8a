"""Who may do what (R-040): rights, and which of them each role holds. `access.py` asks this table on every request."""

from enum import StrEnum
from typing import Final


class Right(StrEnum):
    READ_INBOX = "read_inbox"
    WRITE_INBOX = "write_inbox"
    """Answer, note, assign, mark as done."""
    READ_CONSENT = "read_consent"
    """The register: who agreed to what, and what the gate said."""
    MANAGE_CONSENT = "manage_consent"
    """Purposes, flows, imports, blocks, hand-outs, erasure of a person."""
    OVERRIDE_CONSENT = "override_consent"
    """Answer for it by name that a message leaves without a recorded consent (R-226)."""
    READ_CAMPAIGNS = "read_campaigns"
    WRITE_CAMPAIGNS = "write_campaigns"
    """Plan newsletters, send and stop them."""
    READ_CHANNELS = "read_channels"
    MANAGE_CHANNELS = "manage_channels"
    READ_MEMBERS = "read_members"
    MANAGE_MEMBERS = "manage_members"
    READ_BILLING = "read_billing"
    MANAGE_BILLING = "manage_billing"
    READ_OPERATIONS = "read_operations"
    """Dead letters and their replay."""
    MANAGE_ORGANISATION = "manage_organisation"


ROLE_RIGHTS: Final[dict[str, frozenset[Right]]] = {
    "owner": frozenset(Right),
    "admin": frozenset(Right) - {Right.MANAGE_BILLING, Right.OVERRIDE_CONSENT},
    "billing": frozenset({Right.READ_BILLING, Right.MANAGE_BILLING}),
    "agent": frozenset({Right.READ_INBOX, Right.WRITE_INBOX, Right.READ_CHANNELS, Right.READ_CONSENT, Right.READ_CAMPAIGNS}),
    "readonly": frozenset({Right.READ_INBOX}),
}


def may_manage(actor: str, role: str) -> bool:
    """Whether members of role `actor` may give, take or deactivate `role`: nobody hands out a right that they do not hold, so an
    admin makes no owner and no billing user, and an agent nobody at all."""
    return Right.MANAGE_MEMBERS in ROLE_RIGHTS[actor] and ROLE_RIGHTS[role] <= ROLE_RIGHTS[actor]
