"""What the channels page keeps: the live test, what owners were told, kill switches above a channel, ends of messengers, and what a
business declares about itself before a messenger is opened."""

import sqlalchemy as sa
import sqlmodel.sql.sqltypes
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"

_GUARD = """
DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['channel_block', 'channel_declaration'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format(
            'CREATE POLICY tenant ON %I TO hub_app
             USING (organisation_id = nullif(current_setting(''app.tenant'', true), '''')::uuid)
             WITH CHECK (organisation_id = nullif(current_setting(''app.tenant'', true), '''')::uuid)', t);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO hub_app', t);
    END LOOP;
END $$;
GRANT SELECT ON messenger_end TO hub_app;
GRANT SELECT, INSERT, UPDATE ON messenger_end TO hub_system;
GRANT SELECT (health_since, told_at) ON channel TO hub_system;

-- What has worked both ways needs no test. The owner is bound by the policies as well, so they rest meanwhile.
ALTER TABLE channel NO FORCE ROW LEVEL SECURITY;
ALTER TABLE conversation NO FORCE ROW LEVEL SECURITY;
ALTER TABLE message NO FORCE ROW LEVEL SECURITY;
UPDATE channel h SET tested_at = h.created_at WHERE EXISTS (
    SELECT FROM conversation c
    JOIN message m ON m.organisation_id = c.organisation_id AND m.conversation_id = c.id
    WHERE c.organisation_id = h.organisation_id AND c.channel_id = h.id AND c.last_inbound_at IS NOT NULL
      AND m.state IN ('accepted', 'sent', 'delivered', 'read'));
ALTER TABLE channel FORCE ROW LEVEL SECURITY;
ALTER TABLE conversation FORCE ROW LEVEL SECURITY;
ALTER TABLE message FORCE ROW LEVEL SECURITY;
"""


def upgrade() -> None:
    for name in ("tested_at", "terms_due_at"):
        op.add_column("channel", sa.Column(name, sa.DateTime(timezone=True), nullable=True))
    op.add_column("channel", sa.Column("approval", sqlmodel.sql.sqltypes.AutoString(), nullable=False, server_default=""))
    op.create_check_constraint("approval_known", "channel", "approval IN ('', 'applied', 'approved', 'refused', 'revoked')")
    op.create_table(
        "channel_block",
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("connector", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("reason", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("blocked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("blocked_by", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(["organisation_id", "blocked_by"], ["member.organisation_id", "member.id"]),
        sa.PrimaryKeyConstraint("organisation_id", "connector"),
    )
    op.create_table(
        "channel_declaration",
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("connector", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("answers", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("declared_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("declared_by", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["organisation_id", "declared_by"], ["member.organisation_id", "member.id"]),
        sa.PrimaryKeyConstraint("organisation_id", "connector"),
    )
    op.create_table(
        "messenger_end",
        sa.Column("connector", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("from_day", sa.Date(), nullable=False),
        sa.Column("reason", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("connector"),
    )
    op.get_bind().connection.run_async(lambda driver: driver.execute(_GUARD))
