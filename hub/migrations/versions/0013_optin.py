"""Roads by which people agree and what is said on them, lists that are imported, messages that the hub itself writes for it, and
whose mail domains an organisation's own people have (R-046)."""

from typing import Any

import sqlalchemy as sa
import sqlmodel.sql.sqltypes
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"

_GUARD = """
DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['optin_flow', 'optin_flow_purpose', 'optin_flow_text', 'optin_request', 'consent_text', 'consent_file',
                             'consent_import', 'notice', 'mail_domain'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format(
            'CREATE POLICY tenant ON %I TO hub_app
             USING (organisation_id = nullif(current_setting(''app.tenant'', true), '''')::uuid)
             WITH CHECK (organisation_id = nullif(current_setting(''app.tenant'', true), '''')::uuid)', t);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO hub_app', t);
    END LOOP;
    REVOKE DELETE ON optin_flow, optin_request, notice FROM hub_app;
    FOREACH t IN ARRAY ARRAY['optin_flow', 'consent_import', 'notice', 'mail_domain'] LOOP
        EXECUTE format('CREATE POLICY system ON %I TO hub_system USING (true) WITH CHECK (true)', t);
    END LOOP;
    GRANT SELECT (organisation_id, id, archived_at) ON optin_flow TO hub_system;
    GRANT SELECT (organisation_id, id, state) ON consent_import TO hub_system;
    GRANT SELECT (organisation_id, id, state, due_at) ON notice TO hub_system;
    GRANT INSERT ON mail_domain TO hub_system;
END $$;
"""
_DOMAINS = """
INSERT INTO mail_domain (organisation_id, domain)
SELECT DISTINCT m.organisation_id, split_part(p.email, '@', 2)
FROM member m JOIN person p ON p.id = m.person_id WHERE m.deactivated_at IS NULL
"""


def upgrade() -> None:
    op.create_table(
        "optin_flow",
        _uuid("organisation_id"),
        _uuid("id"),
        _text("key"),
        _uuid("channel_id"),
        _text("language"),
        sa.Column("double_opt_in", sa.Boolean(), nullable=False),
        sa.Column("counts_subscription", sa.Boolean(), nullable=False),
        _when("created_at", nullable=False),
        _when("archived_at"),
        sa.CheckConstraint("language IN ('de', 'en')", name="language_known"),
        _refers("channel_id", "channel"),
        sa.PrimaryKeyConstraint("organisation_id", "id"),
        sa.UniqueConstraint("organisation_id", "key"),
    )
    op.create_index("optin_flow_channel", "optin_flow", ["organisation_id", "channel_id"])
    op.create_table(
        "optin_flow_purpose",
        _uuid("organisation_id"),
        _uuid("flow_id"),
        _uuid("purpose_id"),
        _refers("flow_id", "optin_flow"),
        _refers("purpose_id", "purpose"),
        sa.PrimaryKeyConstraint("organisation_id", "flow_id", "purpose_id"),
    )
    op.create_table(
        "optin_flow_text",
        _uuid("organisation_id"),
        _uuid("flow_id"),
        _text("language"),
        _text("keyword"),
        _text("confirmation"),
        sa.CheckConstraint("language IN ('de', 'en')", name="language_known"),
        _refers("flow_id", "optin_flow"),
        sa.PrimaryKeyConstraint("organisation_id", "flow_id", "language"),
    )
    op.create_table(
        "optin_request",
        _uuid("organisation_id"),
        _uuid("id"),
        _text("messenger"),
        _text("scope"),
        _text("address"),
        _uuid("flow_id"),
        _text("language"),
        sa.Column("versions", postgresql.JSONB(), nullable=False),
        _text("source"),
        _when("asked_at", nullable=False),
        _when("until", nullable=False),
        _when("sent_at"),
        _when("confirmed_at"),
        sa.CheckConstraint("language IN ('de', 'en')", name="language_known"),
        _refers("flow_id", "optin_flow"),
        sa.PrimaryKeyConstraint("organisation_id", "id"),
    )
    op.create_index("optin_request_address", "optin_request", ["organisation_id", "messenger", "scope", "address"])
    op.create_table(
        "consent_text",
        _uuid("organisation_id"),
        _text("kind"),
        _text("language"),
        _text("text"),
        sa.CheckConstraint("language IN ('de', 'en')", name="language_known"),
        sa.PrimaryKeyConstraint("organisation_id", "kind", "language"),
    )
    op.create_table(
        "consent_file",
        _uuid("organisation_id"),
        _uuid("id"),
        _text("name"),
        _text("mime"),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        _uuid("member_id"),
        _when("created_at", nullable=False),
        _when("used_at"),
        _refers("member_id", "member"),
        sa.PrimaryKeyConstraint("organisation_id", "id"),
    )
    op.create_table(
        "consent_import",
        _uuid("organisation_id"),
        _uuid("id"),
        _text("state"),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("good", sa.Integer(), nullable=False),
        sa.Column("refused", postgresql.JSONB(), nullable=False),
        sa.Column("reasons", postgresql.JSONB(), nullable=False),
        sa.Column("done_rows", sa.Integer(), nullable=False),
        _uuid("member_id"),
        _when("created_at", nullable=False),
        _when("started_at"),
        _when("done_at"),
        sa.CheckConstraint("state IN ('checked', 'running', 'done')", name="state_known"),
        _refers("id", "consent_file"),
        _refers("member_id", "member"),
        sa.PrimaryKeyConstraint("organisation_id", "id"),
    )
    op.create_table(
        "notice",
        _uuid("organisation_id"),
        _uuid("id"),
        _uuid("channel_id"),
        _text("address"),
        _text("purpose"),
        _uuid("purpose_id", nullable=True),
        _text("text"),
        _uuid("request_id", nullable=True),
        _text("state"),
        _text("rule"),
        _uuid("message_id", nullable=True),
        _when("created_at", nullable=False),
        _when("due_at", nullable=False),
        sa.CheckConstraint("state IN ('due', 'sent', 'refused')", name="state_known"),
        sa.CheckConstraint("purpose IN ('reply', 'opt_in_request', 'opt_out_receipt')", name="purpose_known"),
        _refers("channel_id", "channel"),
        _refers("request_id", "optin_request"),
        _refers("purpose_id", "purpose"),
        sa.PrimaryKeyConstraint("organisation_id", "id"),
    )
    op.create_index("notice_due", "notice", ["due_at"], postgresql_where=sa.text("state = 'due'"))
    op.create_table(
        "mail_domain",
        _uuid("organisation_id"),
        _text("domain"),
        sa.PrimaryKeyConstraint("organisation_id", "domain"),
    )
    op.add_column("invitation", _text("standing", server_default="own_domain"))
    op.create_check_constraint("standing_known", "invitation", "standing IN ('own_domain', 'own_personnel', 'released')")
    op.get_bind().connection.run_async(_finish)


def _text(name: str, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, sqlmodel.sql.sqltypes.AutoString(), nullable=False, **options)


def _when(name: str, *, nullable: bool = True) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _uuid(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Uuid(), nullable=nullable)


def _refers(column: str, table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["organisation_id", column], [f"{table}.organisation_id", f"{table}.id"])


async def _finish(driver: Any) -> None:
    for table in ("member", "person"):  # the owner is bound by the policies as well, so they rest meanwhile
        await driver.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
    await driver.execute(_DOMAINS)
    for table in ("member", "person"):
        await driver.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    await driver.execute(_GUARD)
