"""An installation of an earlier version is brought to the newest schema with its data, and every later migration has its turn."""

from asyncio import to_thread
from urllib.parse import urlsplit

import asyncpg
from alembic import command

from hub.core import ids
from hub.migrations.run import configuration, migrate
from tests.conftest import START, Servers

FIRST = "0001"


async def test_a_hub_of_the_first_version_is_brought_up_to_date(servers: Servers) -> None:
    name = f"old_{ids.new_id().hex}"
    await servers.execute(f'CREATE DATABASE "{name}"')
    url = servers.database(servers.admin_url, name)
    user = urlsplit(url).username or ""
    try:
        await to_thread(command.upgrade, configuration(url, user), FIRST)
        connection = await asyncpg.connect(url)
        organisation, channel = ids.new_id(), ids.new_id()
        await connection.execute(
            """
            INSERT INTO organisation (id, slug, name, zone, locale, state, policy_profile, policy_version, created_at)
            VALUES ($1, 'alt', 'Alt GmbH', 'Europe/Berlin', 'de', 'active', 'whappodo', 1, $2)
            """,
            organisation,
            START,
        )
        await connection.execute(
            """
            INSERT INTO channel (organisation_id, id, connector, title, address, own_id, state, block_reason, health, health_cause,
                                 settings_sealed, secrets_sealed, created_at)
            VALUES ($1, $2, 'telegram', 'Werkstatt', '@werkstatt', '7', 'on', '', 'healthy', '', '', '', $3)
            """,
            organisation,
            channel,
            START,
        )
        await connection.execute(
            """
            INSERT INTO channel_lane (organisation_id, channel_id, direction, fence, wake)
            SELECT $1, $2, direction, 0, false FROM unnest(ARRAY['in', 'out']) AS direction
            """,
            organisation,
            channel,
        )
        await to_thread(migrate, url, url)
        lanes = await connection.fetch("SELECT direction FROM channel_lane WHERE channel_id = $1 ORDER BY 1", channel)
        assert [lane["direction"] for lane in lanes] == ["in", "listen", "media", "out"]
        assert await connection.fetchval("SELECT callback_url FROM channel") == ""  # registered anew at the next start
        await to_thread(migrate, url, url)  # twice is the same as once
        await connection.close()
    finally:
        await servers.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
