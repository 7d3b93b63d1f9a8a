"""B1 and B3 with a long history: two hubs side by side, one of them with a million messages that were there before."""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final

from benchmarks import b1, b3
from benchmarks.load import FIRST_NUMBER, FIRST_PERSON
from benchmarks.place import Place, second_place
from benchmarks.report import Figure, Section

GOAL: Final = 0.9
"""At most 10 % less than without a history."""
FIRST_OLD: Final = 500_000_000
"""Provider's numbers of old messages: between those that the simulator gives and those of the load generator."""


@dataclass(frozen=True)
class History:
    """What is there before anything is measured."""

    conversations: int
    messages_each: int

    @property
    def messages(self) -> int:
        return self.conversations * self.messages_each


async def fill(place: Place, history: History) -> None:
    """Give each conversation so many older messages, one an hour, by turns from the customer and from us, every tenth with a file:
    with parts, attempts, provider keys and attachments, as if all had gone the road. Written as the superuser with triggers off:
    everything fits by construction, but the files are not in the store, where none of the measured roads looks for them."""
    written = await place.value(
        """
        WITH off AS MATERIALIZED (
            SELECT set_config('session_replication_role', 'replica', false) AS role
        ), said AS (
            INSERT INTO message (organisation_id, id, conversation_id, seq, direction, kind, text, content, at, sequence,
                                 arrived_at, author_id, session_id, client_key, state, failure, failure_text)
            SELECT c.organisation_id, uuidv7(-old.age), c.id, c.last_seq + old.no, old.direction, old.kind,
                   'Guten Tag, das ist die Nachricht ' || old.no || ' von früher, so lang wie eine gewöhnliche.',
                   CASE old.kind WHEN 'media' THEN '{"media": "document"}' ELSE '{}' END::jsonb,
                   c.created_at - old.age, $2 + old.no, c.created_at - old.age, NULL, NULL, NULL,
                   CASE old.direction WHEN 'out' THEN 'sent' END, '', ''
            FROM off
            CROSS JOIN LATERAL (
                SELECT no, ($1 - no + 1) * interval '1 hour' AS age, CASE WHEN no % 2 = 0 THEN 'out' ELSE 'in' END AS direction,
                       CASE WHEN no % 20 IN (0, 9) THEN 'media' ELSE 'text' END AS kind
                FROM generate_series(1, $1) AS no
            ) AS old
            CROSS JOIN conversation c
            WHERE off.role = 'replica'
            ORDER BY old.no, c.id
            RETURNING organisation_id, id, conversation_id, seq, direction, kind, sequence, at, text
        ), placed AS (
            SELECT said.*, c.channel_id, i.provider_user_id, 'm::' || i.provider_user_id || ':' || said.sequence AS key,
                   uuidv7() AS part_id, CASE said.kind WHEN 'media' THEN uuidv7() END AS file_id
            FROM said
            JOIN conversation c ON c.organisation_id = said.organisation_id AND c.id = said.conversation_id
            JOIN identity i ON i.organisation_id = c.organisation_id AND i.id = c.identity_id
        ), parts AS (
            INSERT INTO message_part (organisation_id, id, message_id, part_no, conversation_id, channel_id, message_seq, text,
                                      content, priority, state, due_at, tries)
            SELECT organisation_id, part_id, id, 0, conversation_id, channel_id, seq, text,
                   CASE WHEN file_id IS NULL THEN '{}'
                        ELSE jsonb_build_object('media', 'document', 'files', ARRAY[replace(file_id::text, '-', '')]) END,
                   0, 'sent', at, 1
            FROM placed WHERE direction = 'out'
        ), files AS (
            INSERT INTO attachment (organisation_id, id, conversation_id, channel_id, message_id, position, kind, ref, "unique",
                                    event_key, name, mime, size, label, caption, state, reason, scanned, sha256, has_thumbnail,
                                    due_at, tries, created_at, stored_at)
            SELECT organisation_id, file_id, conversation_id, channel_id, id, 1, 'document',
                   CASE direction WHEN 'in' THEN 'BQACAgIAAxkB' || sequence ELSE '' END,
                   CASE direction WHEN 'in' THEN 'AgAD' || sequence ELSE '' END, CASE direction WHEN 'in' THEN key ELSE '' END,
                   'Rechnung.pdf', 'application/pdf', 809, '', CASE direction WHEN 'in' THEN text ELSE '' END, 'stored', '',
                   'unscanned', sha256(file_id::text::bytea), false, at, CASE direction WHEN 'in' THEN 1 ELSE 0 END, at, at
            FROM placed WHERE file_id IS NOT NULL
        ), attempts AS (
            INSERT INTO attempt (organisation_id, id, part_id, channel_id, no, permit_at, facts_version, fence, finished_at,
                                 outcome, error, provider_code, provider_text)
            SELECT organisation_id, uuidv7(), part_id, channel_id, 1, at, '', 0, at, 'accepted', '', '', ''
            FROM placed WHERE direction = 'out'
        ), keys AS (
            INSERT INTO provider_key (organisation_id, channel_id, key, message_id, part_no)
            SELECT organisation_id, channel_id, key, id, 0 FROM placed
        ), moved AS (
            UPDATE conversation SET last_seq = last_seq + $1
        )
        SELECT count(*) FROM placed
        """,
        history.messages_each,
        FIRST_OLD,
    )
    assert written == history.messages, (written, history)


async def measure(place: Place, *, quick: bool) -> Section:
    """The empty hub is the given place, the one with a history a second place beside it; their runs alternate."""
    section = Section("history", "B1 and B3 with a long history")
    history = History(200, 500) if quick else History(2000, 500)
    runs, seconds, count = (2, 4.0, 1000) if quick else (5, 8.0, 5000)
    people = [FIRST_PERSON + number for number in range(history.conversations)]
    accepted: dict[bool, list[float]] = {False: [], True: []}
    applied: dict[bool, list[float]] = {False: [], True: []}
    sent: dict[bool, list[float]] = {False: [], True: []}
    async with AsyncExitStack() as stack:
        old = await stack.enter_async_context(second_place())
        roads = {}
        for is_old, one in ((False, place), (True, old)):
            one.start_hub()
            sending = await b3.set_up(one, await stack.enter_async_context(one.runtime()), people)
            receiving = b1.Run(one, section, 0, first=FIRST_NUMBER + len(people), people=len(people))
            roads[is_old] = receiving, sending
        await fill(old, history)
        for receiving, sending in roads.values():
            await receiving.accepted(sending.shop, 2.0)
            await sending.dispatch(200)
            await receiving.place.vacuum()
        for number in range(runs):
            section.note_load()
            turns = [bool(number % 2), not number % 2]  # who goes first changes
            for is_old in turns:
                receiving, sending = roads[is_old]
                accepted[is_old].append((await receiving.accepted(sending.shop, seconds)).per_second)
            for is_old in turns:
                receiving, sending = roads[is_old]
                applied[is_old].append(await receiving.applied(sending.shop, seconds))
            for is_old in turns:
                sent[is_old].append(await roads[is_old][1].dispatch(count))
        lost = sum(receiving.lost for receiving, _ in roads.values())
        outcomes = sum([await one.value("SELECT count(*) FROM attempt WHERE outcome <> 'accepted'") for one in (place, old)])
    section.figures = []
    for name, values in (
        ("B1 a: accepted a second", accepted),
        ("B1 b: applied a second, 1 channel", applied),
        ("B3: messages out a second", sent),
    ):
        section.figures += [
            Figure(f"{name}, empty", values[False]),
            Figure(f"{name}, with a history", values[True]),
            Figure("share", [one / other for one, other in zip(values[True], values[False], strict=True)], goal=GOAL, digits=2),
        ]
    section.figures += [
        Figure("webhooks lost or doubled in any run", [lost], goal=0, better="less"),
        Figure("attempts not accepted", [outcomes], goal=0, better="less"),
    ]
    section.notes = [
        f"{history.messages:,} messages in {history.conversations:,} conversations, half of them ours with part, attempt and "
        "provider key, every tenth with a file; the empty hub knows the same people. Two installations, each with PostgreSQL, "
        "Valkey, web process, worker and simulator of its own; the one that is not measured stands idle.",
        "Both were vacuumed and analysed once before, as autovacuum does.",
    ]
    return section
