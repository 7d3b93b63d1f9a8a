"""What the contract asks of messengers: outages with their cause, demands of a provider, documents of consent, caps; an automation
that stops without a person; and the door takes up what it kept for an account that is connected later."""

import sqlalchemy as sa
import sqlmodel.sql.sqltypes
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"

_GUARD = """
DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['channel_outage', 'provider_demand', 'consent_document', 'cap_count'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format(
            'CREATE POLICY tenant ON %I TO hub_app
             USING (organisation_id = nullif(current_setting(''app.tenant'', true), '''')::uuid)
             WITH CHECK (organisation_id = nullif(current_setting(''app.tenant'', true), '''')::uuid)', t);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO hub_app', t);
    END LOOP;
    -- What is written once and never changed; a channel that was never opened is discarded with its outages.
    REVOKE UPDATE, DELETE ON provider_demand, consent_document FROM hub_app;
END $$;

-- Whose automation is to be looked at.
GRANT SELECT (automation_stopped_at, welcome) ON channel TO hub_system;

-- The door gives what it kept to an account that was connected meanwhile.
CREATE POLICY door_reads ON unrouted_delivery FOR SELECT TO hub_door USING (true);
CREATE POLICY door_locks ON unrouted_delivery FOR UPDATE TO hub_door USING (true);
CREATE POLICY door_takes ON unrouted_delivery FOR DELETE TO hub_door USING (true);
GRANT SELECT, UPDATE (id), DELETE ON unrouted_delivery TO hub_door;
"""


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sqlmodel.sql.sqltypes.AutoString(), nullable=False)


def _when(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _id(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.Uuid(), nullable=nullable)


def upgrade() -> None:
    op.add_column("channel", _when("automation_stopped_at", nullable=True))
    op.add_column("channel", sa.Column("account_name", sqlmodel.sql.sqltypes.AutoString(), nullable=False, server_default=""))
    # what came before this is kept without proof: it is listed, and taken up by nobody
    op.add_column("unrouted_delivery", sa.Column("whole", sa.LargeBinary(), nullable=False, server_default=""))
    op.add_column("unrouted_delivery", sa.Column("sent", postgresql.JSONB(), nullable=False, server_default="{}"))
    op.create_index("unrouted_delivery_account", "unrouted_delivery", ["connector", "endpoint", "own_id", "received_at", "id"])
    op.create_table(
        "channel_outage",
        _id("organisation_id"),
        _id("id"),
        _id("channel_id"),
        _when("began_at"),
        _when("ended_at", nullable=True),
        _text("fault"),
        _text("cause"),
        _text("text"),
        sa.CheckConstraint("fault IN ('provider', 'network', 'ours')", name="fault_known"),
        sa.ForeignKeyConstraint(["organisation_id", "channel_id"], ["channel.organisation_id", "channel.id"]),
        sa.PrimaryKeyConstraint("organisation_id", "id"),
    )
    op.create_index("channel_outage_list", "channel_outage", ["organisation_id", "channel_id", "began_at", "id"])
    op.create_index(
        "channel_outage_open",
        "channel_outage",
        ["organisation_id", "channel_id"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "provider_demand",
        _id("organisation_id"),
        _id("id"),
        _text("provider"),
        _text("ground"),
        _text("text"),
        _text("demanded_by"),
        _when("demanded_at"),
        _when("executed_at"),
        sa.CheckConstraint("ground IN ('i', 'ii')", name="ground_known"),
        sa.PrimaryKeyConstraint("organisation_id", "id"),
    )
    op.create_table(
        "consent_document",
        _id("organisation_id"),
        _id("id"),
        _text("connector"),
        _text("kind"),
        _text("name"),
        _text("mime"),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        _text("scanned"),
        _id("uploaded_by"),
        _when("uploaded_at"),
        sa.CheckConstraint("kind IN ('consent', 'industry_consent', 'region')", name="kind_known"),
        sa.ForeignKeyConstraint(["organisation_id", "uploaded_by"], ["member.organisation_id", "member.id"]),
        sa.PrimaryKeyConstraint("organisation_id", "id"),
    )
    op.create_index("consent_document_list", "consent_document", ["organisation_id", "connector", "kind", "uploaded_at"])
    op.create_table(
        "cap_count",
        _id("organisation_id"),
        _text("messenger"),
        _text("per"),
        _id("subject_id"),
        _text("span"),
        _when("began_at"),
        sa.Column("sent", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("organisation_id", "messenger", "per", "subject_id", "span", "began_at"),
    )
    op.get_bind().connection.run_async(lambda driver: driver.execute(_GUARD))
