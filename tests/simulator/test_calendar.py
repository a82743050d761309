from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from simulator.calendar import HOURS_A_WEEK, N_PHASES, Calendar, calendar_of
from simulator.config import load

SPRING, AUTUMN = "2026-03-02", "2026-10-19"


def _calendar(start: str, *zones: str, **hours: Any) -> Calendar:
    shares = [1.0 / len(zones)] * len(zones)
    clock = {"start_date": start, "zones": list(zones), "zone_shares": shares, "horizon_days": 35}
    return calendar_of(load("ecommerce", clock=clock, hours=hours))


@pytest.mark.parametrize("start", [SPRING, AUTUMN])
@pytest.mark.parametrize(
    "zone",
    [
        "America/New_York",
        "Europe/London",
        "Asia/Kolkata",
        "Asia/Kathmandu",
        "Australia/Lord_Howe",
        "America/St_Johns",
    ],
)
def test_local_hours_are_those_of_the_time_zone_database(start: str, zone: str) -> None:
    """Hour by hour over the weeks of the clock changes, half hours and quarters included."""
    calendar = _calendar(start, zone)
    begin = datetime.fromisoformat(start).replace(tzinfo=UTC)
    for hour in range(24 * 35):
        local = (begin + timedelta(hours=hour)).astimezone(ZoneInfo(zone))
        expected = 24 * local.weekday() + local.hour
        assert calendar.local[0, hour] == expected, local


@pytest.mark.parametrize(
    ("zone", "start", "day", "n_hours"),
    [
        ("America/New_York", SPRING, "2026-03-08", 23),
        ("Europe/London", SPRING, "2026-03-29", 23),
        ("Europe/London", AUTUMN, "2026-10-25", 25),
        ("America/New_York", AUTUMN, "2026-11-01", 25),
    ],
)
def test_the_day_of_a_clock_change_has_its_real_hours(
    zone: str, start: str, day: str, n_hours: int
) -> None:
    """One is skipped in spring, one happens twice in autumn."""
    calendar = _calendar(start, zone)
    midnight = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone))
    # In hours of the world; the day after it begins at the next local midnight.
    at = int(
        (midnight.astimezone(UTC) - datetime.fromisoformat(start).replace(tzinfo=UTC))
        / timedelta(hours=1)
    )
    hours = calendar.local[0, at : at + 30]
    of_the_day = hours[hours // 24 == midnight.weekday()]
    assert len(of_the_day) == n_hours
    assert len(np.unique(of_the_day)) == min(n_hours, 24)


def test_an_hour_beyond_the_tables_stands_still_rather_than_fails() -> None:
    """Pending answers may reach past the horizon."""
    calendar = _calendar(SPRING, "UTC")
    far = calendar.hour_of_week(np.zeros(1, np.int8), np.array([10**6]))
    assert far == calendar.local[0, -1]


def test_every_curve_of_activity_has_mean_one_over_the_week() -> None:
    """So a user's rate is its mean rate, whatever its hours."""
    calendar = _calendar(SPRING, "UTC")
    assert calendar.activity.shape == (7 * N_PHASES, 2 * HOURS_A_WEEK)
    assert np.allclose(calendar.activity[:, :HOURS_A_WEEK].mean(axis=1), 1.0, atol=1e-12)
    assert np.array_equal(calendar.activity[:, :HOURS_A_WEEK], calendar.activity[:, HOURS_A_WEEK:])
    assert calendar.activity.min() > 0.0


def test_receptivity_has_mean_zero_over_waking_hours() -> None:
    """The log-odds that an hour adds neither raise nor lower the rate of a waking day."""
    calendar = _calendar(SPRING, "UTC")
    hour = np.arange(2 * HOURS_A_WEEK) % 24
    waking = calendar.receptivity[:, (hour >= 8) & (hour < 22)]
    assert np.allclose(waking.mean(axis=1), 0.0, atol=1e-12)


def test_activity_ahead_is_the_sum_of_the_hours_ahead() -> None:
    """Across the end of the week too."""
    calendar = _calendar(SPRING, "UTC")
    rng = np.random.default_rng(0)
    who, now = rng.integers(0, 168, 200).astype(np.int16), rng.integers(0, 168, 200)
    for hours in (1, 24, 168):
        summed = [calendar.activity[w, n : n + hours].sum() for w, n in zip(who, now, strict=True)]
        ahead = calendar.activity_ahead(who, now, hours=hours)
        assert np.allclose(ahead, summed, rtol=0, atol=1e-9)


def test_a_phase_shifts_the_day_and_leaves_its_shape() -> None:
    """Where weekdays and weekends are alike, phase 3 is phase 0 three hours later."""
    calendar = _calendar(SPRING, "UTC", weekday_spread=0.0, weekend_shift_h=0.0)
    early, late = calendar.activity[0, :24], calendar.activity[3, :24]
    assert np.allclose(np.roll(early, 3), late, atol=1e-12)


def test_the_evening_is_the_highest_and_the_night_the_lowest_hour() -> None:
    """The stated peaks: about half past eight in the evening; nights keep a floor."""
    calendar = _calendar(SPRING, "UTC", weekday_spread=0.0, weekend_shift_h=0.0)
    day = calendar.activity[0, :24]
    assert int(np.argmax(day)) in (20, 21)
    assert int(np.argmin(day)) in (1, 2, 3)
    assert 0.05 < day.min() / day.max() < 0.25


def test_weekends_are_shifted_by_the_stated_hours() -> None:
    """Three hours earlier on Saturdays, by the shape of the day."""
    calendar = _calendar(SPRING, "UTC", weekday_spread=0.0, weekend_shift_h=-3.0)
    monday, saturday = calendar.activity[0, :24], calendar.activity[0, 120:144]
    assert np.allclose(np.roll(monday, -3), saturday, atol=1e-12)


def test_weekdays_differ_by_the_stated_share() -> None:
    """A wave of ±8 % over the week."""
    calendar = _calendar(SPRING, "UTC", weekday_spread=0.08, weekend_shift_h=0.0)
    days = calendar.activity[0, :HOURS_A_WEEK].reshape(7, 24).mean(axis=1)
    assert np.allclose(days, 1.0 + 0.08 * np.sin(2.0 * np.pi * np.arange(7) / 7), atol=1e-12)


def test_a_server_without_a_zone_reckons_in_utc() -> None:
    """Local hours of the week where the zone is known, each row on its own clock."""
    calendar = _calendar(SPRING, "America/New_York", "Asia/Kolkata")
    zone, hour = np.array([0, 0, 1, 1], np.int8), np.array([0, 30, 30, 7 * 24 + 5])
    is_known = np.array([False, True, False, False])
    seen = calendar.server_hour_of_week(zone, is_known, hour)
    assert seen.tolist() == [0, 25, 30, 5]


def test_a_day_is_a_floor_and_a_bump_at_its_peak() -> None:
    """By hand: one sharp peak at half past twelve, e^κ ÷ I0(κ) above a floor of a quarter."""
    peak = {"peaks_h": [12.5], "peak_shares": [1.0], "peak_kappas": [50.0]}
    calendar = _calendar(SPRING, "UTC", **peak, weekday_spread=0.0, weekend_shift_h=0.0)
    day = calendar.activity[0, :24]
    height = np.exp(50.0) / np.i0(50.0)
    assert day[12] / day[0] == pytest.approx((0.25 + height) / 0.25)
    assert day[11] == pytest.approx(day[13])
    assert day.argmax() == 12


def test_a_rotation_shifts_the_week_by_days() -> None:
    """By hand: a wave of 8 % over the seven days, begun a day later for each."""
    calendar = _calendar(SPRING, "UTC", weekend_shift_h=0.0)
    by_day = calendar.activity[:, :HOURS_A_WEEK].reshape(7, N_PHASES, 7, 24).mean(axis=3)
    for rotation in range(7):
        wave = 1.0 + 0.08 * np.sin(2.0 * np.pi * (np.arange(7) + rotation) / 7.0)
        assert np.allclose(by_day[rotation], wave)
