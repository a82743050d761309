"""How much of an outcome has arrived by an age, and what to expect of the rest.

Ages at which outcomes of matured decisions were *heard of* enter; for each component the learned
share F(age) and the expected final value of a row that is still young leave. Only matured
decisions teach, so that what is slow is not missed. Sources: Chapelle (2014), "Modeling delayed
feedback in display advertising", for the posterior chance of an unseen conversion; DESIGN §4
*Join*.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["DelayModel", "expected_any", "expected_sum"]

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

_N_BINS = 64
_FIRST_AGE_MS = 60_000.0
_PRIOR_OUTCOMES = 5.0
_PRIOR_ROWS = 20.0
_LEAST = 1e-200


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
    """Learned shares F(age) and final means: apart for components, holds and sends, and signs.

    Sends hear later than holds where a slot is still to come, and refunds later than purchases:
    one curve for both would expect the wrong rest of either.

    Parameters
    ----------
    last_age_ms : ndarray, (R,)
        Age at which each component is final; F is 1 from there on.
    """

    last_age_ms: Array
    arrived: Array = field(init=False)  # (R, hold or send, adds or subtracts, bins) mass by age
    n_arrived: Array = field(init=False)  # (R, hold or send, adds or subtracts) outcomes
    rows: Array = field(init=False)  # (2,) matured rows, hold and send

    def __post_init__(self) -> None:
        self.n_arrived = np.zeros((len(self.last_age_ms), 2, 2))
        self.arrived = np.zeros((*self.n_arrived.shape, _N_BINS))
        self.rows = np.zeros(2)

    def learn(
        self, component: int, age_ms: NDArray[np.int64], mass: Array, *, is_send: Flags
    ) -> None:
        """Take outcomes of matured rows: the age each was heard of at, its mass, and whose.

        For a component that is there or not, the first outcome of a row is all there is.
        """
        group = 2 * is_send.astype(np.int64) + (mass < 0)
        cell = group * _N_BINS + self._bins(component, np.asarray(age_ms, np.float64))
        heard = np.bincount(cell, weights=np.abs(mass), minlength=4 * _N_BINS)
        self.arrived[component] += heard.reshape(2, 2, _N_BINS)
        self.n_arrived[component] += np.bincount(group, minlength=4).reshape(2, 2)

    def learn_rows(self, is_send: Flags) -> None:
        """Count matured rows, those that nothing was heard of included."""
        self.rows += np.bincount(is_send.astype(np.int64), minlength=2)

    def share(self, component: int, age_ms: NDArray[np.int64], *, is_send: Flags) -> Array:
        """F(age): the share of all mass, added or subtracted, that has arrived by an age."""
        added = self._share(component, age_ms, is_send, 0)
        lost = self._mean(component, is_send, 1)
        if not lost.any():
            return added
        total = self._mean(component, is_send, 0) + lost
        part = np.where(total > _LEAST, lost / np.maximum(total, _LEAST), 0.0)
        return added + part * (self._share(component, age_ms, is_send, 1) - added)

    def mean(self, component: int, *, is_send: Flags) -> Array:
        """Final mean of holds or sends; shrunk towards zero while few have matured."""
        return self._mean(component, is_send, 0) - self._mean(component, is_send, 1)

    def expected(
        self, component: int, seen: Array, age_ms: NDArray[np.int64], *, is_send: Flags
    ) -> Array:
        """Expected final sum of rows of an age: what is added and what is subtracted apart."""
        for sign, factor in enumerate((1.0, -1.0)):
            mean = factor * self._mean(component, is_send, sign)
            if mean.any():
                seen = expected_sum(seen, self._share(component, age_ms, is_send, sign), mean)
        return seen

    def state(self) -> dict[str, NDArray[Any]]:
        """Return copies of what was learned as named arrays."""
        return {name: getattr(self, name).copy() for name in ("arrived", "n_arrived", "rows")}

    def load(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Restore what :meth:`state` returned."""
        for name in ("arrived", "n_arrived", "rows"):
            setattr(self, name, np.array(state[name], np.float64))

    def _mean(self, component: int, is_send: Flags, sign: int) -> Array:
        means = self.arrived[component, :, sign].sum(axis=-1) / (self.rows + _PRIOR_ROWS)
        return np.asarray(means[is_send.astype(np.int64)])

    def _share(self, component: int, age_ms: NDArray[np.int64], is_send: Flags, sign: int) -> Array:
        """F of one sign: 0 before age 0; few outcomes of a group lean on those of both."""
        edges = np.log1p(self._edges(component))
        age = np.clip(np.asarray(age_ms, np.float64), 0.0, self.last_age_ms[component])
        share = np.empty(len(age))
        for group, curve in enumerate(self._curves(component, sign)):
            rows = is_send == bool(group)
            share[rows] = np.interp(np.log1p(age[rows]), edges, curve)
        return np.where(np.asarray(age_ms) >= self.last_age_ms[component], 1.0, share)

    def _curves(self, component: int, sign: int) -> list[Array]:
        """Cumulative shares at the edges, of holds and of sends.

        The prior of both together is log-linear, that of each is both together; a prior is worth
        five outcomes of mean mass, so that the unit of the mass does not matter.
        """
        arrived = self.arrived[component, :, sign]
        unit = arrived.sum() / max(self.n_arrived[component, :, sign].sum(), 1.0)
        arrived = arrived / (unit if unit > _LEAST else 1.0)
        both = arrived.sum(axis=0) + _PRIOR_OUTCOMES / _N_BINS
        curves = [of + _PRIOR_OUTCOMES * both / both.sum() for of in arrived]
        sums = [np.concatenate([[0.0], np.cumsum(of)]) for of in curves]
        return [of / of[-1] for of in sums]

    def _edges(self, component: int) -> Array:
        last = max(self.last_age_ms[component], 2 * _FIRST_AGE_MS)
        return np.concatenate([[0.0], np.geomspace(_FIRST_AGE_MS, last, _N_BINS)])

    def _bins(self, component: int, age_ms: Array) -> NDArray[np.int64]:
        inside = np.searchsorted(self._edges(component), age_ms, side="right") - 1
        return np.clip(inside, 0, _N_BINS - 1)
