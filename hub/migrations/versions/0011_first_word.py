"""Whose name is to be asked for at the provider, and the lane in which it is done."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

_LANES = """
-- The sweeper finds whom to ask for as hub_system; it reads no address and no name.
CREATE POLICY system ON identity FOR SELECT TO hub_system USING (true);
GRANT SELECT (organisation_id, channel_id, name_due_at) ON identity TO hub_system;

-- Lanes that earlier channels have not got. The owner is bound by the policies as well, so they rest meanwhile.
ALTER TABLE channel NO FORCE ROW LEVEL SECURITY;
ALTER TABLE channel_lane NO FORCE ROW LEVEL SECURITY;
INSERT INTO channel_lane (organisation_id, channel_id, direction, fence, wake, cursor)
SELECT organisation_id, id, 'names', 0, false, '' FROM channel;
ALTER TABLE channel FORCE ROW LEVEL SECURITY;
ALTER TABLE channel_lane FORCE ROW LEVEL SECURITY;
"""


def upgrade() -> None:
    op.add_column("identity", sa.Column("name_due_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "identity_nameless",
        "identity",
        ["organisation_id", "channel_id", "name_due_at"],
        postgresql_where=sa.text("name_due_at IS NOT NULL"),
    )
    op.drop_constraint("direction_known", "channel_lane", type_="check")
    op.create_check_constraint("direction_known", "channel_lane", "direction IN ('in', 'out', 'listen', 'media', 'care', 'names')")
    op.get_bind().connection.run_async(lambda driver: driver.execute(_LANES))
