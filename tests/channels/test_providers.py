"""What the records of the providers say of where a messenger may be used (R-193)."""

import pytest

from hub.channels.providers import provider_of


@pytest.mark.parametrize(("country", "may"), [("DE", True), ("AT", True), ("GB", True), ("CH", False), ("FR", False)])
def test_threema_is_for_seats_in_three_countries(country: str, may: bool) -> None:
    assert provider_of("threema").takes_seat_in(country) is may


def test_others_are_for_seats_anywhere() -> None:
    assert provider_of("telegram").takes_seat_in("CH")
