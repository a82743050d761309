"""When users are awake: local hours of every zone, and curves of activity over the week.

A configuration enters; tables leave: the local hour of the week for each zone and hour of the
world, and for each chronotype how active and how receptive a user is in each of 168 hours. A
clock change takes effect at the step after it. Reference: the mixture of von Mises densities of
the anchors' hour shape, fitted to 671 M opens.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from bandit.slots import HOUR_MS, local_midnight_ms, offset_ms
from simulator.config import WorldConfig
from simulator.sections import Hours

__all__ = ["HOURS_A_WEEK", "N_PHASES", "Calendar", "calendar_of", "hours_of_week"]

HOURS_A_WEEK = 168
N_PHASES = 24
_WEEKDAYS = 7
_EPOCH_WEEKDAY = 3  # 1970-01-01 was a Thursday; Monday is 0
_SPARE_H = 24 * 8  # beyond the horizon: the last step's slots and delays

Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """Tables by zone and hour, and by chronotype and hour of the week.

    A chronotype is a row of the tables: ``phase + 24 · rotation``, the shift of its day in hours
    and of its week in days.
    """

    start_ms: int  # UTC midnight of the first day
    zones: tuple[str, ...]
    local: NDArray[np.int16]  # (Z, T) hour of the week, Monday 00:00 is 0
    activity: Float  # (168, 336) rows chronotypes, columns hours of two weeks, mean 1
    before: Float  # (168, 337) activity summed up to each hour
    receptivity: Float  # (168, 336) log activity, mean 0 over the hours from 8 to 22

    def hour_of_week(self, zone: NDArray[np.int8], hour: NDArray[np.int64]) -> NDArray[np.int64]:
        """Local hour of the week of each row, (N,)."""
        last = self.local.shape[1] - 1
        return np.asarray(self.local[zone, np.minimum(hour, last)], np.int64)

    def server_hour_of_week(
        self, zone: NDArray[np.int8], is_zone_known: NDArray[np.bool_], hour: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Hour of the week as a server reckons it, (N,): local, or UTC where no zone is known."""
        starts = self.start_ms // HOUR_MS + 24 * _EPOCH_WEEKDAY
        utc = (starts + hour) % HOURS_A_WEEK
        return np.where(is_zone_known, self.hour_of_week(zone, hour), utc)

    def activity_until(self, chronotype: NDArray[np.int16], hour: NDArray[np.int64]) -> Float:
        """Activity summed from a Monday's 00:00 to any later local ``hour``, (N,)."""
        weeks, rest = np.divmod(hour, HOURS_A_WEEK)
        of_week = self.before[chronotype, HOURS_A_WEEK]
        return np.asarray(self.before[chronotype, rest] + weeks * of_week)

    def activity_ahead(
        self, chronotype: NDArray[np.int16], hour_of_week: NDArray[np.int64], *, hours: int
    ) -> Float:
        """Activity summed over the next ``hours`` local hours, at most 168, (N,)."""
        return np.asarray(
            self.before[chronotype, hour_of_week + hours] - self.before[chronotype, hour_of_week]
        )


def calendar_of(config: WorldConfig) -> Calendar:
    """Build the tables of a configuration."""
    start_ms = local_midnight_ms(date.fromisoformat(config.clock.start_date), "UTC")
    n_hours = 24 * config.clock.horizon_days + _SPARE_H
    week = np.stack(
        [
            _week(config.hours, phase_h=phase, rotation=rotation)
            for rotation in range(_WEEKDAYS)
            for phase in range(N_PHASES)
        ]
    )
    activity = np.tile(week, 2)
    hour = np.arange(2 * HOURS_A_WEEK) % 24
    is_waking = (hour >= 8) & (hour < 22)
    log = np.log(activity)
    return Calendar(
        start_ms=start_ms,
        zones=config.clock.zones,
        local=hours_of_week(start_ms, n_hours, config.clock.zones),
        activity=activity,
        before=np.concatenate([np.zeros((len(week), 1)), np.cumsum(activity, axis=1)], axis=1),
        receptivity=log - log[:, is_waking].mean(axis=1, keepdims=True),
    )


def hours_of_week(start_ms: int, n_hours: int, zones: tuple[str, ...]) -> NDArray[np.int16]:
    """Local hour of the week of each zone in each hour from ``start_ms``, (Z, T)."""
    at_ms = start_ms + np.arange(n_hours, dtype=np.int64) * HOUR_MS
    local_h = np.stack([(at_ms + offset_ms(at_ms, zone)) // HOUR_MS for zone in zones])
    return ((local_h + 24 * _EPOCH_WEEKDAY) % HOURS_A_WEEK).astype(np.int16)


def _week(hours: Hours, *, phase_h: int, rotation: int) -> Float:
    """Activity of a chronotype in the 168 hours of the week, mean 1, (168,)."""
    hour = np.arange(HOURS_A_WEEK)
    weekday = (hour // 24 + rotation) % _WEEKDAYS
    is_weekend = (hour // 24) >= 5
    shift = phase_h + np.where(is_weekend, hours.weekend_shift_h, 0.0)
    shape = _day(hours, (hour % 24 + 0.5 - shift) % 24)
    # A wave over the week, the same for everyone up to its rotation.
    wave = 1.0 + hours.weekday_spread * np.sin(2.0 * np.pi * weekday / _WEEKDAYS)
    return np.asarray(shape * wave / (shape * wave).mean())


def _day(hours: Hours, local_h: Float) -> Float:
    """Mixture of von Mises bumps over a floor, in the shape of one day."""
    angle = 2.0 * np.pi * local_h / 24.0
    bumps = np.zeros_like(angle)
    for peak, share, kappa in zip(hours.peaks_h, hours.peak_shares, hours.peak_kappas, strict=True):
        # Scaled so that a bump's density has mean 1 over the day.
        bumps += share * np.exp(kappa * np.cos(angle - 2.0 * np.pi * peak / 24.0)) / np.i0(kappa)
    return np.asarray(hours.night_floor + bumps)
