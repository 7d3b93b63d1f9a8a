"""An installation of an earlier version is brought to the newest schema with its data, and every later migration has its turn."""

import json
from asyncio import to_thread
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg
from alembic import command

from hub.consent.chain import entry_hash
from hub.core import ids
from hub.migrations.run import configuration, migrate
from hub.organisations import audit
from tests.conftest import START, Servers

FIRST = "0001"


async def test_a_hub_of_the_first_version_is_brought_up_to_date(servers: Servers) -> None:
    name = f"old_{ids.new_id().hex}"
    await servers.execute(f'CREATE DATABASE "{name}"')
    url = servers.database(servers.admin_url, name)
    try:
        await to_thread(command.upgrade, configuration(url, urlsplit(url).username or ""), FIRST)
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
        await _hand_over(connection, organisation, channel)
        await connection.execute(
            """
            INSERT INTO audit_entry (organisation_id, id, at, action, target, detail)
            SELECT $1, id, $2, 'thing.done', 'x', '{"b": 1, "a": 0.5}' FROM unnest($3::uuid[]) AS id
            """,
            organisation,
            START,
            [ids.new_id() for _ in range(3)],
        )
        await _stop(connection, organisation)
        await to_thread(migrate, url, url)
        lanes = await connection.fetch("SELECT direction FROM channel_lane WHERE channel_id = $1 ORDER BY 1", channel)
        assert [lane["direction"] for lane in lanes] == ["care", "in", "listen", "media", "names", "out"]
        assert await connection.fetchval("SELECT callback_url FROM channel") == ""  # registered anew at the next start
        old = json.loads(await connection.fetchval("SELECT content::text FROM message"))
        assert old["to"] == {"member": "mem_1", "team": None} and old["from"] == {"member": None, "team": None}
        place = await connection.fetchrow("SELECT urgency, place, rings_at FROM conversation")
        assert tuple(place) == (1, int(START.timestamp()) * 1_000_000, None)
        entry = await connection.fetchrow("SELECT * FROM consent_entry")
        covered = (bytes(32), organisation, 1, START, entry["subject_id"], b"c" * 32, b"sealed", "opt_out")
        assert entry["hash"] == entry_hash(*covered) == await connection.fetchval("SELECT hash FROM ledger_head")
        stopped = await connection.fetchrow("SELECT stopped_at, stopped_seq, bar FROM consent_state")
        assert tuple(stopped) == (START, 1, "open")
        await _audit_is_chained(connection, organisation)
        await to_thread(migrate, url, url)  # twice is the same as once
        await connection.close()
    finally:
        await servers.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


async def _audit_is_chained(connection: asyncpg.Connection, organisation: UUID) -> None:
    """R-310: what was written before has its number and its link."""
    rows = await connection.fetch(
        """
        SELECT id, at, member_id, session_id, action, target, detail::text, seq, previous_hash, hash FROM audit_entry
        WHERE organisation_id = $1 ORDER BY seq
        """,
        organisation,
    )
    previous = audit.EMPTY
    for number, row in enumerate(rows, start=1):
        *said, seq, before, here = row
        assert (seq, before) == (number, previous)
        previous = audit.link(previous, organisation, seq, *said)
        assert here == previous
    head = await connection.fetchrow("SELECT seq, hash FROM audit_head WHERE organisation_id = $1", organisation)
    assert tuple(head) == (3, previous)


async def _hand_over(connection: asyncpg.Connection, organisation: UUID, channel: UUID) -> None:
    """A conversation of the first version that somebody was given."""
    contact, identity, conversation = ids.new_id(), ids.new_id(), ids.new_id()
    await connection.execute(
        "INSERT INTO contact (organisation_id, id, name, language, created_at) VALUES ($1, $2, 'Jörg', 'de', $3)",
        organisation,
        contact,
        START,
    )
    await connection.execute(
        """
        INSERT INTO identity (organisation_id, id, channel_id, provider_user_id, contact_id, display_name, username, language,
                              created_at)
        VALUES ($1, $2, $3, '7', $4, 'Jörg', '', 'de', $5)
        """,
        organisation,
        identity,
        channel,
        contact,
        START,
    )
    await connection.execute(
        """
        INSERT INTO conversation (organisation_id, id, identity_id, channel_id, contact_id, state, turn, last_seq, unread,
                                  last_text, last_direction, last_kind, sort_at, created_at)
        VALUES ($1, $2, $3, $4, $5, 'open', 'us', 1, 0, '', 'in', 'text', $6, $6)
        """,
        organisation,
        conversation,
        identity,
        channel,
        contact,
        START,
    )
    await connection.execute(
        """
        INSERT INTO message (organisation_id, id, conversation_id, seq, direction, kind, text, content, at, sequence, arrived_at,
                             failure, failure_text)
        VALUES ($1, $2, $3, 1, 'event', 'text', '', '{"event": "assigned", "from": null, "to": "mem_1"}', $4, 0, $4, '', '')
        """,
        organisation,
        ids.new_id(),
        conversation,
        START,
    )


async def _stop(connection: asyncpg.Connection, organisation: UUID) -> None:
    """A ledger of the first version with one entry, and the state that rests on it."""
    subject, here = ids.new_id(), b"h" * 32
    await connection.execute(
        """
        INSERT INTO consent_entry (organisation_id, seq, at, kind, subject_id, commitment, details_sealed, previous_hash, hash)
        VALUES ($1, 1, $2, 'opt_out', $3, $4, $5, $6, $7)
        """,
        organisation,
        START,
        subject,
        b"c" * 32,
        b"sealed",
        bytes(32),
        here,
    )
    await connection.execute("INSERT INTO ledger_head (organisation_id, seq, hash) VALUES ($1, 1, $2)", organisation, here)
    await connection.execute(
        """
        INSERT INTO consent_state (organisation_id, messenger, scope, address, choice, choice_at, choice_seq, reach)
        VALUES ($1, 'telegram', '', '7', 'opted_out', $2, 1, 'reachable')
        """,
        organisation,
        START,
    )
