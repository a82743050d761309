"""Counts of behaviour, and towers that are fitted to them every so often.

The same behaviour as :mod:`policies.baselines.behaviour_counts` takes enters; the histories of
asked users leave, and towers that know who likes what.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from policies.baselines.behaviour_counts import BehaviourCounts
from policies.candidates.towers import History, Towers
from policies.checks import check_state

__all__ = ["FittedCounts"]


@dataclass(slots=True)
class FittedCounts(BehaviourCounts):
    """Counts with towers.

    Parameters
    ----------
    towers : Towers
        Fitted to everybody's counts after the first period, then every ``fit_every``, and when
        the counts are frozen.
    fit_every : int
        Periods between two fits.
    """

    towers: Towers = field(kw_only=True)
    fit_every: int = field(kw_only=True)
    n_observed: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        BehaviourCounts.__post_init__(self)

    def observe(
        self,
        *,
        item_user: NDArray[np.int64],
        item: NDArray[np.int64],
        slot_user: NDArray[np.int64],
        slot: NDArray[np.int64],
        weekday: int | NDArray[np.int64] = 0,
    ) -> None:
        """Take one period, and fit the towers if it is time."""
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
        if self.n_observed % self.fit_every == 0:
            self.fit()
        self.n_observed += 1

    def freeze(self) -> None:
        """End of the training range: fit to all of it."""
        self.fit()
        BehaviourCounts.freeze(self)

    def fit(self) -> None:
        """Fit the towers to everybody's counts."""
        self.towers.fit(self.history(np.arange(self.n_users)))

    def history(self, user: NDArray[np.int64]) -> History:
        """Counts of these users as entries."""
        counts = self.by_item[user]
        row, item = np.nonzero(counts)
        return History(n_rows=len(user), row=row, item=item, weight=counts[row, item])

    def state(self) -> dict[str, NDArray[Any]]:
        """Return a copy of counts and towers, as named arrays."""
        mine: dict[str, NDArray[Any]] = {"n_observed": np.array(self.n_observed)}
        return BehaviourCounts.state(self) | mine | dict(self.towers.state())

    def load(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Restore what :meth:`state` returned."""
        check_state(state, {"n_observed": ()})
        self.towers.load(state)
        BehaviourCounts.load(self, state)
        self.n_observed = int(state["n_observed"])
