"""How much of an outcome has arrived by an age, and what to expect of the rest.

Ages of outcomes of matured decisions enter; for each component the learned share F(age) and
the expected final value of a row that is still young leave. Sources: Chapelle (2014),
"Modeling delayed feedback in display advertising", for the posterior chance of an unseen
conversion; DESIGN §4 *Join*.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["DelayModel", "expected_any", "expected_sum"]

Array = NDArray[np.float64]

_N_BINS = 64
_FIRST_AGE_MS = 60_000.0
_PRIOR_OUTCOMES = 5.0
_PRIOR_ROWS = 20.0


def expected_any(seen: Array, share: Array, rate: Array) -> Array:
    """Chance that a one-time response is there in the end.

    Parameters
    ----------
    seen : ndarray
        1 where it has been seen, else 0.
    share : ndarray
        F: learned share of such responses that have arrived by this age.
    rate : ndarray
        p̂: how often there is one at all.

    Returns
    -------
    ndarray
        1 where seen, else ``p̂(1 − F) / (1 − p̂F)`` by Bayes' rule.

    Examples
    --------
    >>> expected_any(np.array([0.0, 1.0]), np.array([0.5, 0.5]), np.array([0.2, 0.2]))
    array([0.11111111, 1.        ])
    """
    unseen = rate * (1.0 - share) / np.maximum(1.0 - rate * share, 1e-12)
    return np.where(seen > 0, 1.0, unseen)


def expected_sum(seen: Array, share: Array, mean: Array) -> Array:
    """What behaviour that is counted adds up to in the end: ``seen + μ̂(1 − F)``."""
    return np.asarray(seen + mean * (1.0 - share))


@dataclass(slots=True)
class DelayModel:
    """Learned shares F(age) and final means, for each component and for holds and sends apart.

    Parameters
    ----------
    last_age_ms : ndarray, (R,)
        Age at which each component is final; F is 1 from there on.
    """

    last_age_ms: Array
    arrived: Array = field(init=False)  # (R, bins) outcome mass by age
    total: Array = field(init=False)  # (R, 2) final mass of matured rows, hold and send
    rows: Array = field(init=False)  # (2,) matured rows, hold and send

    def __post_init__(self) -> None:
        self.arrived = np.zeros((len(self.last_age_ms), _N_BINS))
        self.total = np.zeros((len(self.last_age_ms), 2))
        self.rows = np.zeros(2)

    def learn_ages(self, component: int, age_ms: NDArray[np.int64], mass: Array) -> None:
        """Take the ages at which outcomes of matured rows arrived."""
        bins = self._bins(component, np.asarray(age_ms, np.float64))
        self.arrived[component] += np.bincount(bins, weights=np.abs(mass), minlength=_N_BINS)

    def learn_totals(self, final: Array, is_send: NDArray[np.bool_]) -> None:
        """Take the final components (N, R) of matured rows."""
        for group in (0, 1):
            rows = is_send == bool(group)
            self.rows[group] += rows.sum()
            self.total[:, group] += final[rows].sum(axis=0)

    def share(self, component: int, age_ms: NDArray[np.int64]) -> Array:
        """F(age): a log-linear prior that few outcomes outweigh; 0 before age 0."""
        edges = self._edges(component)
        prior = np.full(_N_BINS, _PRIOR_OUTCOMES / _N_BINS)
        mass = self.arrived[component] + prior
        cumulative = np.concatenate([[0.0], np.cumsum(mass) / mass.sum()])
        age = np.clip(np.asarray(age_ms, np.float64), 0.0, self.last_age_ms[component])
        share = np.interp(np.log1p(age), np.log1p(edges), cumulative)
        return np.where(np.asarray(age_ms) >= self.last_age_ms[component], 1.0, share)

    def mean(self, component: int, is_send: NDArray[np.bool_]) -> Array:
        """Final mean of holds or sends; shrunk towards zero while few have matured."""
        means = self.total[component] / (self.rows + _PRIOR_ROWS)
        return np.asarray(means[is_send.astype(np.int64)])

    def state(self) -> dict[str, NDArray[Any]]:
        """Return copies of what was learned as named arrays."""
        return {
            "delays.arrived": self.arrived.copy(),
            "delays.total": self.total.copy(),
            "delays.rows": self.rows.copy(),
        }

    def load(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Restore what :meth:`state` returned."""
        self.arrived = np.array(state["delays.arrived"])
        self.total = np.array(state["delays.total"])
        self.rows = np.array(state["delays.rows"])

    def _edges(self, component: int) -> Array:
        last = max(self.last_age_ms[component], 2 * _FIRST_AGE_MS)
        return np.concatenate([[0.0], np.geomspace(_FIRST_AGE_MS, last, _N_BINS)])

    def _bins(self, component: int, age_ms: Array) -> NDArray[np.int64]:
        inside = np.searchsorted(self._edges(component), age_ms, side="right") - 1
        return np.clip(inside, 0, _N_BINS - 1)
