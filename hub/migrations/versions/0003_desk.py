"""The desk around the conversation: teams, due times, snoozing, drafts. What alembic cannot say stands in `0003_desk.sql`."""

from pathlib import Path

import sqlalchemy as sa
import sqlmodel.sql.sqltypes
from alembic import op

revision = "0003"
down_revision = "0002"

IN_A_LIST = ["state", "urgency", "place", "id"]


def _run(part: str) -> None:
    """Run one part of the SQL beside this file: it is cut at lines that name the parts."""
    text = Path(__file__).with_name("0003_desk.sql").read_text().split(f"-- part: {part}\n")[1].split("-- part: ")[0]
    op.get_bind().connection.run_async(lambda driver: driver.execute(text))


def upgrade() -> None:
    op.create_table(
        "team",
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("organisation_id", "id"),
    )
    op.create_index(
        "team_name",
        "team",
        ["organisation_id", sa.text("lower(name)")],
        unique=True,
        postgresql_where=sa.text("removed_at IS NULL"),
    )
    op.create_table(
        "team_member",
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("team_id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["organisation_id", "team_id"], ["team.organisation_id", "team.id"]),
        sa.ForeignKeyConstraint(["organisation_id", "member_id"], ["member.organisation_id", "member.id"]),
        sa.PrimaryKeyConstraint("organisation_id", "team_id", "member_id"),
    )
    op.create_index("team_member_member", "team_member", ["organisation_id", "member_id"])
    op.create_table(
        "draft",
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("conversation_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("text", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('reply', 'note')", name="kind_known"),
        sa.ForeignKeyConstraint(["organisation_id", "member_id"], ["member.organisation_id", "member.id"]),
        sa.ForeignKeyConstraint(["organisation_id", "conversation_id"], ["conversation.organisation_id", "conversation.id"]),
        sa.PrimaryKeyConstraint("organisation_id", "member_id", "conversation_id", "kind"),
    )
    _run("places")
    op.add_column("conversation", sa.Column("team_id", sa.Uuid(), nullable=True))
    op.add_column("conversation", sa.Column("due_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("conversation", sa.Column("due_from", sa.DateTime(timezone=True), nullable=True))
    op.add_column("conversation", sa.Column("overdue", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("conversation", sa.Column("snoozed_until", sa.DateTime(timezone=True), nullable=True))
    op.create_foreign_key(None, "conversation", "team", ["organisation_id", "team_id"], ["organisation_id", "id"])
    op.drop_constraint("state_known", "conversation")
    op.create_check_constraint("state_known", "conversation", "state IN ('open', 'snoozed', 'done')")
    op.create_check_constraint("due_whole", "conversation", "(due_at IS NULL) = (due_from IS NULL)")
    op.create_check_constraint("snoozed_until_known", "conversation", "state <> 'snoozed' OR snoozed_until IS NOT NULL")
    for name, kind, function in (
        ("urgency", sa.SmallInteger(), "conversation_urgency(state, turn, due_at)"),
        ("place", sa.BigInteger(), "conversation_place(state, due_at, snoozed_until, sort_at)"),
        ("rings_at", sa.DateTime(timezone=True), "conversation_rings_at(state, due_at, overdue, snoozed_until)"),
    ):
        op.add_column("conversation", sa.Column(name, kind, sa.Computed(function, persisted=True), nullable=name == "rings_at"))
    op.drop_index("conversation_all", "conversation")
    op.drop_index("conversation_mine", "conversation")
    op.create_index("conversation_all", "conversation", ["organisation_id", *IN_A_LIST])
    for name, first, condition in (
        ("conversation_mine", ["assignee_id"], "assignee_id IS NOT NULL"),
        ("conversation_team", ["team_id"], "team_id IS NOT NULL"),
        ("conversation_unassigned", [], "assignee_id IS NULL AND team_id IS NULL"),
    ):
        op.create_index(name, "conversation", ["organisation_id", *first, *IN_A_LIST], postgresql_where=sa.text(condition))
    op.create_index(
        "conversation_rings",
        "conversation",
        ["rings_at", "organisation_id", "id"],
        postgresql_where=sa.text("rings_at IS NOT NULL"),
    )
    op.create_index(
        "message_protocol",
        "message",
        ["organisation_id", "conversation_id", "seq"],
        postgresql_where=sa.text("direction IN ('note', 'event')"),
    )
    op.create_index(
        "delivery_result_list",
        "delivery_result",
        ["organisation_id", "state", "received_at", "delivery_id"],
        postgresql_where=sa.text("state <> 'applied'"),
    )
    op.create_index("pending_effect_age", "pending_effect", ["organisation_id", "created_at", "id"])
    _run("guard")
