from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from bandit.errors import BadInputError
from encoders.clock import N_CALENDAR, calendar_features, clock_cells, local_ms

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
NEW_YORK = "America/New_York"


def instant(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp() * 1000)  # type: ignore[misc, arg-type]


def cells(at_ms: int, zone: str | None) -> tuple[int, int]:
    hour, weekday = clock_cells(np.array([at_ms]), zone)
    return int(hour[0]), int(weekday[0])


@pytest.mark.parametrize(
    "zone",
    ["UTC", NEW_YORK, "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Chatham"],
)
def test_the_wall_clock_is_that_of_the_zone_database_all_year(zone: str) -> None:
    """Against the standard library, every 5 h 7 min of a leap year; half and quarter hours too."""
    at = np.arange(instant(2024, 1, 1), instant(2025, 1, 2), 5 * HOUR_MS + 7 * 60_000)
    hour, weekday = clock_cells(at, zone)
    expected = [datetime.fromtimestamp(ms / 1000, ZoneInfo(zone)) for ms in at.tolist()]
    assert hour.tolist() == [moment.hour for moment in expected]
    assert weekday.tolist() == [moment.weekday() for moment in expected]


def test_the_hour_that_spring_skips_is_never_shown() -> None:
    """New York, 9 March 2025: a millisecond after 01:59:59.999 it is three o'clock."""
    jump = instant(2025, 3, 9, 7)
    assert cells(jump - 1, NEW_YORK) == (1, 6)
    assert cells(jump, NEW_YORK) == (3, 6)


def test_the_hour_that_autumn_repeats_is_shown_twice() -> None:
    """New York, 2 November 2025: five and six o'clock UTC are both one in the morning."""
    first, second = instant(2025, 11, 2, 5), instant(2025, 11, 2, 6)
    assert cells(first, NEW_YORK) == cells(second, NEW_YORK) == (1, 6)
    found = calendar_features(np.array([first, second]), NEW_YORK)
    np.testing.assert_array_equal(found[0], found[1])


def test_the_leap_day_is_the_thursday_it_was() -> None:
    assert cells(instant(2024, 2, 29, 12), "UTC") == (12, 3)
    assert cells(instant(2024, 3, 1, 12), "UTC") == (12, 4)


def test_instants_before_1970_keep_their_clock() -> None:
    assert cells(instant(1969, 12, 31, 23, 30), "UTC") == (23, 2)


def test_a_span_too_long_for_a_table_gives_the_same_clock() -> None:
    at = np.array([instant(1975, 7, 1, 12), instant(2025, 7, 1, 12)])
    together = local_ms(at, NEW_YORK)
    apart = [int(local_ms(at[k : k + 1], NEW_YORK)[0]) for k in range(2)]
    assert together.tolist() == apart == (at - 4 * HOUR_MS).tolist()


@pytest.mark.parametrize("zone", ["Africa/Casablanca", "America/Caracas", "Australia/Lord_Howe"])
def test_years_far_apart_have_the_clock_of_the_zone_database(zone: str) -> None:
    """Zones that turn four times a year, by half an hour, or once for ever; 1970 to 2033."""
    at = np.random.default_rng(5).integers(0, 2_000_000_000_000, 600)
    found = local_ms(at, zone) - at
    moments = [datetime.fromtimestamp(ms / 1000, ZoneInfo(zone)) for ms in at.tolist()]
    expected = [offset.total_seconds() for m in moments if (offset := m.utcoffset()) is not None]
    np.testing.assert_array_equal(found, np.array(expected) * 1000)


def test_a_question_thousands_of_years_ahead_has_a_clock() -> None:
    at = np.array([instant(2025, 1, 1), instant(8000, 1, 1)])
    assert clock_cells(at, NEW_YORK)[0].tolist() == [19, 19]


@pytest.mark.parametrize("at_ms", [1_700_000_000_000_000, -(10**15), 2**62])
def test_instants_beyond_the_calendar_are_refused(at_ms: int) -> None:
    """Microseconds taken for milliseconds are the year 55 840."""
    with pytest.raises(BadInputError, match="microseconds"):
        local_ms(np.array([0, at_ms]), NEW_YORK)


def test_waves_equal_sines_of_their_own() -> None:
    """Angle addition against sin and cos of each multiple, all over a year."""
    at = np.random.default_rng(6).integers(instant(2024, 1, 1), instant(2025, 1, 1), 5000)
    local = local_ms(at, NEW_YORK)
    day = 2 * np.pi * (local % DAY_MS) / DAY_MS
    week = 2 * np.pi * clock_cells(at, NEW_YORK)[1] / 7
    phases = [k * day for k in (1, 2, 3)] + [k * week for k in (1, 2)]
    expected = np.column_stack([wave(phase) for phase in phases for wave in (np.sin, np.cos)])
    np.testing.assert_allclose(calendar_features(at, NEW_YORK)[:, :10], expected, atol=1e-7)


def test_harmonics_by_hand() -> None:
    """Saturday, 6 January 2024, 06:00: a quarter of the day, weekday 5, a weekend."""
    found = calendar_features(np.array([instant(2024, 1, 6, 6)]), "UTC")[0]
    week = 2 * np.pi * 5 / 7
    day = [1, 0, 0, -1, -1, 0]
    weekly = [np.sin(week), np.cos(week), np.sin(2 * week), np.cos(2 * week)]
    np.testing.assert_allclose(found, [*day, *weekly, 0, 0, 1], atol=1e-6)


def test_an_unknown_zone_has_no_calendar() -> None:
    found = calendar_features(np.zeros((2, 3), np.int64), None)
    assert found.shape == (2, 3, N_CALENDAR)
    assert not found.any()


def test_the_yearly_pair_is_filled_on_request_only() -> None:
    at = np.array([instant(2024, 4, 1)])
    assert not calendar_features(at, "UTC")[0, 10:12].any()
    assert np.hypot(*calendar_features(at, "UTC", yearly=True)[0, 10:12]) == pytest.approx(1)


def test_no_instants_have_no_clock() -> None:
    assert local_ms(np.zeros(0, np.int64), NEW_YORK).shape == (0,)
