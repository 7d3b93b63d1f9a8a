"""What outlives a person's data: suppression, the list of erasures, sealed proofs. Mute and block of a conversation. Spam events, their
cases and the charges that are proposed for them.

An attempt outlives the part that it tried: that something left at that time stays on record when a person is erased."""

from typing import Any

import sqlalchemy as sa
import sqlmodel.sql.sqltypes
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0016"
down_revision = "0015"

_GUARD = """
DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY[
        'suppression_key', 'suppression', 'erasure', 'proof_archive', 'abuse_case', 'case_message', 'spam_event', 'proposed_charge'
    ] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format(
            'CREATE POLICY tenant ON %I TO hub_app
             USING (organisation_id = nullif(current_setting(''app.tenant'', true), '''')::uuid)
             WITH CHECK (organisation_id = nullif(current_setting(''app.tenant'', true), '''')::uuid)', t);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO hub_app', t);
    END LOOP;
    REVOKE DELETE ON suppression_key, suppression, abuse_case, case_message, spam_event, proposed_charge FROM hub_app;
    REVOKE UPDATE, DELETE ON erasure FROM hub_app;
END $$;
-- Erasing a person takes what a decision knows of them; that it was made, when and by which rule, stays.
GRANT UPDATE (evidence) ON gate_decision TO hub_app;
GRANT DELETE ON consent_alias, optin_request, notice TO hub_app;
"""


def upgrade() -> None:
    for name in ("muted_at", "barred_at"):
        op.add_column("conversation", _when(name))
    op.drop_constraint("attempt_organisation_id_part_id_fkey", "attempt", type_="foreignkey")
    op.create_table(
        "suppression_key",
        _uuid("organisation_id"),
        _uuid("id"),
        _bytes("key_sealed"),
        sa.PrimaryKeyConstraint("organisation_id", "id"),
        sa.UniqueConstraint("organisation_id"),
    )
    op.create_table(
        "suppression",
        _uuid("organisation_id"),
        _text("messenger"),
        _text("scope"),
        _bytes("digest"),
        _text("cause"),
        _when("at", nullable=False),
        _when("lifted_at"),
        _text("reason"),
        sa.CheckConstraint("cause IN ('opt_out', 'barred', 'request')", name="cause_known"),
        sa.PrimaryKeyConstraint("organisation_id", "messenger", "scope", "digest", "cause"),
    )
    op.create_table(
        "erasure",
        _uuid("organisation_id"),
        _uuid("id"),
        _when("at", nullable=False),
        _uuid("member_id", nullable=True),
        _json("addresses"),
        _json("counts"),
        sa.ForeignKeyConstraint(["organisation_id", "member_id"], ["member.organisation_id", "member.id"]),
        sa.PrimaryKeyConstraint("organisation_id", "id"),
    )
    op.create_table(
        "proof_archive",
        _uuid("organisation_id"),
        _uuid("id"),
        _when("made_at", nullable=False),
        sa.Column("delete_on", sa.Date(), nullable=False),
        sa.Column("entries", sa.Integer(), nullable=False),
        _bytes("content_sealed"),
        sa.PrimaryKeyConstraint("organisation_id", "id"),
    )
    op.create_index("proof_archive_due", "proof_archive", ["organisation_id", "delete_on"])
    op.create_table(
        "abuse_case",
        _uuid("organisation_id"),
        _uuid("id"),
        _text("number"),
        sa.Column("categories", postgresql.ARRAY(sa.Text()), nullable=False),
        _text("note"),
        _when("opened_at", nullable=False),
        _uuid("opened_by", nullable=True),
        _when("due_at", nullable=False),
        _uuid("repeats", nullable=True),
        _when("exported_at"),
        _text("source"),
        _text("source_name"),
        _when("blocked_at"),
        _text("not_blocked_reason"),
        _when("closed_at"),
        _uuid("closed_by", nullable=True),
        sa.CheckConstraint("source IN ('', 'person', 'member', 'channel')", name="source_known"),
        sa.ForeignKeyConstraint(["organisation_id", "opened_by"], ["member.organisation_id", "member.id"]),
        sa.ForeignKeyConstraint(["organisation_id", "closed_by"], ["member.organisation_id", "member.id"]),
        sa.ForeignKeyConstraint(["organisation_id", "repeats"], ["abuse_case.organisation_id", "abuse_case.id"]),
        sa.PrimaryKeyConstraint("organisation_id", "id"),
        sa.UniqueConstraint("organisation_id", "number"),
    )
    op.create_table(
        "case_message",
        _uuid("organisation_id"),
        _uuid("id"),
        _uuid("case_id"),
        _uuid("message_id"),
        _uuid("channel_id"),
        _uuid("author_id", nullable=True),
        _when("at", nullable=False),
        _bytes("evidence_sealed"),
        sa.ForeignKeyConstraint(["organisation_id", "case_id"], ["abuse_case.organisation_id", "abuse_case.id"]),
        sa.PrimaryKeyConstraint("organisation_id", "id"),
        sa.UniqueConstraint("organisation_id", "case_id", "message_id"),
    )
    op.create_table(
        "spam_event",
        _uuid("organisation_id"),
        _uuid("id"),
        _text("state"),
        sa.Column("grounds", postgresql.ARRAY(sa.Text()), nullable=False),
        _text("raised_by"),
        _when("raised_at", nullable=False),
        _text("messenger"),
        _uuid("channel_id"),
        _uuid("message_id", nullable=True),
        _uuid("member_id", nullable=True),
        _when("accepted_at"),
        _when("withdrawn_at"),
        _json("consent"),
        sa.Column("evidence_sealed", sa.LargeBinary(), nullable=True),
        _uuid("lead_id", nullable=True),
        _when("decided_at"),
        _text("decided_by"),
        _text("decision_reason"),
        _text("answer"),
        _when("answered_at"),
        _uuid("answered_by", nullable=True),
        _text("answer_file"),
        sa.Column("answer_file_sealed", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint("state IN ('candidate', 'confirmed', 'rejected', 'grouped')", name="state_known"),
        sa.CheckConstraint("(state = 'grouped') = (lead_id IS NOT NULL)", name="lead_known"),
        sa.ForeignKeyConstraint(["organisation_id", "member_id"], ["member.organisation_id", "member.id"]),
        sa.ForeignKeyConstraint(["organisation_id", "answered_by"], ["member.organisation_id", "member.id"]),
        sa.ForeignKeyConstraint(["organisation_id", "lead_id"], ["spam_event.organisation_id", "spam_event.id"]),
        sa.PrimaryKeyConstraint("organisation_id", "id"),
    )
    op.create_index(
        "spam_event_message",
        "spam_event",
        ["organisation_id", "message_id"],
        unique=True,
        postgresql_where=sa.text("message_id IS NOT NULL"),
    )
    op.create_table(
        "proposed_charge",
        _uuid("organisation_id"),
        _uuid("id"),
        _text("kind"),
        sa.Column("amount", sa.Numeric(12, 2), nullable=False),
        _text("currency"),
        _text("tax"),
        _uuid("spam_event_id"),
        _when("proposed_at", nullable=False),
        _text("proposed_by"),
        sa.CheckConstraint("kind IN ('viber_spam_event')", name="kind_known"),
        sa.CheckConstraint("tax IN ('none')", name="tax_known"),
        sa.ForeignKeyConstraint(["organisation_id", "spam_event_id"], ["spam_event.organisation_id", "spam_event.id"]),
        sa.PrimaryKeyConstraint("organisation_id", "id"),
        sa.UniqueConstraint("organisation_id", "spam_event_id"),
    )
    op.get_bind().connection.run_async(_guard)


async def _guard(driver: Any) -> None:
    await driver.execute(_GUARD)


def _text(name: str) -> sa.Column[Any]:
    return sa.Column(name, sqlmodel.sql.sqltypes.AutoString(), nullable=False)


def _when(name: str, *, nullable: bool = True) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _uuid(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Uuid(), nullable=nullable)


def _bytes(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.LargeBinary(), nullable=False)


def _json(name: str) -> sa.Column[Any]:
    return sa.Column(name, postgresql.JSONB(), nullable=False)
