"""Ten more messengers: addresses of one person, peers' keys, templates, an account's history, shared endpoints. What alembic cannot
say stands in `0006_messengers.sql`."""

from pathlib import Path
from typing import Any

import sqlalchemy as sa
import sqlmodel.sql.sqltypes
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"

KINDS = (
    "text", "media", "location", "contact", "choice", "interactive", "sheet", "template", "cards", "times", "unsupported",
)  # fmt: skip


def _text(name: str, default: str | None = None) -> sa.Column[Any]:
    return sa.Column(name, sqlmodel.sql.sqltypes.AutoString(), nullable=False, server_default=default)


def _when(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _uuid(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Uuid(), nullable=nullable)


def _json(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, postgresql.JSONB(astext_type=sa.Text()), nullable=nullable)


def _refers(column: str, table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["organisation_id", column], [f"{table}.organisation_id", f"{table}.id"])


def _is_one_of(table: str, column: str, *values: str, is_new: bool = False) -> None:
    if not is_new:
        op.drop_constraint(f"{column}_known", table, type_="check")
    listed = ", ".join(f"'{value}'" for value in values)
    op.create_check_constraint(f"{column}_known", table, f"{column} IN ({listed})")


def upgrade() -> None:
    for name in ("health_text", "warning_cause", "warning_text", "endpoint", "welcome"):
        op.add_column("channel", _text(name, ""))
    for name in ("warning_since", "told_at", "credentials_expire_at", "care_at"):
        op.add_column("channel", _when(name, nullable=True))
    op.create_index("channel_endpoint", "channel", ["connector", "endpoint"], postgresql_where=sa.text("endpoint <> ''"))
    op.create_index(
        "channel_care", "channel", ["care_at", "organisation_id", "id"], postgresql_where=sa.text("care_at IS NOT NULL")
    )
    _is_one_of("channel_lane", "direction", "in", "out", "listen", "media", "care")

    op.add_column("conversation", _when("delivered_to", nullable=True))
    op.add_column("conversation", _when("read_to", nullable=True))
    op.add_column("message_part", _json("price", nullable=True))
    _is_one_of("message", "kind", *KINDS)
    _is_one_of("pending_effect", "kind", "status", "edit", "delete", "reaction")

    op.add_column("consent_state", _text("marketing", "free"))
    op.add_column("consent_state", _when("marketing_at", nullable=True))
    op.add_column("consent_state", sa.Column("marketing_seq", sa.BigInteger(), nullable=True))
    _is_one_of("consent_state", "marketing", "free", "stopped", is_new=True)
    op.create_table(
        "consent_alias",
        _uuid("organisation_id"),
        *(_text(name) for name in ("messenger", "scope", "address", "other")),
        sa.PrimaryKeyConstraint("organisation_id", "messenger", "scope", "address", "other"),
    )

    op.create_table(
        "channel_event",
        _uuid("organisation_id"),
        _uuid("id"),
        _uuid("channel_id"),
        _when("at"),
        *(_text(name) for name in ("source", "level", "cause", "text")),
        _uuid("member_id", nullable=True),
        sa.CheckConstraint("level IN ('ok', 'warning', 'failing', 'attention', 'change')", name="level_known"),
        sa.CheckConstraint("source IN ('provider', 'hub', 'member')", name="source_known"),
        _refers("channel_id", "channel"),
        _refers("member_id", "member"),
        sa.PrimaryKeyConstraint("organisation_id", "id"),
    )
    op.create_index("channel_event_list", "channel_event", ["organisation_id", "channel_id", "at", "id"])
    op.create_table(
        "template",
        _uuid("organisation_id"),
        _uuid("id"),
        _uuid("channel_id"),
        *(_text(name) for name in ("provider_id", "name", "language", "category", "status", "reason")),
        _json("components"),
        _when("updated_at"),
        _when("gone_at", nullable=True),
        _refers("channel_id", "channel"),
        sa.PrimaryKeyConstraint("organisation_id", "id"),
        sa.UniqueConstraint("organisation_id", "channel_id", "name", "language"),
    )
    op.create_table(
        "template_event",
        _uuid("organisation_id"),
        _uuid("id"),
        _uuid("template_id"),
        _when("at"),
        *(_text(name) for name in ("status", "category", "reason")),
        _uuid("member_id", nullable=True),
        _refers("template_id", "template"),
        _refers("member_id", "member"),
        sa.PrimaryKeyConstraint("organisation_id", "id"),
    )
    op.create_index("template_event_list", "template_event", ["organisation_id", "template_id", "at", "id"])
    op.create_table(
        "identity_alias",
        _uuid("organisation_id"),
        _uuid("channel_id"),
        _text("alias"),
        _uuid("identity_id"),
        _when("created_at"),
        _refers("channel_id", "channel"),
        _refers("identity_id", "identity"),
        sa.PrimaryKeyConstraint("organisation_id", "channel_id", "alias"),
    )
    op.create_index("identity_alias_identity", "identity_alias", ["organisation_id", "identity_id"])
    op.create_table(
        "peer_key",
        _uuid("organisation_id"),
        _uuid("channel_id"),
        _text("address"),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        _text("fingerprint"),
        _when("pinned_at"),
        _refers("channel_id", "channel"),
        sa.PrimaryKeyConstraint("organisation_id", "channel_id", "address"),
    )
    op.create_table(
        "unrouted_delivery",
        _uuid("id"),
        _when("received_at"),
        *(_text(name) for name in ("connector", "endpoint", "own_id")),
        _json("headers"),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("unrouted_delivery_age", "unrouted_delivery", ["received_at", "id"])
    guard = Path(__file__).with_suffix(".sql").read_text()
    op.get_bind().connection.run_async(lambda driver: driver.execute(guard))
