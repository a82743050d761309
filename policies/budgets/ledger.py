"""What was allocated of each resource, period by period, and the prices that follow from it.

Feedback enters, a row once; prices leave. They are a function of the rows alone: whatever order or
batches these came in, early or late, the same rows end in the same prices.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit.outcomes import Feedback
from policies.budgets.dual_math import excess_of, prices_of
from policies.budgets.limits import Limit, used
from policies.checks import check_state

__all__ = ["Ledger"]

Array = NDArray[np.float64]


class Ledger:
    """Use and prices of J resources in P periods.

    Parameters
    ----------
    limits : sequence of Limit
        What sends use.
    period_ms : int
        Length of a period; periods are counted from the epoch.
    n_users : int
        Among whom what there is for each user and week is shared.
    step, growth, highest : float
        Of the dual ascent, see :func:`policies.budgets.dual_math.prices_of`.
    """

    def __init__(
        self,
        limits: Sequence[Limit],
        *,
        period_ms: int,
        n_users: int,
        step: float,
        growth: float,
        highest: float,
    ) -> None:
        self.limits, self.period_ms = tuple(limits), period_ms
        self.step, self.growth, self.highest = step, growth, highest
        repeats = [limit.n_prices for limit in limits]
        sends = [limit.sends_a_period(period_ms=period_ms, n_users=n_users) for limit in limits]
        self.budget = np.repeat(np.array(sends, np.float64), repeats)  # (J,)
        self.start = np.repeat(np.array([limit.price for limit in limits], np.float64), repeats)
        self.first = 0  # number of the first period
        self.use = np.zeros((0, len(self.budget)))  # (P, J), the last period still open
        self._recalculate()

    @property
    def in_force(self) -> Array:
        """Prices after the last period that is closed, (J,)."""
        return np.asarray(self.prices[-1])

    def add(self, feedback: Feedback) -> None:
        """Book what rows were allocated in the periods of their decisions."""
        if not feedback.n_rows:
            return
        period = feedback.at_ms // self.period_ms
        self._reach(int(period.min()), int(period.max()))
        columns = used(self.limits, feedback)
        for resource in np.flatnonzero(columns.any(axis=0)):
            self.use[:, resource] += np.bincount(
                period - self.first, weights=columns[:, resource], minlength=len(self.use)
            )
        self._recalculate()

    def state(self) -> dict[str, NDArray[Any]]:
        """Return use and the number of its first period."""
        return {"first": np.array(self.first), "use": self.use.copy()}

    def load(self, state: dict[str, NDArray[Any]]) -> None:
        """Restore what :meth:`state` returned."""
        check_state(state, {"first": (), "use": (-1, len(self.budget))})
        self.first, self.use = int(state["first"]), np.array(state["use"], np.float64)
        self._recalculate()

    def _reach(self, first: int, last: int) -> None:
        """Make room for these periods."""
        if not len(self.use):
            self.first = first
        before = max(self.first - first, 0)
        after = max(last + 1 - self.first - len(self.use), 0)
        self.first -= before
        self.use = np.pad(self.use, ((before, after), (0, 0)))

    def _recalculate(self) -> None:
        n_closed = max(len(self.use) - 1, 0)
        shares = [
            np.repeat(
                limit.share_of(self.first, n_closed, period_ms=self.period_ms)[:, None],
                limit.n_prices,
                axis=1,
            )
            for limit in self.limits
        ]
        share = np.concatenate(shares, axis=1) if shares else np.zeros((n_closed, 0))
        self.excess = excess_of(self.use[:n_closed], self.budget, share)  # (P − 1, J)
        self.prices = prices_of(
            self.excess, self.start, step=self.step, growth=self.growth, highest=self.highest
        )
