"""The calendar engine. Acceptance examples of R-002 to R-008 stand here as the requirements give them, never computed."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.core.calendar import (
    Deadline,
    Rule,
    Step,
    Unit,
    after_hours,
    day_of,
    end_of_day,
    holiday_calendar,
    is_in_time,
    is_notice_in_time,
    last_day_of_notice,
    next_term,
    period_from_event,
    period_from_start,
    shift_193,
    terms,
)
from hub.core.errors import InvalidInput

BERLIN = ZoneInfo("Europe/Berlin")
DAYS = st.dates(date(2026, 1, 1), date(2030, 12, 31))
ZONES = st.sampled_from(["Europe/Berlin", "UTC", "Europe/Lisbon", "America/New_York", "Asia/Kathmandu", "Africa/Cairo"]).map(
    ZoneInfo
)


def d(text: str) -> date:
    return date.fromisoformat(text)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


# --- ends of days ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "instant"),
    [
        ("2026-04-03", "2026-04-03T22:00:00+00:00"),
        ("2026-02-14", "2026-02-14T23:00:00+00:00"),
        ("2026-03-28", "2026-03-28T23:00:00+00:00"),  # the night to summer time
        ("2026-03-29", "2026-03-29T22:00:00+00:00"),
        ("2026-10-24", "2026-10-24T22:00:00+00:00"),  # the night to winter time
        ("2026-10-25", "2026-10-25T23:00:00+00:00"),
        ("2028-02-29", "2028-02-29T23:00:00+00:00"),
        ("2030-12-31", "2030-12-31T23:00:00+00:00"),
    ],
)
def test_a_day_ends_at_24_local_time(day: str, instant: str) -> None:
    """R-002: a period ending on day D ends at D+1 00:00 of the seller's zone, kept as a UTC instant."""
    end = end_of_day(d(day), BERLIN)
    assert end == at(instant)
    assert end.tzinfo is UTC


def test_a_midnight_that_the_clocks_skip_is_the_moment_of_the_skip() -> None:
    """R-002 in other zones: Cairo goes from 24 April 2026, 00:00 to 01:00 (22:00 UTC)."""
    assert end_of_day(d("2026-04-23"), ZoneInfo("Africa/Cairo")) == at("2026-04-23T22:00:00+00:00")


@settings(deadline=None)
@given(DAYS, ZONES)
def test_days_follow_each_other_without_gap(day: date, zone: ZoneInfo) -> None:
    """R-002: the last microsecond before the end belongs to the day, the end itself to the next one."""
    end = end_of_day(day, zone)
    assert day_of(end - timedelta(microseconds=1), zone) == day
    assert day_of(end, zone) == day + timedelta(days=1)
    assert is_in_time(end - timedelta(microseconds=1), day, zone)
    assert not is_in_time(end, day, zone)


SPRING = {d("2026-03-29"), d("2027-03-28"), d("2028-03-26"), d("2029-03-25"), d("2030-03-31")}
AUTUMN = {d("2026-10-25"), d("2027-10-31"), d("2028-10-29"), d("2029-10-28"), d("2030-10-27")}


def test_every_day_has_24_hours_but_those_of_the_switches() -> None:
    """R-002, every day of 2026 to 2030 in Berlin: 23 hours on the last Sunday of March, 25 on that of October."""
    for ordinal in range(d("2026-01-01").toordinal(), d("2031-01-01").toordinal()):
        day = date.fromordinal(ordinal)
        length = end_of_day(day, BERLIN) - end_of_day(day - timedelta(days=1), BERLIN)
        assert length == timedelta(hours=23 if day in SPRING else 25 if day in AUTUMN else 24), day


def test_the_day_of_an_event_is_that_of_the_zone() -> None:
    """R-002: 22:30 UTC on 3 April is already the 4th in Berlin."""
    assert day_of(at("2026-04-03T22:30:00+00:00"), BERLIN) == d("2026-04-04")
    assert day_of(at("2026-04-03T22:30:00+00:00"), ZoneInfo("UTC")) == d("2026-04-03")


# --- periods ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "n", "unit", "end", "rule"),
    [
        ("2026-01-31", 1, Unit.MONTHS, "2026-02-28", Rule.MONTH_END),
        ("2028-01-31", 1, Unit.MONTHS, "2028-02-29", Rule.MONTH_END),
        ("2026-02-28", 1, Unit.MONTHS, "2026-03-28", Rule.EVENT),  # not the last day of March
        ("2026-08-31", 1, Unit.MONTHS, "2026-09-30", Rule.MONTH_END),
        ("2026-06-18", 6, Unit.WEEKS, "2026-07-30", Rule.EVENT),
        ("2026-11-30", 3, Unit.MONTHS, "2027-02-28", Rule.MONTH_END),
        ("2026-12-31", 1, Unit.MONTHS, "2027-01-31", Rule.EVENT),
        ("2028-02-29", 1, Unit.YEARS, "2029-02-28", Rule.MONTH_END),
        ("2026-12-02", 30, Unit.DAYS, "2027-01-01", Rule.EVENT),
    ],
)
def test_a_period_after_an_event_does_not_count_its_day(event: str, n: int, unit: Unit, end: str, rule: Rule) -> None:
    """R-003, § 187(1): a notice received on 31 January 2026 and a one-month period end on 28 February 2026."""
    assert period_from_event(d(event), n, unit) == Deadline(d(end), (Step(rule, d(event), d(end)),))


@pytest.mark.parametrize(
    ("start", "n", "unit", "end", "rule"),
    [
        ("2026-02-28", 12, Unit.MONTHS, "2027-02-27", Rule.START),
        ("2028-02-29", 12, Unit.MONTHS, "2029-02-28", Rule.MONTH_END),
        ("2026-01-31", 1, Unit.MONTHS, "2026-02-28", Rule.MONTH_END),  # the trap: not the 27th
        ("2026-01-29", 1, Unit.MONTHS, "2026-02-28", Rule.MONTH_END),
        ("2028-01-29", 1, Unit.MONTHS, "2028-02-28", Rule.START),  # 29 February exists: the day before it
        ("2026-01-28", 1, Unit.MONTHS, "2026-02-27", Rule.START),
        ("2026-03-01", 1, Unit.MONTHS, "2026-03-31", Rule.START),
        ("2026-01-01", 1, Unit.YEARS, "2026-12-31", Rule.START),
        ("2028-02-29", 4, Unit.YEARS, "2032-02-28", Rule.START),
        ("2026-03-02", 2, Unit.WEEKS, "2026-03-15", Rule.START),
        ("2026-03-02", 14, Unit.DAYS, "2026-03-15", Rule.START),
        ("2026-03-02", 1, Unit.DAYS, "2026-03-02", Rule.START),
    ],
)
def test_a_period_from_the_start_of_a_day_counts_it(start: str, n: int, unit: Unit, end: str, rule: Rule) -> None:
    """R-003, §§ 187(2), 188(3): a missing day becomes the last of the month, and no day is taken off it."""
    assert period_from_start(d(start), n, unit) == Deadline(d(end), (Step(rule, d(start), d(end)),))


@settings(deadline=None)
@given(DAYS, st.integers(1, 400))
def test_periods_in_days_and_weeks_have_their_length(day: date, n: int) -> None:
    """R-003, against counting on a list of days: after an event the n-th following day, from a start the n-th itself."""
    listed = [date.fromordinal(day.toordinal() + k) for k in range(7 * n + 1)]
    assert period_from_event(day, n, Unit.DAYS).day == listed[n]
    assert period_from_start(day, n, Unit.DAYS).day == listed[:n][-1]
    assert period_from_event(day, n, Unit.WEEKS).day == listed[7 * n]
    assert period_from_start(day, n, Unit.WEEKS).day == listed[: 7 * n][-1]


@settings(deadline=None)
@given(DAYS, st.integers(1, 60))
def test_periods_in_months_end_where_the_law_says(day: date, n: int) -> None:
    """R-003, against walking day by day: into the n-th following month, there to the same number or to the last day."""
    walked, crossed = day, 0
    while True:
        following = walked + timedelta(days=1)
        if crossed == n and (walked.day == day.day or following.month != walked.month):
            break
        crossed += following.month != walked.month
        walked = following
    assert period_from_event(day, n, Unit.MONTHS).day == walked
    found = walked.day == day.day
    assert period_from_start(day, n, Unit.MONTHS).day == (walked - timedelta(days=1) if found else walked)


@settings(deadline=None)
@given(DAYS, st.integers(1, 10))
def test_a_year_is_twelve_months(day: date, n: int) -> None:
    assert period_from_event(day, n, Unit.YEARS) == period_from_event(day, 12 * n, Unit.MONTHS)
    assert period_from_start(day, n, Unit.YEARS) == period_from_start(day, 12 * n, Unit.MONTHS)


# --- terms -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first_day", "months", "expected"),
    [
        (
            "2026-01-31",
            1,
            [("2026-01-31", "2026-02-28"), ("2026-03-01", "2026-03-31"), ("2026-04-01", "2026-04-30")],
        ),
        ("2028-02-29", 12, [("2028-02-29", "2029-02-28"), ("2029-03-01", "2030-02-28")]),
    ],
)
def test_renewals_chain(first_day: str, months: int, expected: list[tuple[str, str]]) -> None:
    """R-004, § 190: each term is counted from the day after the previous one, not from the first contract day."""
    chain = terms(d(first_day), months, len(expected))
    assert [(term.first_day.isoformat(), term.last_day.isoformat()) for term in chain] == expected
    assert next_term(chain[0].last_day, months) == chain[1]


@settings(deadline=None)
@given(DAYS, st.integers(1, 24), st.integers(2, 12))
def test_terms_leave_no_gap_and_do_not_overlap(first_day: date, months: int, n: int) -> None:
    """R-004: every day from the first on lies in exactly one term."""
    chain = terms(first_day, months, n)
    assert chain[0].first_day == first_day
    assert len(chain) == n
    for previous, term in pairwise(chain):
        assert term.first_day - previous.last_day == timedelta(days=1)
        assert term.first_day <= term.last_day
        assert term.last_day == period_from_start(term.first_day, months, Unit.MONTHS).day


# --- § 193 -----------------------------------------------------------------------------------------------------


def test_a_due_date_on_a_holiday_moves_to_the_next_working_day() -> None:
    """R-005: an invoice of 2026-12-02 payable in 30 calendar days falls on 2027-01-01 and becomes Monday 2027-01-04."""
    due = period_from_event(d("2026-12-02"), 30, Unit.DAYS)
    assert due.day == d("2027-01-01")
    assert shift_193(due, holiday_calendar()) == Deadline(
        d("2027-01-04"),
        (
            Step(Rule.EVENT, d("2026-12-02"), d("2027-01-01")),
            Step(Rule.WORKING_DAY, d("2027-01-01"), d("2027-01-04"), shifted_from=d("2027-01-01")),
        ),
    )


def test_a_cancellation_deadline_stays_on_a_sunday() -> None:
    """R-005: notice periods are not shifted; 2029-01-28 is a Sunday and stays (31 days to 2029-02-28)."""
    assert last_day_of_notice(d("2029-02-28"), 31).day == d("2029-01-28")


@pytest.mark.parametrize(("arrived_at", "in_time"), [("2026-02-28T23:59:59+01:00", True), ("2026-03-01T00:00:00+01:00", False)])
def test_an_objection_until_an_instant_of_effect_is_not_shifted(arrived_at: str, in_time: bool) -> None:
    """R-005: a price takes effect 2026-03-01 00:00; an objection after Saturday 2026-02-28 24:00 is late."""
    assert is_in_time(at(arrived_at), d("2026-02-28"), BERLIN) is in_time


@pytest.mark.parametrize(
    ("day", "shifted"),
    [
        ("2026-04-03", "2026-04-07"),  # Good Friday, over Easter Monday
        ("2026-12-25", "2026-12-28"),  # Christmas on a Friday
        ("2026-06-04", "2026-06-05"),  # Corpus Christi
        ("2026-06-05", "2026-06-05"),  # a working day stays, unexplained
        ("2029-12-31", "2029-12-31"),  # New Year's Eve is a working day
    ],
)
def test_shifts_over_weekends_and_holidays(day: str, shifted: str) -> None:
    """R-005 with R-008's calendar."""
    assert shift_193(Deadline(d(day)), holiday_calendar()).day == d(shifted)


@settings(deadline=None)
@given(DAYS)
def test_a_shift_ends_on_the_first_working_day_and_is_stable(day: date) -> None:
    """R-005: never earlier, nothing skipped; shifting again changes nothing."""
    calendar = holiday_calendar()
    shifted = shift_193(Deadline(day), calendar)
    assert calendar.is_working_day(shifted.day)
    between = [day + timedelta(days=k) for k in range((shifted.day - day).days)]
    assert not any(calendar.is_working_day(skipped) for skipped in between)
    assert shift_193(shifted, calendar) == shifted
    assert bool(shifted.steps) == (shifted.day != day)


# --- notice ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("arrived_at", "in_time"), [("2027-01-27T23:59:59+01:00", True), ("2027-01-28T00:00:00+01:00", False)])
def test_notice_counts_backward_from_the_end(arrived_at: str, in_time: bool) -> None:
    """R-006: E = 2027-02-27, N = 31; in time until 2027-01-27 24:00 in Berlin."""
    assert is_notice_in_time(at(arrived_at), d("2027-02-27"), 31, BERLIN) is in_time


@settings(deadline=None)
@given(DAYS, st.integers(1, 400), st.integers(-3, 3))
def test_notice_is_in_time_when_day_plus_period_is_not_after_the_end(end: date, days: int, off: int) -> None:
    """R-006: D + N <= E, any time of day D, also on the days of the clock switches."""
    last = last_day_of_notice(end, days)
    day = last.day + timedelta(days=off)
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=BERLIN)
    assert is_notice_in_time(noon, end, days, BERLIN) == (day + timedelta(days=days) <= end)
    assert last.steps == (Step(Rule.NOTICE, end, last.day),)


# --- hours -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("used_at", "accepted"), [("2026-03-29T12:59:59+02:00", True), ("2026-03-29T13:00:00+02:00", False)])
def test_hours_are_real_hours(used_at: str, accepted: bool) -> None:
    """R-007: a 24 h link issued 2026-03-28 12:00 CET expires at 13:00:00 CEST, 24 real hours later."""
    issued = datetime(2026, 3, 28, 12, 0, tzinfo=BERLIN)
    assert (at(used_at) < after_hours(issued, 24)) is accepted


@settings(deadline=None)
@given(st.datetimes(datetime(2026, 1, 1), datetime(2030, 12, 31), timezones=st.just(BERLIN)), st.integers(1, 1000))  # noqa: DTZ001
def test_hours_elapse_whatever_the_clocks_show(start: datetime, hours: int) -> None:
    """R-007: the difference on the UTC time line is the number of hours."""
    assert after_hours(start, hours).timestamp() - start.timestamp() == hours * 3600


# --- holidays --------------------------------------------------------------------------------------------------

FIXED = ("01-01", "01-06", "05-01", "10-03", "11-01", "12-25", "12-26")
MOVABLE = {  # Good Friday, Easter Monday, Ascension, Whit Monday, Corpus Christi
    2026: ("04-03", "04-06", "05-14", "05-25", "06-04"),
    2027: ("03-26", "03-29", "05-06", "05-17", "05-27"),
    2028: ("04-14", "04-17", "05-25", "06-05", "06-15"),
    2029: ("03-30", "04-02", "05-10", "05-21", "05-31"),
    2030: ("04-19", "04-22", "05-30", "06-10", "06-20"),
}


@pytest.mark.parametrize("year", [2026, 2027, 2028, 2029, 2030])
def test_the_built_in_calendar_is_exactly_that_of_baden_wuerttemberg(year: int) -> None:
    """R-008: twelve named days and no other; movable feasts as literals from the church calendar."""
    expected = {d(f"{year}-{day}") for day in (*FIXED, *MOVABLE[year])}
    days = [date.fromordinal(n) for n in range(d(f"{year}-01-01").toordinal(), d(f"{year + 1}-01-01").toordinal())]
    calendar = holiday_calendar()
    assert {day for day in days if calendar.is_holiday(day)} == expected
    assert {day for day in days if calendar.is_working_day(day)} == {day for day in days if day.weekday() < 5} - expected


@pytest.mark.parametrize(("day", "holiday"), [("2026-06-04", True), ("2026-01-06", True), ("2026-10-31", False)])
def test_corpus_christi_and_epiphany_are_holidays_reformation_day_is_not(day: str, holiday: bool) -> None:
    """R-008's own example."""
    assert holiday_calendar("DE-BW").is_holiday(d(day)) is holiday


def test_other_regions_are_selectable() -> None:
    """R-008: Reformation Day in Brandenburg, the national day in Austria; nationwide Germany has no Epiphany."""
    assert holiday_calendar("DE-BB").is_holiday(d("2026-10-31"))
    assert holiday_calendar("AT").is_holiday(d("2026-10-26"))
    assert not holiday_calendar("DE").is_holiday(d("2026-01-06"))


@pytest.mark.parametrize("region", ["", "XX", "DE-XX", "Baden-Württemberg"])
def test_an_unknown_region_is_refused(region: str) -> None:
    with pytest.raises(InvalidInput, match="no holiday calendar for"):
        holiday_calendar(region)


# --- what is no period ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [0, -1])
def test_a_period_without_length_is_refused(n: int) -> None:
    day = d("2026-01-01")
    for count in (
        lambda: period_from_event(day, n, Unit.DAYS),
        lambda: period_from_start(day, n, Unit.MONTHS),
        lambda: next_term(day, n),
        lambda: terms(day, 1, n),
        lambda: last_day_of_notice(day, n),
        lambda: after_hours(at("2026-01-01T00:00:00+00:00"), n),
    ):
        with pytest.raises(ValueError, match="1 or more"):
            count()


def test_a_naive_instant_is_refused() -> None:
    """R-002: an instant without a zone could be off by hours."""
    naive = at("2026-01-01T00:00:00")
    for ask in (
        lambda: day_of(naive, BERLIN),
        lambda: is_in_time(naive, d("2026-01-01"), BERLIN),
        lambda: is_notice_in_time(naive, d("2026-01-01"), 1, BERLIN),
        lambda: after_hours(naive, 1),
    ):
        with pytest.raises(ValueError, match="needs its zone"):
            ask()
