"""A hundred thousand changed samples of each messenger: no exception outside the contract."""

import pytest

from tests.connectors.mutations import must_be_understood, mutated
from tests.connectors.samples import ALL, Samples

pytestmark = [pytest.mark.long, pytest.mark.timeout(1200)]

COUNT = 100_000


@pytest.mark.parametrize("samples", ALL, ids=str)
def test_changed_samples_are_events_or_malformed(samples: Samples) -> None:
    for _, body in mutated(samples, COUNT):
        must_be_understood(samples, body)
