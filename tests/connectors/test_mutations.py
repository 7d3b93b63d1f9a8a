"""Two thousand changed samples of each messenger: no exception outside the contract. A hundred thousand in `tests/long/`."""

import pytest

from tests.connectors.mutations import must_be_understood, mutated
from tests.connectors.samples import ALL, Samples

COUNT = 2_000


@pytest.mark.parametrize("samples", ALL, ids=str)
def test_changed_samples_are_events_or_malformed(samples: Samples) -> None:
    for _, body in mutated(samples, COUNT):
        must_be_understood(samples, body)


def test_changes_differ_and_are_the_same_in_every_run() -> None:
    first, again = ([body for _, body in mutated(ALL[0], 200)] for _ in range(2))
    assert first == again
    assert len(set(first)) > 150
