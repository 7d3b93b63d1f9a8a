"""A withdrawal in one process against a claim in another (design 5, I4): of any two at once one is first, and nothing leaves after
a withdrawal has committed."""

import asyncio
import sys
from collections import Counter

import pytest

from hub.consent.books.chain import Change
from hub.core import clock
from hub.inbox.sending.outbound import Program, submit
from tests.consent.support import define_purpose, grant, record
from tests.support import HubUnderTest, telegram_text

ROUNDS = 24
ATTEMPTS = "SELECT count(*) FROM attempt a JOIN message_part p ON p.id = a.part_id WHERE p.message_id = $1"


@pytest.mark.usefixtures("environment")
async def test_a_withdrawal_and_a_claim_of_two_processes_never_overlap(hub: HubUnderTest) -> None:
    """R-223: a newsletter waits; its purpose is withdrawn here while the other process claims, now a little earlier, now later.
    Either it was claimed first, and there is an attempt, or it ended as `no_consent` and there is none."""
    channel, letter = await hub.connect(), await define_purpose(hub)
    other = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.consent.racer", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert other.stdin and other.stdout
    try:
        assert await other.stdout.readline() == b"ready\n"
        outcomes: Counter[tuple[int, str]] = Counter()
        for number in range(1, ROUNDS + 1):
            person = 5_000_000_000 + number
            await hub.deliver(channel, telegram_text(number, "Hallo", user=person))
            await hub.settle()
            talk = await hub.value(
                "SELECT c.id FROM conversation c JOIN identity i ON i.id = c.identity_id WHERE i.provider_user_id = $1", str(person)
            )
            key = ("telegram", "", str(person))
            await grant(hub, letter, key)
            program = Program(hub.organisation_id)
            message_id = await submit(hub.runtime, program, talk, text="Neues", purpose_id=letter, client_key="n")
            hub.clock.advance(seconds=1)
            other.stdin.write(f"{hub.organisation_id} {channel.id}\n".encode())
            for _ in range(number % 6 * 40):
                await asyncio.sleep(0)  # the other one gets a start that differs from round to round
            withdrawal = Change(*key, "withdrawn", clock.now(), {"source": "test"}, purpose_id=letter)
            claimed, _ = await asyncio.gather(other.stdout.readline(), record(hub, withdrawal))
            state = await hub.value("SELECT state FROM message_part WHERE message_id = $1", message_id)
            attempts = await hub.value(ATTEMPTS, message_id)
            assert int(claimed) == attempts
            outcomes[attempts, state] += 1
            await record(hub, Change(*key, "withdrawn", clock.now(), {"source": "test"}, purpose_id=letter))
        assert set(outcomes) <= {(1, "sending"), (0, "failed")}
    finally:
        other.stdin.close()
        await other.wait()
    assert other.returncode == 0
