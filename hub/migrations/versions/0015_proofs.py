"""The books can be checked: signed checkpoints of the ledger, a chain over the audit log, and what the daily check found.

Audit entries written before are chained in the order of their times, as they stand."""

import hashlib
from typing import Any
from uuid import UUID

import sqlalchemy as sa
import sqlmodel.sql.sqltypes
from alembic import op

from hub.organisations.audit import link

revision = "0015"
down_revision = "0014"

_GUARD = """
DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['ledger_key', 'ledger_checkpoint', 'ledger_watch', 'audit_head'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format(
            'CREATE POLICY tenant ON %I TO hub_app
             USING (organisation_id = nullif(current_setting(''app.tenant'', true), '''')::uuid)
             WITH CHECK (organisation_id = nullif(current_setting(''app.tenant'', true), '''')::uuid)', t);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO hub_app', t);
    END LOOP;
    REVOKE DELETE ON ledger_key, ledger_watch, audit_head FROM hub_app;
    REVOKE UPDATE, DELETE ON ledger_checkpoint FROM hub_app;
END $$;
CREATE POLICY system ON ledger_watch TO hub_system USING (true) WITH CHECK (true);
GRANT SELECT (organisation_id, due_at) ON ledger_watch TO hub_system;
-- An organisation is founded, and members join, before they can act as hub_app.
CREATE POLICY system ON audit_head TO hub_system USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON audit_head TO hub_system;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit_entry FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON audit_entry FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON ledger_checkpoint FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON ledger_checkpoint FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""


def upgrade() -> None:
    op.create_table(
        "ledger_key",
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("private_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("organisation_id", "id"),
        sa.UniqueConstraint("organisation_id"),
    )
    op.create_table(
        "ledger_checkpoint",
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("after_seq", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("head", sa.LargeBinary(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["organisation_id", "key_id"], ["ledger_key.organisation_id", "ledger_key.id"]),
        sa.PrimaryKeyConstraint("organisation_id", "seq"),
    )
    op.create_table(
        "ledger_watch",
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("uses_until", sa.Date(), nullable=True),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ledger_seq", sa.BigInteger(), nullable=False),
        sa.Column("ledger_problem", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("audit_seq", sa.BigInteger(), nullable=False),
        sa.Column("audit_problem", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.PrimaryKeyConstraint("organisation_id"),
    )
    op.create_table(
        "audit_head",
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("organisation_id"),
    )
    for column in ("previous_hash", "hash"):
        op.add_column("audit_entry", sa.Column(column, sa.LargeBinary(), nullable=True))
    op.add_column("audit_entry", sa.Column("seq", sa.BigInteger(), nullable=True))
    op.create_index(
        "attempt_permit", "attempt", ["permit_at"], postgresql_using="brin"
    )  # the day's attempts, at no cost to those that are written
    op.get_bind().connection.run_async(_finish)
    for column in ("seq", "previous_hash", "hash"):
        op.alter_column("audit_entry", column, nullable=False)
    op.create_unique_constraint("audit_entry_seq", "audit_entry", ["organisation_id", "seq"])


async def _finish(driver: Any) -> None:
    await driver.execute("ALTER TABLE audit_entry NO FORCE ROW LEVEL SECURITY")  # the owner is bound by the policies as well
    await driver.execute("ALTER TABLE organisation NO FORCE ROW LEVEL SECURITY")
    for row in await driver.fetch("SELECT id FROM organisation"):
        await _chain(driver, row["id"])
    await driver.execute("ALTER TABLE organisation FORCE ROW LEVEL SECURITY")
    await driver.execute("ALTER TABLE audit_entry FORCE ROW LEVEL SECURITY")
    await driver.execute(_GUARD)


async def _chain(driver: Any, organisation_id: UUID) -> None:
    """Give each audit entry of an organisation its number and its link, and the organisation its head."""
    previous, links = bytes(hashlib.sha256().digest_size), []
    rows = await driver.fetch(
        "SELECT id, at, member_id, session_id, action, target, detail::text FROM audit_entry WHERE organisation_id = $1 "
        "ORDER BY at, id",
        organisation_id,
    )
    for seq, row in enumerate(rows, start=1):
        here = link(previous, organisation_id, seq, **row)
        links.append((row["id"], seq, previous, here))
        previous = here
    if links:
        await driver.execute(
            """
            UPDATE audit_entry e SET seq = row.seq, previous_hash = row.previous, hash = row.here
            FROM unnest($2::uuid[], $3::bigint[], $4::bytea[], $5::bytea[]) AS row(id, seq, previous, here)
            WHERE e.organisation_id = $1 AND e.id = row.id
            """,
            organisation_id,
            *(list(column) for column in zip(*links, strict=True)),
        )
    await driver.execute(
        "INSERT INTO audit_head (organisation_id, seq, hash) VALUES ($1, $2, $3)", organisation_id, len(links), previous
    )
