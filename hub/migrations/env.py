"""Alembic's entry: creates the four roles, then works as hub_owner so that it owns every table."""

import asyncio
from pathlib import Path

from alembic import context
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool
from sqlmodel import SQLModel

from hub.migrations.tables import ALL_ROOMS

ROLES = (Path(__file__).parent / "roles.sql").read_text()
assert ALL_ROOMS  # importing it fills the metadata


def _is_ours(name: str | None, kind: str, parents: object) -> bool:
    """Partitions of webhook_delivery are made by the sweeper and are no tables of the model."""
    return not (kind == "table" and name is not None and name.startswith("webhook_delivery_"))


def _run(connection: Connection) -> None:
    connection.exec_driver_sql("SET LOCAL ROLE hub_owner")
    context.configure(connection=connection, target_metadata=SQLModel.metadata, include_name=_is_ours, compare_type=True)
    context.run_migrations()


async def _online() -> None:
    url, login = context.config.attributes["url"], context.config.attributes["login"]
    engine = create_async_engine("postgresql+asyncpg://" + url.split("://", 1)[1], poolclass=NullPool)
    async with engine.begin() as connection:
        driver = (await connection.get_raw_connection()).driver_connection
        await connection.exec_driver_sql("SELECT pg_advisory_xact_lock(4808)")
        assert driver is not None
        await driver.execute("SELECT set_config('hub.login', $1, true)", login)
        await driver.execute(ROLES)
        await connection.run_sync(_run)
        await connection.exec_driver_sql("GRANT SELECT ON alembic_version TO hub_system")  # `hub doctor` reads which schema this is
    await engine.dispose()


asyncio.run(_online())
