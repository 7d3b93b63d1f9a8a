"""Each file of a message has the time of its own last edit: two files of one album may be edited in one order and told in the other."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("attachment", sa.Column("edited_at", sa.DateTime(timezone=True), nullable=True))
