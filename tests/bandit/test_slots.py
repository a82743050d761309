from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandit.errors import BadInputError
from bandit.slots import HOUR_MS, day_windows, full_hours, local_midnight_ms, offset_ms, zone_of

NEW_YORK, BERLIN, KOLKATA = "America/New_York", "Europe/Berlin", "Asia/Kolkata"
LORD_HOWE = "Australia/Lord_Howe"  # its clock changes by half an hour


def ms(text: str) -> int:
    """Milliseconds of an ISO instant with its zone."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def clock(at_ms: int, zone: str) -> str:
    return datetime.fromtimestamp(at_ms / 1000, ZoneInfo(zone)).strftime("%H:%M")


@pytest.mark.parametrize("zone", [NEW_YORK, BERLIN, KOLKATA, LORD_HOWE, "UTC"])
def test_offsets_are_those_of_the_zone_database(zone: str) -> None:
    """Every 50 minutes over a year, clock changes included."""
    at_ms = np.arange(ms("2026-01-01T00:00+00:00"), ms("2027-01-01T00:00+00:00"), 50 * 60_000)
    expected = [
        datetime.fromtimestamp(at / 1000, ZoneInfo(zone)).utcoffset().total_seconds() * 1000  # type: ignore[union-attr]
        for at in at_ms
    ]
    np.testing.assert_array_equal(offset_ms(at_ms, zone), expected)


def test_now_then_the_next_23_full_local_hours() -> None:
    """The default grid; slot 0 ends at the next full hour."""
    grid = full_hours(np.array([ms("2026-07-01T10:20+05:30")]), [KOLKATA])
    assert grid.n_slots == 24
    assert clock(int(grid.start_ms[0, 0]), KOLKATA) == "10:20"
    assert [clock(int(at), KOLKATA) for at in grid.start_ms[0, 1:4]] == ["11:00", "12:00", "13:00"]
    np.testing.assert_array_equal(grid.start_ms[0, 1:], grid.end_ms[0, :-1])


@pytest.mark.parametrize(
    ("at", "shown"),
    [
        ("2026-03-29T00:30+01:00", ["00:30", "01:00", "03:00", "04:00"]),
        ("2026-10-25T01:30+02:00", ["01:30", "02:00", "02:00", "03:00"]),
    ],
)
def test_a_clock_change_skips_or_repeats_an_hour(at: str, shown: list[str]) -> None:
    """Real hours only: the hour that is skipped is no slot, the one that repeats is two."""
    grid = full_hours(np.array([ms(at)]), [BERLIN], n_slots=4)
    assert [clock(int(start), BERLIN) for start in grid.start_ms[0]] == shown


@pytest.mark.parametrize(
    ("at", "shown"),
    [
        ("2026-10-04T00:20+10:30", ["00:20", "01:00", "03:00", "04:00", "05:00"]),
        ("2026-04-05T00:20+11:00", ["00:20", "01:00", "02:00", "03:00", "04:00"]),
    ],
)
def test_slots_stay_on_full_hours_where_the_clock_moves_by_half_of_one(
    at: str, shown: list[str]
) -> None:
    """Lord Howe, at two in the morning: forward to 2:30, back to 1:30."""
    grid = full_hours(np.array([ms(at), ms(at) + 12 * HOUR_MS]), [LORD_HOWE] * 2, n_slots=5)
    assert [clock(int(start), LORD_HOWE) for start in grid.start_ms[0]] == shown
    lengths_h = (grid.end_ms - grid.start_ms)[0, 1:] / HOUR_MS
    assert lengths_h.tolist() == [1.5, 1.0, 1.0, 1.0]
    assert (np.diff(grid.end_ms[1]) == HOUR_MS).all()


@given(st.integers(ms("2020-01-01T00:00+00:00"), ms("2035-01-01T00:00+00:00")))
def test_slots_touch_and_never_overlap(at_ms: int) -> None:
    """In every zone, at any instant."""
    zones = [NEW_YORK, BERLIN, KOLKATA, "Pacific/Chatham", LORD_HOWE]
    grid = full_hours(np.full(5, at_ms), zones)
    assert (grid.start_ms[:, 0] == at_ms).all()
    np.testing.assert_array_equal(grid.start_ms[:, 1:], grid.end_ms[:, :-1])
    assert (np.diff(grid.start_ms[:4, 1:], axis=1) == HOUR_MS).all()
    for zone, end_ms in zip(zones, grid.end_ms, strict=True):
        assert {clock(int(end), zone)[-3:] for end in end_ms} == {":00"}


@pytest.mark.parametrize(
    ("day", "hours"),
    [
        (date(2026, 3, 8), [3, 4, 4, 4, 4, 4]),
        (date(2026, 11, 1), [5, 4, 4, 4, 4, 4]),
        (date(2026, 6, 1), [4] * 6),
    ],
)
def test_windows_of_a_day_with_a_clock_change_have_its_real_hours(
    day: date, hours: list[int]
) -> None:
    """New York: 23, 25 and 24 hours."""
    grid = day_windows(day, NEW_YORK, n_rows=3, edges_h=(0, 4, 8, 12, 16, 20, 24))
    assert ((grid.end_ms - grid.start_ms)[2] // HOUR_MS).tolist() == hours
    assert grid.start_ms[0, 0] == local_midnight_ms(day, NEW_YORK)


def test_a_grid_of_no_hours_is_refused() -> None:
    with pytest.raises(BadInputError, match="at least one slot"):
        full_hours(np.array([0]), ["UTC"], n_slots=0)


def test_windows_that_a_clock_change_swallows_are_refused() -> None:
    """Between two and three in New York there is nothing on that day."""
    with pytest.raises(BadInputError, match="slot 1: leave out hours that a clock change skips"):
        day_windows(date(2026, 3, 8), NEW_YORK, n_rows=1, edges_h=(0, 2, 3, 24))


def test_a_zone_that_is_none_is_refused_by_name() -> None:
    """With what a zone looks like."""
    with pytest.raises(BadInputError, match="America/New_York"):
        zone_of("Middle/Earth")
    assert datetime.fromtimestamp(0, zone_of("UTC")) == datetime(1970, 1, 1, tzinfo=UTC)
