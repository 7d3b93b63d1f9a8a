"""Another name of a message: the key of an edit, which later edits may name."""

import sqlalchemy as sa
import sqlmodel.sql.sqltypes
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.add_column("provider_key", sa.Column("alias_of", sqlmodel.sql.sqltypes.AutoString(), nullable=True))
