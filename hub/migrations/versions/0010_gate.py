"""What the whole gate looks at: overrides, the recipient's zone, when a stop was confirmed; and messages that wait for a second
person."""

from typing import Any

import sqlalchemy as sa
import sqlmodel.sql.sqltypes
from alembic import op

revision = "0010"
down_revision = "0009"

STATES = ("held", "queued", "sending", "accepted", "sent", "delivered", "read", "failed", "unknown")


def _when(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=True)


def upgrade() -> None:
    for column in (_when("overridden_at"), _when("overridden_until"), sa.Column("overridden_seq", sa.BigInteger(), nullable=True)):
        op.add_column("consent_grant", column)
    op.add_column("consent_state", _when("told_at"))
    op.add_column("contact", sa.Column("zone", sqlmodel.sql.sqltypes.AutoString(), nullable=False, server_default=""))
    op.add_column("message", sa.Column("reviewed_by", sa.Uuid(), nullable=True))
    op.add_column("message", _when("reviewed_at"))
    op.create_foreign_key(None, "message", "member", ["organisation_id", "reviewed_by"], ["organisation_id", "id"])
    op.drop_constraint("state_known", "message", type_="check")
    op.create_check_constraint(
        "state_known", "message", f"(direction = 'out') = (state IS NOT NULL) AND (state IS NULL OR state IN {STATES})"
    )
    op.drop_constraint("state_known", "message_part", type_="check")
    op.create_check_constraint("state_known", "message_part", f"state IN {STATES}")
    op.drop_constraint("verdict_known", "gate_decision", type_="check")
    op.create_check_constraint("verdict_known", "gate_decision", "verdict IN ('allow', 'defer', 'hold', 'refuse')")
    op.create_index(
        "consent_entry_overrides", "consent_entry", ["organisation_id", "at"], postgresql_where=sa.text("kind = 'overridden'")
    )
    op.create_index("message_held", "message", ["organisation_id", "arrived_at"], postgresql_where=sa.text("state = 'held'"))
    op.create_index(
        "message_purpose",
        "message",
        ["organisation_id", "conversation_id", "purpose_id", "arrived_at"],
        postgresql_where=sa.text("purpose_id IS NOT NULL"),
    )
