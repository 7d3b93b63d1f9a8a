"""The consent ledger (I7): one append-only hash chain per organisation (`chain.py`), and the state that follows from it.

    record      under the address lock: folds changes into `consent_state` and `consent_grant` (`states.py`), tells higher rooms,
                and notes the entries
    note        an entry of the organisation itself, about no address
    _append     right before the commit: locks `ledger_head`, numbers and chains the entries

Changes come late and out of order, so state follows the provider's times, not the order of arrival; of two changes at the same
instant the stricter one holds. Addresses of one person are linked by an entry (`aliases.py`): from then on the strictest of what
was known holds for all of them, and a change at one is a change at all.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, Final, get_args
from uuid import UUID

from hub.consent import aliases, suppression
from hub.consent.chain import Change, Entry, append, new_key, open_key, seal_entry
from hub.consent.hooks import BarLifted, ConsentWithdrawn, PersonBlocked
from hub.consent.locks import Key
from hub.consent.states import OF_PURPOSE, Axis, Grant, Kind, Moment, State, Word, join_grants, join_states
from hub.core import clock, ids
from hub.core.db import Last, UnitOfWork
from hub.core.hooks import Hooks
from hub.core.vault import Vault

GrantKey = tuple[Key, UUID]
"""An address and a purpose."""


OWN: Final[Key] = ("", "", "")
"""The subject of entries about the organisation itself."""


async def record(
    unit: UnitOfWork, vault: Vault, hooks: Hooks, changes: Sequence[Change], *, met: Collection[Key] = frozenset()
) -> None:
    """Write changes into the ledger and draw the state of their addresses anew.

    `met`: addresses that became known in this transaction. What is remembered of them, and of others that the ledger does not know,
    comes first (`suppression.py`). The caller holds the exclusive locks of all addresses of these people (`locks.py`,
    `aliases.families`). Whoever is withdrawn by these changes is told to the higher rooms inside this transaction.
    """
    for change in changes:
        if (change.kind in OF_PURPOSE) != (change.purpose_id is not None):
            raise ValueError(f"{change.kind} with purpose {change.purpose_id}")
    remembered = await suppression.recall(unit, vault, {*met, *await _unknown(unit, {change.key for change in changes})})
    changes = [*remembered, *changes]
    if not changes:
        return
    subjects = await find_subjects(unit, vault, {change.key for change in changes})
    links = [change for change in changes if change.kind == "linked"]
    await aliases.link(unit, [(change.key, change.other) for change in links])
    people = await aliases.families(unit, list(subjects))
    addresses = set().union(*people.values())
    states = await _states(unit, list(addresses))
    known = {address: (state.choice.value, state.reach.value, state.bar.value) for address, state in states.items()}
    grants: dict[GrantKey, Grant] = {}
    if links or any(change.purpose_id for change in changes):
        grants = await _grants(unit, list(addresses))
    for change in links:
        family = people[change.key]
        join_states([states[key] for key in family])
        for purpose_id in {purpose_id for key, purpose_id in grants if key in family}:
            join_grants([grants.setdefault((key, purpose_id), Grant()) for key in family])
    entries: list[Entry] = []
    for change in sorted(changes, key=lambda change: change.kind != "linked"):  # as above; `fold.py` takes them in this order
        subject_id, key = subjects[change.key]
        entry = seal_entry(unit.tenant, subject_id, key, change)
        for address in people[change.key]:
            states[address].apply(change.kind, change.at, entry)
            if change.purpose_id:
                grant = grants.setdefault((address, change.purpose_id), Grant())
                grant.apply(change.kind, change.at, entry, change.until)
        entries.append(entry)
    await _write_states(unit, states)
    await _write_grants(unit, grants)
    lifted = {address for change in changes if change.kind == "unbarred" for address in people[change.key]}
    await suppression.lift(unit, vault, lifted, ("barred", "request"))
    unit.notes.setdefault("ledger", []).append((entries, states, grants))
    unit.before_commit(Last.LEDGER, _append)
    await _tell(unit, hooks, known, states, people, changes)


async def note(unit: UnitOfWork, vault: Vault, kind: Kind, evidence: dict[str, str]) -> None:
    """Write an entry about the organisation itself."""
    subject_id, key = (await find_subjects(unit, vault, {OWN}))[OWN]
    entry = seal_entry(unit.tenant, subject_id, key, Change(*OWN, kind, clock.now(), evidence))
    unit.notes.setdefault("ledger", []).append(([entry], {}, {}))
    unit.before_commit(Last.LEDGER, _append)


async def _tell(
    unit: UnitOfWork,
    hooks: Hooks,
    known: dict[Key, tuple[str, str, str]],
    states: dict[Key, State],
    people: dict[Key, set[Key]],
    changes: Sequence[Change],
) -> None:
    """Tell the higher rooms who is to hear no more from us, and for which purpose."""
    for address, state in states.items():
        choice, reach, bar = known[address]
        if state.reach.value == "blocked" and (state.reach.since.entry or reach != "blocked"):
            await hooks.publish(unit, PersonBlocked(*address))
        if state.choice.value == "opted_out" and (state.choice.since.entry or choice != "opted_out"):
            await hooks.publish(unit, ConsentWithdrawn(*address))
        if state.bar.value == "barred" and (state.bar.since.entry or bar != "barred"):
            await hooks.publish(unit, ConsentWithdrawn(*address, rule="barred"))
        if state.bar.value == "open" and bar == "barred":
            await hooks.publish(unit, BarLifted(*address))
    for change in changes:
        if change.kind == "withdrawn":
            for address in people[change.key]:
                await hooks.publish(unit, ConsentWithdrawn(*address, rule="no_consent", purpose_id=change.purpose_id))


async def _unknown(unit: UnitOfWork, keys: set[Key]) -> list[Key]:
    """Those of whom the ledger has said nothing yet."""
    rows = await unit.sql.fetch(
        """
        SELECT messenger, scope, address FROM unnest($2::text[], $3::text[], $4::text[]) AS w(messenger, scope, address)
        WHERE NOT EXISTS (
            SELECT FROM consent_subject s
            WHERE s.organisation_id = $1 AND s.messenger = w.messenger AND s.scope = w.scope AND s.address = w.address)
        """,
        unit.tenant,
        *_columns(keys),
    )
    return [(row["messenger"], row["scope"], row["address"]) for row in rows]


async def find_subjects(unit: UnitOfWork, vault: Vault, keys: set[Key]) -> dict[Key, tuple[UUID, bytes]]:
    """Id and opened key of everybody's subject; unknown ones are made. In one order, as every writer of this table."""
    new = [(key, ids.new_id()) for key in sorted(keys)]
    rows = await unit.sql.fetch(
        """
        WITH wanted AS (
            SELECT * FROM unnest($2::text[], $3::text[], $4::text[], $5::uuid[], $6::bytea[])
                AS row(messenger, scope, address, id, key_sealed)
        ), made AS (
            INSERT INTO consent_subject (organisation_id, id, messenger, scope, address, key_sealed)
            SELECT $1, id, messenger, scope, address, key_sealed FROM wanted
            ON CONFLICT (organisation_id, messenger, scope, address) DO NOTHING
            RETURNING id, messenger, scope, address, key_sealed
        )
        SELECT id, messenger, scope, address, key_sealed FROM made
        UNION ALL
        SELECT s.id, s.messenger, s.scope, s.address, s.key_sealed FROM consent_subject s
        JOIN wanted w USING (messenger, scope, address) WHERE s.organisation_id = $1
        """,
        unit.tenant,
        [key[0] for key, _ in new],
        [key[1] for key, _ in new],
        [key[2] for key, _ in new],
        [subject_id for _, subject_id in new],
        [new_key(vault, unit.tenant, subject_id) for _, subject_id in new],
    )
    return {
        (row["messenger"], row["scope"], row["address"]): (row["id"], open_key(vault, unit.tenant, row["id"], row["key_sealed"]))
        for row in rows
    }


_AXES: Final[tuple[Axis, ...]] = get_args(Axis)


async def _states(unit: UnitOfWork, keys: list[Key]) -> dict[Key, State]:
    rows = await unit.sql.fetch(
        """
        SELECT s.* FROM consent_state s
        JOIN unnest($2::text[], $3::text[], $4::text[]) AS w(messenger, scope, address) USING (messenger, scope, address)
        WHERE s.organisation_id = $1
        """,
        unit.tenant,
        *_columns(keys),
    )
    known = {(row["messenger"], row["scope"], row["address"]): read_state(row) for row in rows}
    return {key: known.get(key) or State() for key in keys}


def read_state(row: Any) -> State:
    """A row of `consent_state` as a value."""
    return State(
        **{axis: Word(row[axis], Moment(row[f"{axis}_at"], row[f"{axis}_seq"])) for axis in _AXES},
        stopped=Moment(row["stopped_at"], row["stopped_seq"]),
    )


async def _grants(unit: UnitOfWork, keys: list[Key]) -> dict[GrantKey, Grant]:
    rows = await unit.sql.fetch(
        """
        SELECT g.* FROM consent_grant g
        JOIN unnest($2::text[], $3::text[], $4::text[]) AS w(messenger, scope, address) USING (messenger, scope, address)
        WHERE g.organisation_id = $1
        """,
        unit.tenant,
        *_columns(keys),
    )
    return {((row["messenger"], row["scope"], row["address"]), row["purpose_id"]): read_grant(row) for row in rows}


def read_grant(row: Any) -> Grant:
    """A row of `consent_grant` as a value."""
    return Grant(
        Moment(row["asked_at"], row["asked_seq"]),
        row["asked_until"],
        Moment(row["granted_at"], row["granted_seq"]),
        Moment(row["withdrawn_at"], row["withdrawn_seq"]),
        Moment(row["overridden_at"], row["overridden_seq"]),
        row["overridden_until"],
    )


async def note_told(unit: UnitOfWork, key: Key) -> None:
    """They are told that their stop is heard: once for each stop (the gate's rule `already_told`)."""
    await unit.sql.execute(
        "UPDATE consent_state SET told_at = $5 WHERE organisation_id = $1 AND messenger = $2 AND scope = $3 AND address = $4",
        unit.tenant,
        *key,
        clock.now(),
    )


async def _write_states(unit: UnitOfWork, states: dict[Key, State]) -> None:
    ordered = sorted(states)
    words = [[getattr(states[key], axis) for axis in _AXES] for key in ordered]
    await unit.sql.execute(
        """
        INSERT INTO consent_state (organisation_id, messenger, scope, address, choice, choice_at, marketing, marketing_at, reach,
                                   reach_at, bar, bar_at, stopped_at)
        SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::text[], $8::timestamptz[],
                                 $9::text[], $10::timestamptz[], $11::text[], $12::timestamptz[], $13::timestamptz[])
        ON CONFLICT (organisation_id, messenger, scope, address) DO UPDATE
        SET choice = excluded.choice, choice_at = excluded.choice_at, marketing = excluded.marketing,
            marketing_at = excluded.marketing_at, reach = excluded.reach, reach_at = excluded.reach_at, bar = excluded.bar,
            bar_at = excluded.bar_at, stopped_at = excluded.stopped_at
        """,
        unit.tenant,
        *_columns(ordered),
        *(values for column in zip(*words, strict=True) for values in ([w.value for w in column], [w.at for w in column])),
        [states[key].stopped.at for key in ordered],
    )


async def _write_grants(unit: UnitOfWork, grants: dict[GrantKey, Grant]) -> None:
    if not grants:
        return
    ordered = sorted(grants)
    await unit.sql.execute(
        """
        INSERT INTO consent_grant (organisation_id, messenger, scope, address, purpose_id, asked_at, asked_until, granted_at,
                                   withdrawn_at, overridden_at, overridden_until)
        SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::uuid[], $6::timestamptz[], $7::timestamptz[],
                                 $8::timestamptz[], $9::timestamptz[], $10::timestamptz[], $11::timestamptz[])
        ON CONFLICT (organisation_id, messenger, scope, address, purpose_id) DO UPDATE
        SET asked_at = excluded.asked_at, asked_until = excluded.asked_until, granted_at = excluded.granted_at,
            withdrawn_at = excluded.withdrawn_at, overridden_at = excluded.overridden_at,
            overridden_until = excluded.overridden_until
        """,
        unit.tenant,
        *_columns(key for key, _ in ordered),
        [purpose_id for _, purpose_id in ordered],
        *_moments([grants[key] for key in ordered]),
    )


def _columns(keys: Iterable[Key]) -> list[list[str]]:
    """Messengers, scopes and addresses of these keys."""
    rows = list(keys)
    return [[row[part] for row in rows] for part in range(3)]


def _moments(grants: list[Grant]) -> list[list[datetime | None]]:
    return [
        [grant.asked.at for grant in grants],
        [grant.until for grant in grants],
        [grant.granted.at for grant in grants],
        [grant.withdrawn.at for grant in grants],
        [grant.overridden.at for grant in grants],
        [grant.overridden_until for grant in grants],
    ]


_Recorded = list[tuple[list[Entry], dict[Key, State], dict[GrantKey, Grant]]]


async def _append(unit: UnitOfWork) -> None:
    """Chain the entries of this transaction to the head, the last thing but the feed, and write beside each state and grant which
    entry it rests on."""
    recorded: _Recorded = unit.notes.pop("ledger")
    await append(unit, [entry for batch, _, _ in recorded for entry in batch])
    states: dict[Key, list[int | None]] = defaultdict(lambda: [None] * (len(_AXES) + 1))
    grants: dict[GrantKey, list[int | None]] = defaultdict(lambda: [None] * 4)
    for _, some_states, some_grants in recorded:  # what was recorded in several steps rests on the last of each
        for address, state in some_states.items():
            moments = [*(getattr(state, axis).since for axis in _AXES), state.stopped]
            states[address] = [now.ground or before for now, before in zip(moments, states[address], strict=True)]
        for key, grant in some_grants.items():
            moments = [grant.asked, grant.granted, grant.withdrawn, grant.overridden]
            grants[key] = [now.ground or before for now, before in zip(moments, grants[key], strict=True)]
    if not states:
        return
    await unit.sql.execute(
        """
        UPDATE consent_state s
        SET choice_seq = row.choice_seq, marketing_seq = row.marketing_seq, reach_seq = row.reach_seq, bar_seq = row.bar_seq,
            stopped_seq = row.stopped_seq
        FROM unnest($2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[])
            AS row(messenger, scope, address, choice_seq, marketing_seq, reach_seq, bar_seq, stopped_seq)
        WHERE s.organisation_id = $1 AND s.messenger = row.messenger AND s.scope = row.scope AND s.address = row.address
        """,
        unit.tenant,
        *_columns(states),
        *(list(column) for column in zip(*states.values(), strict=True)),
    )
    if grants:
        await unit.sql.execute(
            """
            UPDATE consent_grant g
            SET asked_seq = row.asked_seq, granted_seq = row.granted_seq, withdrawn_seq = row.withdrawn_seq,
                overridden_seq = row.overridden_seq
            FROM unnest($2::text[], $3::text[], $4::text[], $5::uuid[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[])
                AS row(messenger, scope, address, purpose_id, asked_seq, granted_seq, withdrawn_seq, overridden_seq)
            WHERE g.organisation_id = $1 AND g.messenger = row.messenger AND g.scope = row.scope AND g.address = row.address
              AND g.purpose_id = row.purpose_id
            """,
            unit.tenant,
            *_columns(key for key, _ in grants),
            [purpose_id for _, purpose_id in grants],
            *(list(column) for column in zip(*grants.values(), strict=True)),
        )
