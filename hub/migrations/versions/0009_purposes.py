"""Purposes and what was agreed to for each, a bar by the business itself, the newest stop; and the chain covers what is sealed, too.

No version was released before this one. Its chains are made anew from their own entries, each checked against its old link first, so
that from here on every byte of an entry is covered."""

from typing import Any
from uuid import UUID

import sqlalchemy as sa
import sqlmodel.sql.sqltypes
from alembic import op

from hub.consent.books.chain import entry_hash

revision = "0009"
down_revision = "0008"

_GUARD = """
DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['purpose', 'purpose_text', 'consent_grant'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format(
            'CREATE POLICY tenant ON %I TO hub_app
             USING (organisation_id = nullif(current_setting(''app.tenant'', true), '''')::uuid)
             WITH CHECK (organisation_id = nullif(current_setting(''app.tenant'', true), '''')::uuid)', t);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO hub_app', t);
    END LOOP;
    REVOKE UPDATE, DELETE ON purpose_text FROM hub_app;
    REVOKE DELETE ON purpose FROM hub_app;
END $$;
"""


def upgrade() -> None:
    op.create_table(
        "purpose",
        _uuid("organisation_id"),
        _uuid("id"),
        _text("key"),
        _text("kind"),
        sa.Column("position", sa.Integer(), nullable=False),
        _when("created_at", nullable=False),
        _when("archived_at"),
        sa.CheckConstraint("kind IN ('service', 'marketing')", name="kind_known"),
        sa.PrimaryKeyConstraint("organisation_id", "id"),
        sa.UniqueConstraint("organisation_id", "key"),
    )
    op.create_table(
        "purpose_text",
        _uuid("organisation_id"),
        _uuid("purpose_id"),
        sa.Column("version", sa.Integer(), nullable=False),
        _text("language"),
        _text("name"),
        _text("text"),
        sa.Column("text_hash", sa.LargeBinary(), nullable=False),
        _when("created_at", nullable=False),
        _uuid("created_by", nullable=True),
        sa.CheckConstraint("language IN ('de', 'en')", name="language_known"),
        sa.ForeignKeyConstraint(["organisation_id", "created_by"], ["member.organisation_id", "member.id"]),
        sa.ForeignKeyConstraint(["organisation_id", "purpose_id"], ["purpose.organisation_id", "purpose.id"]),
        sa.PrimaryKeyConstraint("organisation_id", "purpose_id", "version", "language"),
    )
    op.create_table(
        "consent_grant",
        _uuid("organisation_id"),
        _text("messenger"),
        _text("scope"),
        _text("address"),
        _uuid("purpose_id"),
        _when("asked_at"),
        _when("asked_until"),
        _number("asked_seq"),
        _when("granted_at"),
        _number("granted_seq"),
        _when("withdrawn_at"),
        _number("withdrawn_seq"),
        sa.ForeignKeyConstraint(["organisation_id", "purpose_id"], ["purpose.organisation_id", "purpose.id"]),
        sa.PrimaryKeyConstraint("organisation_id", "messenger", "scope", "address", "purpose_id"),
    )
    op.create_index("consent_grant_purpose", "consent_grant", ["organisation_id", "purpose_id", "messenger", "scope", "address"])
    op.add_column("consent_state", sa.Column("bar", sqlmodel.sql.sqltypes.AutoString(), nullable=False, server_default="open"))
    op.create_check_constraint("bar_known", "consent_state", "bar IN ('open', 'barred')")
    for column in (_when("bar_at"), _number("bar_seq"), _when("stopped_at"), _number("stopped_seq"), _when("last_used_at")):
        op.add_column("consent_state", column)
    op.add_column("gate_decision", _uuid("purpose_id", nullable=True))
    op.add_column("message", _uuid("purpose_id", nullable=True))
    op.create_foreign_key(None, "message", "purpose", ["organisation_id", "purpose_id"], ["organisation_id", "id"])
    op.get_bind().connection.run_async(_finish)


def _text(name: str) -> sa.Column[Any]:
    return sa.Column(name, sqlmodel.sql.sqltypes.AutoString(), nullable=False)


def _when(name: str, *, nullable: bool = True) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _uuid(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Uuid(), nullable=nullable)


def _number(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), nullable=True)


async def _finish(driver: Any) -> None:
    await driver.execute(_GUARD)
    tables = ("consent_entry", "ledger_head", "consent_state")
    for table in tables:  # the owner is bound by the policies as well, so they rest meanwhile
        await driver.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
    await driver.execute("ALTER TABLE consent_entry DISABLE TRIGGER append_only")
    await driver.execute(
        """
        UPDATE consent_state SET stopped_at = choice_at, stopped_seq = choice_seq WHERE choice = 'opted_out'
        """
    )
    for head in await driver.fetch("SELECT organisation_id, hash FROM ledger_head WHERE seq > 0"):
        await _chain_anew(driver, head["organisation_id"], head["hash"])
    await driver.execute("ALTER TABLE consent_entry ENABLE TRIGGER append_only")
    for table in tables:
        await driver.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")


async def _chain_anew(driver: Any, organisation_id: UUID, head: bytes) -> None:
    """Give each entry of an organisation its link by the present rule. RuntimeError where the chain did not hold before."""
    before, previous = bytes(32), bytes(32)
    links = []
    for row in await driver.fetch("SELECT * FROM consent_entry WHERE organisation_id = $1 ORDER BY seq", organisation_id):
        whole = entry_hash(
            previous,
            organisation_id,
            row["seq"],
            row["at"],
            row["subject_id"],
            row["commitment"],
            row["details_sealed"],
            row["kind"],
        )
        if row["previous_hash"] != before:
            raise RuntimeError(f"the ledger of organisation {organisation_id} is broken at entry {row['seq']}: restore a backup")
        links.append((row["seq"], previous, whole))
        before, previous = row["hash"], whole
    if before != head:
        raise RuntimeError(f"the ledger of organisation {organisation_id} does not end at its head: restore a backup")
    await driver.execute(
        """
        UPDATE consent_entry e SET previous_hash = row.previous, hash = row.here
        FROM unnest($2::bigint[], $3::bytea[], $4::bytea[]) AS row(seq, previous, here)
        WHERE e.organisation_id = $1 AND e.seq = row.seq
        """,
        organisation_id,
        *(list(column) for column in zip(*links, strict=True)),
    )
    await driver.execute("UPDATE ledger_head SET hash = $2 WHERE organisation_id = $1", organisation_id, previous)
