"""Erasures outlive a restore (R-259): a backup from before an erasure brings the person back, so the list of erasures is saved
apart from it, and applied to the restored database before anybody works with it.

    hub consent erasures save FILE     the list of all organisations: keyed hashes, no address
    hub consent erasures apply FILE    erase again whom the restored database still holds; safe to repeat

What was suppressed is in the list as well. The master keys open it, and are no part of it.
"""

import json
from base64 import b64decode, b64encode
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from hub.consent import erasing, suppression
from hub.consent.hooks import PersonErased
from hub.consent.locks import Key, lock_addresses
from hub.core.db import Database, UnitOfWork
from hub.inbox.persons.erasure import erase_person
from hub.inbox.persons.person import lock_person
from hub.runtime import Runtime


async def save_erasures(database: Database) -> dict[str, Any]:
    """The list of every organisation that erased or suppressed anybody, by its id."""
    async with database.system() as unit:
        organisation_ids = [row["id"] for row in await unit.sql.fetch("SELECT id FROM organisation ORDER BY id")]
    saved = {}
    for organisation_id in organisation_ids:
        async with database.unit_of_work(organisation_id) as unit:
            key = await unit.sql.fetchrow("SELECT id, key_sealed FROM suppression_key WHERE organisation_id = $1", unit.tenant)
            if key is None:
                continue
            erasures = await unit.sql.fetch(
                "SELECT id, at, addresses FROM erasure WHERE organisation_id = $1 ORDER BY at", unit.tenant
            )
            remembered = await unit.sql.fetch(
                """
                SELECT messenger, scope, digest, cause, at, lifted_at, reason FROM suppression
                WHERE organisation_id = $1 ORDER BY at, messenger, scope, digest
                """,
                unit.tenant,
            )
        saved[str(organisation_id)] = {
            "key": {"id": str(key["id"]), "sealed": b64encode(key["key_sealed"]).decode()},
            "erasures": [{"id": str(one["id"]), "at": one["at"].isoformat(), "addresses": one["addresses"]} for one in erasures],
            "suppressed": [
                {**one, "digest": one["digest"].hex(), "at": one["at"].isoformat(), "lifted_at": _shown(one["lifted_at"])}
                for one in remembered
            ],
        }
    return saved


def _shown(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


async def apply_erasures(runtime: Runtime, saved: dict[str, Any]) -> int:
    """Erase again, in each organisation, everybody whom the restored database still holds; how many people."""
    count = 0
    for shown, told in saved.items():
        organisation_id = UUID(shown)
        async with runtime.database.unit_of_work(organisation_id) as unit:
            zone = await unit.sql.fetchval("SELECT zone FROM organisation WHERE id = $1", unit.tenant)
            if zone is None:  # founded after the backup: it is not in there
                continue
            await _take_over(unit, told)
            secret = await suppression.need_secret(unit, runtime.vault)
            known = [row["id"] for row in await unit.sql.fetch("SELECT id FROM erasure WHERE organisation_id = $1", unit.tenant)]
        for erasure in told["erasures"]:
            if UUID(erasure["id"]) not in known:
                count += await _apply(runtime, organisation_id, erasure, secret, ZoneInfo(zone))
    return count


async def _take_over(unit: UnitOfWork, told: dict[str, Any]) -> None:
    """The key, where the backup is older than it, and what was suppressed since."""
    await unit.sql.execute(
        "INSERT INTO suppression_key (organisation_id, id, key_sealed) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        unit.tenant,
        UUID(told["key"]["id"]),
        b64decode(told["key"]["sealed"]),
    )
    for one in told["suppressed"]:
        await unit.sql.execute(
            """
            INSERT INTO suppression (organisation_id, messenger, scope, digest, cause, at, lifted_at, reason)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
            ON CONFLICT (organisation_id, messenger, scope, digest, cause) DO UPDATE
            SET at = excluded.at, lifted_at = excluded.lifted_at, reason = excluded.reason
            """,
            unit.tenant,
            one["messenger"],
            one["scope"],
            bytes.fromhex(one["digest"]),
            one["cause"],
            datetime.fromisoformat(one["at"]),
            datetime.fromisoformat(one["lifted_at"]) if one["lifted_at"] else None,
            one["reason"],
        )


async def _apply(runtime: Runtime, organisation_id: UUID, erasure: dict[str, Any], secret: bytes, zone: ZoneInfo) -> int:
    """Repeat one erasure: every contact with one of its addresses that is older than it, and what the ledger says of the rest."""
    at = datetime.fromisoformat(erasure["at"])
    wanted = {(messenger, scope, digest) for messenger, scope, digest in erasure["addresses"]}
    contacts: set[UUID] = set()
    strangers: set[Key] = set()
    async with runtime.database.unit_of_work(organisation_id) as unit:
        for key, contact_id in await _known(unit, at):
            if (*key[:2], suppression.digest_of(secret, key).hex()) in wanted:
                if contact_id is None:
                    strangers.add(key)
                else:
                    contacts.add(contact_id)
        for contact_id in sorted(contacts):
            person = await lock_person(unit, runtime.connectors, contact_id)
            strangers -= person.keys
            await erase_person(runtime, unit, person, never_again=False, zone=zone, access=None)
        if strangers:
            await lock_addresses(unit, strangers)
            await runtime.hooks.publish(unit, PersonErased(frozenset(strangers), (), ()))
            await erasing.forget(unit, runtime.vault, strangers, proofs={}, never_again=False, zone=zone, member_id=None, counts={})
        await unit.sql.execute(
            """
            INSERT INTO erasure (organisation_id, id, at, addresses, counts) VALUES ($1, $2, $3, $4::jsonb, '{}')
            """,
            unit.tenant,
            UUID(erasure["id"]),
            at,
            json.dumps(erasure["addresses"]),
        )
    return len(contacts) or (1 if strangers else 0)


async def _known(unit: UnitOfWork, before: datetime) -> list[tuple[Key, UUID | None]]:
    """Every address that the database held at that time, with its contact where there is one."""
    rows = await unit.sql.fetch(
        """
        SELECT s.messenger, s.scope, s.address, i.contact_id FROM consent_subject s
        LEFT JOIN channel h ON h.organisation_id = s.organisation_id AND h.connector = s.messenger
             AND (s.scope = '' OR h.id::text = s.scope)
        LEFT JOIN identity i ON i.organisation_id = h.organisation_id AND i.channel_id = h.id
             AND i.provider_user_id = s.address AND i.created_at <= $2
        WHERE s.organisation_id = $1
        UNION
        SELECT h.connector, scope.name, n.address, i.contact_id FROM identity i
        JOIN channel h ON h.organisation_id = i.organisation_id AND h.id = i.channel_id
        CROSS JOIN LATERAL (VALUES (''), (h.id::text)) AS scope(name)
        CROSS JOIN LATERAL (
            SELECT i.provider_user_id AS address
            UNION ALL SELECT alias FROM identity_alias a WHERE a.organisation_id = i.organisation_id AND a.identity_id = i.id
        ) AS n
        WHERE i.organisation_id = $1 AND i.created_at <= $2
        """,
        unit.tenant,
        before,
    )
    return [((row["messenger"], row["scope"], row["address"]), row["contact_id"]) for row in rows]
