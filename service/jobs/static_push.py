"""The best that a calendar can do: one item for everybody, at one local hour, so often a week.

A table of popularity, an hour and a number of sends a week enter; probabilities leave. Nothing is
learned: what learns has to be better than this. Weekdays are spread over users, so that every day
sees the same number of sends.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bandit.actions import Request, action_of
from bandit.draws import mix64
from bandit.errors import BadInputError
from bandit.outcomes import Feedback, RewardScheme
from bandit.protocols import Estimate, State
from bandit.slots import DAY_MS, HOUR_MS, offset_ms

__all__ = ["StaticPush"]

Array = NDArray[np.float64]
_WEEK = 7


class StaticPush:
    """The most popular item of the short list at one local hour.

    Parameters
    ----------
    popularity : ndarray, (I,)
        By item id; larger is more popular.
    scheme : RewardScheme
        What a reward is; only its number of components is read.
    hour : int
        Local hour of the day, 0 to 23; users of unknown zone live in UTC.
    per_week : int
        Sends a week, 1 to 7.

    Raises
    ------
    BadInputError
        For an hour or a number of sends that is none.
    """

    policy_id = "static_push"
    cannot: ClassVar[Mapping[str, str]] = {"learns_identity": "nothing is learned by design"}

    def __init__(
        self, popularity: Array, scheme: RewardScheme, *, hour: int = 20, per_week: int = 3
    ) -> None:
        # An hour and a half past nine would be no hour, and nothing ever sent.
        if type(hour) is not int or not 0 <= hour < 24:
            raise BadInputError(f"expected static_push.hour from 0 to 23, got {hour!r}")
        if type(per_week) is not int or not 1 <= per_week <= _WEEK:
            raise BadInputError(f"expected static_push.per_week from 1 to 7, got {per_week!r}")
        self.popularity, self.scheme = popularity, scheme
        self.hour, self.per_week = hour, per_week

    def pmf(self, request: Request, key: int) -> Array:
        """All mass on the one push where it is due and may be sent, else on hold, (N, A)."""
        n, rows = request.n_rows, np.arange(request.n_rows)
        slot, has_hour = self._slot(request)
        item = np.argmax(self.popularity[request.items], axis=1)
        action = action_of(item, slot, n_slots=request.n_slots)
        mask = request.mask
        sends = has_hour & self._is_due(request) & mask[rows, action]
        # Where hold is masked a send is due whatever the day.
        action = np.where(sends, action, np.where(mask[:, 0], 0, np.argmax(mask, axis=1)))
        pmf = np.zeros((n, request.n_actions))
        pmf[rows, action] = 1.0
        return pmf

    def estimate(self, request: Request) -> Estimate:
        """No belief: zeros."""
        base = np.zeros((request.n_rows, len(self.scheme)))
        uplift = np.zeros((request.n_rows, request.n_actions, len(self.scheme)))
        return Estimate(base_mean=base, base_sd=base, uplift_mean=uplift, uplift_sd=uplift)

    def update(self, feedback: Feedback) -> None:
        """Learn nothing."""

    def revise(self, feedback: Feedback) -> None:
        """Learn nothing."""

    def state(self) -> State:
        """Return an empty state."""
        return {}

    def load(self, state: State) -> None:
        """Restore nothing."""

    def _slot(self, request: Request) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Slot that holds the local hour, and whether there is one, (N,) each."""
        grid = request.grid
        first, last, following = (
            _local_hours(ms, request.zone) for ms in (grid.start_ms, grid.end_ms - 1, grid.end_ms)
        )
        wanted = first + np.mod(self.hour - first, 24)
        # An hour in which the next slot begins is the next slot's: where clocks run at half hours
        # or are put back two slots hold it, and a decision an hour would send in both.
        holds = (wanted <= last) & (wanted < following)  # (N, S)
        return np.argmax(holds, axis=1), np.asarray(holds.any(axis=1))

    def _is_due(self, request: Request) -> NDArray[np.bool_]:
        """True on ``per_week`` days of each user's week, as even as they can be, (N,)."""
        own = (mix64(request.user) % np.uint64(_WEEK)).astype(np.int64)
        day = request.at_ms // DAY_MS + own
        return np.asarray(np.mod(day * self.per_week, _WEEK) < self.per_week)


def _local_hours(at_ms: NDArray[np.int64], zone: NDArray[np.str_]) -> NDArray[np.int64]:
    """Hours since the epoch by each row's own clock, (N, S)."""
    local = np.array(at_ms)
    for name in np.unique(zone):
        rows = zone == name
        if name:
            local[rows] += offset_ms(at_ms[rows], str(name))
    return np.asarray(local // HOUR_MS)
