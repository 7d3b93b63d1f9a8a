"""Newsletters, and what the gate said about each of their recipients."""

from typing import Any

import sqlalchemy as sa
import sqlmodel.sql.sqltypes
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0017"
down_revision = "0016"

_GUARD = """
DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['campaign', 'campaign_recipient'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format(
            'CREATE POLICY tenant ON %I TO hub_app
             USING (organisation_id = nullif(current_setting(''app.tenant'', true), '''')::uuid)
             WITH CHECK (organisation_id = nullif(current_setting(''app.tenant'', true), '''')::uuid)', t);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO hub_app', t);
    END LOOP;
    CREATE POLICY system ON campaign FOR SELECT TO hub_system USING (true);
    GRANT SELECT (organisation_id, id, due_at) ON campaign TO hub_system;
END $$;
"""


def upgrade() -> None:
    op.create_table(
        "campaign",
        _uuid("organisation_id"),
        _uuid("id"),
        _text("name"),
        _uuid("purpose_id"),
        _text("state"),
        sa.Column("audience", postgresql.JSONB(), nullable=False),
        sa.Column("letters", postgresql.JSONB(), nullable=False),
        sa.Column("prices", postgresql.JSONB(), nullable=False),
        sa.Column("simulation", postgresql.JSONB(), nullable=True),
        _when("simulated_at"),
        _uuid("test_conversation_id", nullable=True),
        _when("send_at"),
        _when("due_at"),
        _uuid("reached", nullable=True),
        _when("decided_at"),
        _when("created_at", nullable=False),
        _uuid("created_by"),
        _when("started_at"),
        _uuid("started_by", nullable=True),
        _uuid("stopped_by", nullable=True),
        _when("finished_at"),
        sa.CheckConstraint("state IN ('draft', 'planned', 'running', 'paused', 'stopped', 'finished')", name="state_known"),
        _refers("purpose_id", "purpose"),
        _refers("created_by", "member"),
        _refers("started_by", "member"),
        _refers("stopped_by", "member"),
        _refers("test_conversation_id", "conversation"),
        sa.PrimaryKeyConstraint("organisation_id", "id"),
    )
    op.create_index("campaign_list", "campaign", ["organisation_id", "created_at", "id"])
    op.create_index("campaign_due", "campaign", ["due_at", "organisation_id", "id"], postgresql_where=sa.text("due_at IS NOT NULL"))
    op.create_table(
        "campaign_recipient",
        _uuid("organisation_id"),
        _uuid("campaign_id"),
        _uuid("conversation_id"),
        _uuid("contact_id"),
        _uuid("channel_id"),
        _when("at", nullable=False),
        _text("verdict"),
        _text("rule"),
        _uuid("message_id", nullable=True),
        sa.CheckConstraint("verdict IN ('allow', 'defer', 'hold', 'refuse')", name="verdict_known"),
        _refers("campaign_id", "campaign"),
        _refers("conversation_id", "conversation"),
        _refers("message_id", "message"),
        sa.PrimaryKeyConstraint("organisation_id", "campaign_id", "conversation_id"),
    )
    op.create_index(
        "campaign_recipient_contact",
        "campaign_recipient",
        ["organisation_id", "campaign_id", "contact_id"],
        postgresql_where=sa.text("message_id IS NOT NULL"),
    )
    op.execute(_GUARD)


def _text(name: str) -> sa.Column[Any]:
    return sa.Column(name, sqlmodel.sql.sqltypes.AutoString(), nullable=False)


def _when(name: str, *, nullable: bool = True) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _uuid(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Uuid(), nullable=nullable)


def _refers(column: str, table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["organisation_id", column], [f"{table}.organisation_id", f"{table}.id"])
