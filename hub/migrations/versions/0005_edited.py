"""Each file of a message has the time of its own last edit: two files of one album may be edited in one order and told in the other.
And the provider's handle of its small picture, which stands for a film.
"""

import sqlalchemy as sa
import sqlmodel.sql.sqltypes
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("attachment", sa.Column("edited_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("attachment", sa.Column("small_ref", sqlmodel.sql.sqltypes.AutoString(), nullable=False, server_default=""))
