"""Content of every kind: files, things done to messages that exist, polling."""

import sqlalchemy as sa
import sqlmodel.sql.sqltypes
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"

_GUARD = """
ALTER TABLE attachment ENABLE ROW LEVEL SECURITY;
ALTER TABLE attachment FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON attachment TO hub_app
    USING (organisation_id = nullif(current_setting('app.tenant', true), '')::uuid)
    WITH CHECK (organisation_id = nullif(current_setting('app.tenant', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE, DELETE ON attachment TO hub_app;
CREATE POLICY system ON attachment TO hub_system USING (true) WITH CHECK (true);
GRANT SELECT (organisation_id, id, channel_id, message_id, state, due_at, created_at) ON attachment TO hub_system;
GRANT SELECT (callback_url, own_id) ON channel TO hub_system;

-- Lanes that channels of the first schema have not got. The owner is bound by the policies as well, so they rest meanwhile.
ALTER TABLE channel NO FORCE ROW LEVEL SECURITY;
ALTER TABLE channel_lane NO FORCE ROW LEVEL SECURITY;
INSERT INTO channel_lane (organisation_id, channel_id, direction, fence, wake, cursor)
SELECT organisation_id, id, direction, 0, false, '' FROM channel, unnest(ARRAY['listen', 'media']) AS direction;
ALTER TABLE channel FORCE ROW LEVEL SECURITY;
ALTER TABLE channel_lane FORCE ROW LEVEL SECURITY;
"""


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sqlmodel.sql.sqltypes.AutoString(), nullable=False, server_default="")


def _is_one_of(table: str, column: str, values: str) -> None:
    op.drop_constraint(f"{column}_known", table, type_="check")
    op.create_check_constraint(f"{column}_known", table, f"{column} IN ({values})")


def upgrade() -> None:
    op.add_column("channel", _text("callback_url"))
    op.add_column("channel_lane", _text("cursor"))
    _is_one_of("channel_lane", "direction", "'in', 'out', 'listen', 'media'")

    op.add_column("message", sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("message", sa.Column("provider_key", sqlmodel.sql.sqltypes.AutoString(), nullable=True))
    _is_one_of("message", "kind", "'text', 'media', 'location', 'contact', 'choice', 'interactive', 'unsupported'")

    op.add_column("message_part", sa.Column("action", sqlmodel.sql.sqltypes.AutoString(), nullable=False, server_default="message"))
    op.create_check_constraint("action_known", "message_part", "action IN ('message', 'edit', 'delete', 'react', 'answer')")
    op.add_column(
        "message_part",
        sa.Column("content", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
    )
    op.add_column("message_part", sa.Column("target_key", sqlmodel.sql.sqltypes.AutoString(), nullable=True))
    op.add_column("message_part", sa.Column("keys", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False))
    op.add_column("message_part", _text("failure"))
    op.add_column("message_part", sa.Column("author_id", sa.Uuid(), nullable=True))

    op.create_table(
        "attachment",
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("conversation_id", sa.Uuid(), nullable=False),
        sa.Column("channel_id", sa.Uuid(), nullable=False),
        sa.Column("message_id", sa.Uuid(), nullable=True),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("kind", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("ref", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("unique", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("event_key", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("name", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("mime", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("label", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("caption", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("duration", sa.Integer(), nullable=True),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column("state", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("reason", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("scanned", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=True),
        sa.Column("has_thumbnail", sa.Boolean(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("uploaded_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stored_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('waiting', 'stored', 'failed', 'gone', 'refused', 'quarantined')", name="state_known"),
        sa.CheckConstraint("scanned IN ('', 'clean', 'unscanned', 'infected')", name="scanned_known"),
        sa.ForeignKeyConstraint(["organisation_id", "conversation_id"], ["conversation.organisation_id", "conversation.id"]),
        sa.ForeignKeyConstraint(["organisation_id", "message_id"], ["message.organisation_id", "message.id"]),
        sa.ForeignKeyConstraint(["organisation_id", "uploaded_by"], ["member.organisation_id", "member.id"]),
        sa.PrimaryKeyConstraint("organisation_id", "id"),
    )
    op.create_index("attachment_message", "attachment", ["organisation_id", "message_id", "position"])
    op.create_index("attachment_conversation", "attachment", ["organisation_id", "conversation_id"])
    op.create_index(
        "attachment_due",
        "attachment",
        ["organisation_id", "channel_id", "due_at", "id"],
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_index(
        "attachment_unsent", "attachment", ["organisation_id", "created_at"], postgresql_where=sa.text("message_id IS NULL")
    )
    op.get_bind().connection.run_async(lambda driver: driver.execute(_GUARD))
