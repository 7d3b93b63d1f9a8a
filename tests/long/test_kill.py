"""Nothing is lost when processes die under load (I1, I2, I5): B20 of the benchmarks, asserted. The short form runs always."""

import asyncio

import pytest

from benchmarks.b20 import Losses, kill_rounds
from benchmarks.place import Place


def survive(rounds: int, seed: int) -> Losses:
    with Place() as place:
        place.start_sandbox()
        return asyncio.run(kill_rounds(place, rounds, seed))


def check(losses: Losses) -> None:
    assert losses.accepted > 0
    assert (losses.missing, losses.doubled) == (0, 0), "each webhook answered 2xx is one message"
    assert set(losses.while_down) == {503}, losses.while_down
    assert set(losses.refused) <= {0, 503}, losses.refused
    assert losses.on_phones > 0
    assert losses.twice == 0, "nothing is sent twice"
    assert losses.only_claimed == 0, "what is called sent is on the phone"
    assert losses.unmarked == 0, "what is on the phone is called sent, or unknown"


@pytest.mark.timeout(110)
def test_two_blows_lose_nothing() -> None:
    check(survive(2, seed=4))


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", [1, 2])
def test_twenty_blows_lose_nothing(seed: int) -> None:
    losses = survive(20, seed)
    check(losses)
    assert len(set(losses.rounds)) == 7, "every kind of blow was struck"
