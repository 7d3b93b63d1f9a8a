"""What came of an attempt, written to attempt, part and message.

    Receipt              accepted or sent; the provider's keys, time and order; parked statuses find their message now
    RateLimited          queued again, not before the provider's time; the whole channel pauses
    RecipientLimited     the same for everything that waits in this conversation, and nothing else
    Unavailable          queued again with back-off and jitter; the channel shows as failing for that long
    AuthFailed           queued again; the channel waits for a person, AccountPaused: for the cause that it names
    NotSent              the permit was too old: queued again at once
    Rejected, Unsupported, RecipientOptedOut   final; the last one, and MarketingStopped among the first, are recorded by consent
    OutcomeUnknown       unknown; never repeated by itself (I5). Edits, deletions and reactions are: twice is the same as once

Results are found by their attempt: one that comes after its lane was lost still counts as evidence, and one for a person who was
erased since is all that is left of the message.
"""

import json
import random
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from hub.channels.accounts import OpenChannel
from hub.channels.health import mark_attention, mark_failing, mark_healthy
from hub.connectors.contract import DeleteMessage, EditMessage, OutboundMessage, React, Receipt
from hub.connectors.errors import (
    AccountPaused,
    AuthFailed,
    MarketingStopped,
    OutcomeUnknown,
    RateLimited,
    RecipientLimited,
    RecipientOptedOut,
    SendError,
    Unavailable,
)
from hub.consent import locks
from hub.consent.books import aliases, ledger
from hub.consent.books.chain import Change
from hub.consent.books.states import Kind
from hub.core import clock
from hub.core.db import UnitOfWork, text_array
from hub.inbox.arriving.echoes import adopt_echoes
from hub.inbox.arriving.effects import CONTENT_KEYS, apply_effects, note_messages_changed
from hub.inbox.arriving.watermarks import catch_up
from hub.inbox.content import store
from hub.inbox.page.preview import redraw_previews
from hub.inbox.sending import suspects
from hub.inbox.sending.claiming import Claim
from hub.inbox.sending.status import draw_messages, furthest, lock_messages
from hub.inbox.sending.waiting import hold_conversation, keep_waiting
from hub.runtime import Runtime

GIVE_UP_AFTER = timedelta(hours=24)
LONGEST_BACKOFF = 300.0
WISHES: Final[tuple[tuple[type[SendError], Kind], ...]] = (
    (RecipientOptedOut, "blocked"),
    (MarketingStopped, "marketing_stopped"),
)
"""Refusals that say what a person wants, and what they are called in the ledger."""


class NotSent(SendError):
    """The permit had run out before the request: nothing left."""

    code = "not_sent"


@dataclass(frozen=True, slots=True)
class Result:
    claim: Claim
    answer: Receipt | SendError

    @property
    def hold_seconds(self) -> float:
        """For how long the channel must be left alone."""
        if isinstance(self.answer, RecipientLimited) or not isinstance(self.answer, RateLimited):
            return 0.0
        return self.answer.retry_after


def backoff(tries: int) -> float:
    """Seconds until the next try: doubling from 1 s to 5 minutes, half of it random, so that workers do not return together."""
    full = min(LONGEST_BACKOFF, 2.0 ** min(tries - 1, 16))
    return full * random.uniform(0.5, 1.0)


async def record_results(runtime: Runtime, unit: UnitOfWork, channel: OpenChannel, results: list[Result]) -> None:
    """Write a batch of results in the transaction of the next turn."""
    await _record_opt_outs(runtime, unit, results)
    open_ = await _close_attempts(unit, results)
    results = [result for result in results if result.claim.action.attempt_id in open_]
    if not results:
        return
    await lock_messages(unit, {result.claim.message_id for result in results})
    await _move_parts(unit, results)
    await _record_done(unit, results)
    keys = await _keep_receipts(unit, channel.channel_id, results)
    await suspects.compare(unit, [one.claim.message_id for one in results if isinstance(one.answer, Receipt) and _is_message(one)])
    await apply_effects(runtime, unit, channel, [], new_keys=keys)
    note_messages_changed(unit, await draw_messages(unit, [result.claim.message_id for result in results]))
    await _judge_health(unit, channel.channel_id, results)


def _next(result: Result) -> tuple[str, str, float]:
    """Outcome of the attempt, state of the part, seconds until the next try."""
    answer, claim = result.answer, result.claim
    if isinstance(answer, Receipt):
        return "accepted", answer.status, 0.0
    once = _is_message(result) and not claim.recipient.connector.capabilities.idempotent_sends
    if isinstance(answer, OutcomeUnknown) and once:
        return "unknown", "unknown", 0.0
    if isinstance(answer, NotSent):
        return "retry", "queued", 0.0
    if isinstance(answer, RateLimited | Unavailable | AuthFailed | OutcomeUnknown):
        if clock.now() - claim.wanted_at > GIVE_UP_AFTER:
            return "failed", "failed", 0.0
        return "retry", "queued", answer.retry_after if isinstance(answer, RateLimited) else backoff(claim.tries)
    return "failed", "failed", 0.0


async def _close_attempts(unit: UnitOfWork, results: list[Result]) -> set[UUID]:
    """Finish the attempts; those that were open and whose part exists. Each accepted one is a use of its address's consent
    (`consent_state.last_used_at`).

    Whoever changes a consent holds its address lock exclusively, so a use is noted only where the shared one is free, and where
    nobody else notes one: it never waits, and so nobody can wait for it in a circle.
    """
    used = {result.claim.recipient.consent_key for result in results if isinstance(result.answer, Receipt)}
    rows = await unit.sql.fetch(
        """
        WITH closed AS (
            UPDATE attempt AS a SET outcome = row.outcome, finished_at = $2, error = row.error, provider_code = row.provider_code,
                   provider_text = row.provider_text
            FROM unnest($3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[])
                 AS row(id, outcome, error, provider_code, provider_text)
            WHERE a.organisation_id = $1 AND a.id = row.id AND a.outcome IN ('sending', 'unknown')
            RETURNING a.id, a.part_id
        ), used AS (
            SELECT s.messenger, s.scope, s.address
            FROM unnest($8::text[], $9::text[], $10::text[], $11::bigint[]) AS w(messenger, scope, address, lock)
            JOIN consent_state s USING (messenger, scope, address)
            WHERE s.organisation_id = $1 AND pg_try_advisory_xact_lock_shared(w.lock) FOR UPDATE OF s SKIP LOCKED
        ), noted AS (
            UPDATE consent_state s SET last_used_at = $2 FROM used u
            WHERE s.organisation_id = $1 AND s.messenger = u.messenger AND s.scope = u.scope AND s.address = u.address
        )
        SELECT c.id, EXISTS (SELECT FROM message_part p WHERE p.organisation_id = $1 AND p.id = c.part_id) AS has_part FROM closed c
        """,
        unit.tenant,
        clock.now(),
        [result.claim.action.attempt_id for result in results],
        [_next(result)[0] for result in results],
        ["" if isinstance(result.answer, Receipt) else result.answer.code for result in results],
        ["" if isinstance(result.answer, Receipt) else result.answer.provider_code for result in results],
        ["" if isinstance(result.answer, Receipt) else result.answer.provider_text for result in results],
        *([key[part] for key in used] for part in range(3)),
        [locks.number_of(unit.tenant, key) for key in used],
    )
    return {row["id"] for row in rows if row["has_part"]}


async def _move_parts(unit: UnitOfWork, results: list[Result]) -> None:
    """Move the parts; what follows a failed or unclear part of the same message is stopped with it."""
    states = {
        row["id"]: row["state"]
        for row in await unit.sql.fetch(
            "SELECT id, state FROM message_part WHERE organisation_id = $1 AND id = ANY($2::uuid[])",
            unit.tenant,
            [result.claim.action.part_id for result in results],
        )
    }
    now = clock.now()
    moves = []
    for result in results:
        part_id = result.claim.action.part_id
        _, state, wait = _next(result)
        if state != "queued":
            state = furthest(states[part_id], state)
        elif states[part_id] != "sending":
            state = states[part_id]
        keys = result.answer.keys if isinstance(result.answer, Receipt) else ()
        failure = _failure(result) if state in ("failed", "unknown") else ""
        moves.append((part_id, state, now + timedelta(seconds=wait), text_array(keys), failure))
    await unit.sql.execute(
        """
        UPDATE message_part AS p SET state = row.state, due_at = row.due_at, keys = row.keys::text[], failure = row.failure
        FROM unnest($2::uuid[], $3::text[], $4::timestamptz[], $5::text[], $6::text[]) AS row(id, state, due_at, keys, failure)
        WHERE p.organisation_id = $1 AND p.id = row.id
        """,
        unit.tenant,
        *(list(column) for column in zip(*moves, strict=True)),
    )
    await keep_waiting(unit, [(part_id, due_at) for part_id, state, due_at, *_ in moves if state == "queued"])
    for result in results:
        if isinstance(result.answer, RecipientLimited):
            await hold_conversation(unit, result.claim.conversation_id, now + timedelta(seconds=result.answer.retry_after))
    stuck = [result for result in results if _is_message(result) and _next(result)[1] in ("failed", "unknown")]
    if not stuck:
        return
    await unit.sql.execute(
        """
        WITH stuck AS (SELECT * FROM unnest($2::uuid[], $3::text[], $4::text[]) AS row(message_id, failure, failure_text)),
        stopped AS (
            UPDATE message_part SET state = 'failed'
            WHERE organisation_id = $1 AND message_id IN (SELECT message_id FROM stuck) AND state = 'queued' AND action = 'message'
        )
        UPDATE message AS m SET failure = stuck.failure, failure_text = stuck.failure_text
        FROM stuck WHERE m.organisation_id = $1 AND m.id = stuck.message_id
        """,
        unit.tenant,
        [result.claim.message_id for result in stuck],
        [_failure(result) for result in stuck],
        ["" if isinstance(result.answer, Receipt) else result.answer.provider_text for result in stuck],
    )


def _is_message(result: Result) -> bool:
    return isinstance(result.claim.action, OutboundMessage)


def _failure(result: Result) -> str:
    if isinstance(result.answer, RateLimited | Unavailable | AuthFailed):
        return "gave_up"
    return "" if isinstance(result.answer, Receipt) else result.answer.code


async def _keep_receipts(unit: UnitOfWork, channel_id: UUID, results: list[Result]) -> list[str]:
    """Keys by which the provider will speak of our messages, and its time and order for the thread; returns the keys."""
    receipts = [(one.claim, one.answer) for one in results if isinstance(one.answer, Receipt) and _is_message(one)]
    if not receipts:
        return []
    keys = [(key, claim.message_id, claim.action.part_id) for claim, receipt in receipts for key in receipt.keys]
    written = await unit.sql.fetch(
        """
        INSERT INTO provider_key (organisation_id, channel_id, key, message_id, part_no)
        SELECT $1, $2, row.key, row.message_id, p.part_no
        FROM unnest($3::text[], $4::uuid[], $5::uuid[]) AS row(key, message_id, part_id)
        JOIN message_part p ON p.organisation_id = $1 AND p.id = row.part_id
        ON CONFLICT DO NOTHING RETURNING key
        """,
        unit.tenant,
        channel_id,
        *(list(column) for column in zip(*keys, strict=True)),
    )
    new = {row["key"] for row in written}
    await adopt_echoes(unit, channel_id, [one for one in keys if one[0] not in new])
    await unit.sql.execute(
        """
        UPDATE message AS m SET at = row.at, sequence = row.sequence
        FROM unnest($2::uuid[], $3::timestamptz[], $4::bigint[]) AS row(id, at, sequence)
        WHERE m.organisation_id = $1 AND m.id = row.id AND m.sequence = 0
        """,
        unit.tenant,
        [claim.message_id for claim, _ in receipts],
        [receipt.at or clock.now() for _, receipt in receipts],
        [receipt.sequence for _, receipt in receipts],
    )
    if any(claim.recipient.connector.capabilities.confirms & {"delivered", "read"} for claim, _ in receipts):
        await catch_up(unit, [claim.message_id for claim, _ in receipts])
    return [key for key, _, _ in keys]


async def _record_done(unit: UnitOfWork, results: list[Result]) -> None:
    """What was done to messages that exist shows in the thread once the provider has taken it. Failures show there too."""
    done = [result for result in results if not _is_message(result) and _next(result)[1] != "queued"]
    for result in done:
        action, now = result.claim.action, clock.now()
        if not isinstance(result.answer, Receipt):
            continue
        if isinstance(action, EditMessage):
            stored = store(action.content)
            await unit.sql.execute(
                """
                UPDATE message SET text = $3, content = (content - $4::text[]) || $5::jsonb, edited_at = $6
                WHERE organisation_id = $1 AND id = $2
                """,
                unit.tenant,
                result.claim.message_id,
                stored.text,
                CONTENT_KEYS,
                json.dumps(stored.content),
                now,
            )
        elif isinstance(action, DeleteMessage):
            await unit.sql.execute(
                "UPDATE message SET deleted_at = $3 WHERE organisation_id = $1 AND id = $2",
                unit.tenant,
                result.claim.message_id,
                now,
            )
        elif isinstance(action, React):
            await unit.sql.execute(
                "UPDATE message SET content = (content - 'reaction') || $3::jsonb WHERE organisation_id = $1 AND id = $2",
                unit.tenant,
                result.claim.message_id,
                json.dumps({"reaction": action.emoji} if action.emoji else {}),
            )
    if done:
        await redraw_previews(unit, {result.claim.conversation_id for result in done})
    note_messages_changed(unit, [(result.claim.message_id, result.claim.conversation_id) for result in done])


async def _record_opt_outs(runtime: Runtime, unit: UnitOfWork, results: list[Result]) -> None:
    """A refusal because the person left, or wants no marketing, is a fact about the person: recorded before any row, under the
    address lock."""
    kinds = [(result.claim.recipient, kind) for result in results for cls, kind in WISHES if isinstance(result.answer, cls)]
    if not kinds:
        return
    people = await aliases.families(unit, {recipient.consent_key for recipient, _ in kinds})
    await locks.lock_addresses(unit, set().union(*people.values()))
    changes = [Change(*recipient.consent_key, kind, clock.now(), {"source": "send_refused"}) for recipient, kind in kinds]
    await ledger.record(unit, runtime.vault, runtime.hooks, changes)


async def _judge_health(unit: UnitOfWork, channel_id: UUID, results: list[Result]) -> None:
    """The newest word about the provider: one success makes the channel healthy again."""
    if any(isinstance(result.answer, Receipt) for result in results):
        await mark_healthy(unit, channel_id)
    elif refusal := next((result.answer for result in results if isinstance(result.answer, AuthFailed)), None):
        cause = refusal.cause if isinstance(refusal, AccountPaused) else "auth_failed"
        await mark_attention(unit, channel_id, cause, refusal.provider_text)
    else:
        down = [(result.claim.tries, result.answer) for result in results if isinstance(result.answer, Unavailable)]
        if down:
            tries, error = max(down, key=lambda one: one[0])
            until = clock.now() + timedelta(seconds=min(LONGEST_BACKOFF, 2.0 ** min(tries, 16)))
            await mark_failing(unit, channel_id, "provider_unavailable", until, error)


async def abandon_open_attempts(unit: UnitOfWork, channel_id: UUID) -> None:
    """Attempts that an earlier holder of the lane left open become `unknown`."""
    rows = await unit.sql.fetch(
        """
        WITH open AS (
            UPDATE attempt SET outcome = 'unknown', error = 'interrupted', finished_at = $3
            WHERE organisation_id = $1 AND channel_id = $2 AND outcome = 'sending' RETURNING part_id
        ), parts AS (
            UPDATE message_part SET state = CASE action WHEN 'message' THEN 'unknown' ELSE 'queued' END,
                   failure = CASE action WHEN 'message' THEN 'interrupted' ELSE '' END
            WHERE organisation_id = $1 AND id IN (SELECT part_id FROM open) AND state = 'sending' RETURNING message_id, action
        )
        UPDATE message SET failure = 'interrupted'
        WHERE organisation_id = $1 AND id IN (SELECT message_id FROM parts WHERE action = 'message') RETURNING id
        """,
        unit.tenant,
        channel_id,
        clock.now(),
    )
    if rows:
        note_messages_changed(unit, await draw_messages(unit, [row["id"] for row in rows]))
