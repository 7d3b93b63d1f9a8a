"""A dump can be restored: a function behind a generated column finds what it calls without a search path, which a restore empties."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute(
        """
        CREATE OR REPLACE FUNCTION conversation_place(
            state varchar, due_at timestamptz, snoozed_until timestamptz, sort_at timestamptz
        ) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
            SELECT CASE
                WHEN state = 'snoozed' THEN -public.micros(snoozed_until)
                WHEN state = 'open' AND due_at IS NOT NULL THEN -public.micros(due_at)
                ELSE public.micros(GREATEST(sort_at, snoozed_until))
            END
        $$
        """
    )
