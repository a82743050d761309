"""Counts of what each user does in every hour of the week.

The same behaviour as :mod:`policies.baselines.behaviour_counts` takes enters, with the day of the
week it fell on; counts of user × (weekday, slot) leave beside the daily ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit.slots import DAY_MS
from policies.baselines.behaviour_counts import BehaviourCounts
from policies.baselines.factor_math import smoothed
from policies.checks import check_state

__all__ = ["N_WEEKDAYS", "WeekCounts", "weekday_of"]

Array = NDArray[np.float64]

N_WEEKDAYS = 7
_THURSDAY = 3  # 1 January 1970


def weekday_of(at_ms: NDArray[np.int64]) -> NDArray[np.int64]:
    """Day of the week of instants, Monday 0, by UTC.

    Examples
    --------
    >>> weekday_of(np.array([0, 4 * 86_400_000])).tolist()
    [3, 0]
    """
    return np.asarray((at_ms // DAY_MS + _THURSDAY) % N_WEEKDAYS)


@dataclass(slots=True)
class WeekCounts(BehaviourCounts):
    """Daily counts and those of the week; both fade alike."""

    by_week: Array = field(init=False)  # (U, 7·S)
    weeks: Array = field(init=False)  # (7,) periods that fell on each weekday
    _scores: tuple[int, Array] | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        BehaviourCounts.__post_init__(self)
        self.by_week = np.zeros((self.n_users, N_WEEKDAYS * self.n_slots))
        self.weeks = np.zeros(N_WEEKDAYS)

    def observe(
        self,
        *,
        item_user: NDArray[np.int64],
        item: NDArray[np.int64],
        slot_user: NDArray[np.int64],
        slot: NDArray[np.int64],
        weekday: int | NDArray[np.int64] = 0,
    ) -> None:
        """Take one period that fell on a weekday, or on two where users' clocks differ."""
        # Not `super()`: a dataclass with slots is another class than the one that is written here.
        BehaviourCounts.observe(
            self,
            item_user=item_user,
            item=item,
            slot_user=slot_user,
            slot=slot,
            weekday=weekday,
        )
        if self.is_frozen:
            return
        self._scores = None
        hour = np.asarray(weekday) * self.n_slots + slot
        visitor, visited = self._pairs("hour", slot_user, hour, N_WEEKDAYS * self.n_slots)
        fade = 0.5 ** (1.0 / self.params.half_life)
        self.by_week *= fade
        self.weeks *= fade
        self.by_week[visitor, visited] += 1.0
        self.weeks[_most_common(np.asarray(weekday))] += 1.0

    def week_rates(self) -> Array:
        """P(active) in each hour of the week as counted, (U, 7·S).

        On a day of the week that never came, what is counted over all days.
        """
        daily = self.by_slot / max(self.periods, 1.0)
        by_day = self.by_week.reshape(self.n_users, N_WEEKDAYS, self.n_slots)
        came = self.weeks > 0
        rates = np.where(
            came[:, None], by_day / np.where(came, self.weeks, 1.0)[:, None], daily[:, None, :]
        )
        return rates.reshape(self.by_week.shape)

    def scores(self, *, n_factors: int) -> Array:
        """Rates of the week by latent factors, (U, 7·S); kept until more is observed."""
        if self._scores is None or self._scores[0] != n_factors:
            self._scores = n_factors, smoothed(self.week_rates(), n_factors=n_factors)
        return self._scores[1]

    def state(self) -> dict[str, NDArray[Any]]:
        """Return a copy of the counts, as named arrays."""
        week = {"by_week": self.by_week.copy(), "weeks": self.weeks.copy()}
        return BehaviourCounts.state(self) | week

    def load(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Restore what :meth:`state` returned."""
        self._scores = None
        check_state(state, {"by_week": self.by_week.shape, "weeks": self.weeks.shape})
        BehaviourCounts.load(self, state)
        self.by_week = np.array(state["by_week"], np.float64)
        self.weeks = np.array(state["weeks"], np.float64)


def _most_common(weekday: NDArray[np.int64]) -> int:
    """The day that a period is taken to have fallen on; Monday where nobody says."""
    return int(np.bincount(weekday.ravel(), minlength=N_WEEKDAYS).argmax())
