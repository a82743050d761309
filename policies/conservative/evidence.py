"""What two groups of decisions brought, day by day: the policy's own, and the baseline's own.

Feedback enters; mean rewards of the two groups leave, at any weights, older days counting for
less. Whose a decision is follows from its user, its day and the policy's share of that day, which
is fixed before the day begins and kept, so it is the same when a decision is made and when it is
learned. Rows count once, when they are final: what is expected of a young row varies less than
what comes. State is bounded: days beyond ten half-lives are let go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit.draws import Stream, key_of, uniforms
from bandit.outcomes import Feedback, RewardScheme
from bandit.slots import DAY_MS
from policies.checks import check_state
from policies.conservative.bound_math import Sample

__all__ = ["BASELINE", "POLICY", "Evidence"]

Array = NDArray[np.float64]
Whole = NDArray[np.int64]

BASELINE, POLICY = 0, 1
_KEY = key_of("conservative groups")
_KEPT = 10.0  # half-lives: what is older weighs less than a thousandth
_DAY_BITS = 20


@dataclass(slots=True, kw_only=True)
class Evidence:
    """Sums of rewards by day and group.

    Parameters
    ----------
    n_components : int
        R of the scheme.
    share : float
        The policy's share of the decisions of days that have not begun.
    half_life_days : float
        After which a day counts half.
    """

    n_components: int
    share: float
    half_life_days: float
    day: Whole = field(init=False)  # (P,) ascending
    shares: Array = field(init=False)  # (P,) the policy's share of each
    sums: Array = field(init=False)  # (P, 2, 1 + R + R²) rows, components, their products

    def __post_init__(self) -> None:
        self.day, self.shares = np.zeros(0, np.int64), np.zeros(0)
        self.sums = np.zeros((0, 2, 1 + self.n_components + self.n_components**2))

    def groups(self, user: Whole, at_ms: Whole) -> Whole:
        """Whose each decision is, (N,): ``POLICY`` or ``BASELINE``."""
        days = np.asarray(at_ms) // DAY_MS
        where = np.searchsorted(self.day, days)
        is_known = np.append(self.day, -1)[where] == days
        share = np.where(is_known, np.append(self.shares, 0.0)[where], self.share)
        counter = (np.asarray(user) << _DAY_BITS) ^ days
        return np.where(uniforms(_KEY, counter, stream=Stream.BOOTSTRAP) < share, POLICY, BASELINE)

    def new_days(self, feedback: Feedback) -> Whole:
        """Days of which no row has come before, ascending."""
        return np.setdiff1d(feedback.at_ms // DAY_MS, self.day)

    def begin(self, days: Whole, share: float) -> None:
        """Keep the share under which these days were decided; later days have another one."""
        where = np.searchsorted(self.day, days)
        self.day = np.insert(self.day, where, days)
        self.shares = np.insert(self.shares, where, self.share)
        self.sums = np.insert(self.sums, where, 0.0, axis=0)
        self.share = share
        kept = self.day[-1] - self.day <= _KEPT * self.half_life_days
        self.day, self.shares, self.sums = self.day[kept], self.shares[kept], self.sums[kept]

    def add(self, feedback: Feedback) -> None:
        """Count the rows that have become final."""
        days = feedback.at_ms // DAY_MS
        is_kept = np.isin(days, self.day) & (feedback.maturity >= 1).all(axis=1)
        rows = np.flatnonzero(is_kept)
        values = feedback.components[rows]  # (n, R)
        products = (values[:, :, None] * values[:, None, :]).reshape(
            len(rows), self.n_components**2
        )
        columns = np.concatenate([np.ones((len(rows), 1)), values, products], axis=1)
        group = self.groups(feedback.user[rows], feedback.at_ms[rows])
        cell = 2 * np.searchsorted(self.day, days[rows]) + group
        np.add.at(self.sums.reshape(2 * len(self.day), columns.shape[1]), cell, columns)

    def samples(self, scheme: RewardScheme) -> tuple[Sample, Sample]:
        """Rewards of the policy's and the baseline's own rows, at a scheme's weights."""
        age = (self.day[-1] - self.day) if len(self.day) else self.day
        weight = np.exp2(-age / self.half_life_days)  # (P,)
        once = np.tensordot(weight, self.sums, axes=1)  # (2, 1 + R + R²)
        twice = weight**2 @ self.sums[:, :, 0]  # (2,)
        policy, baseline = (
            _sample(once[group], float(twice[group]), scheme.weights)
            for group in (POLICY, BASELINE)
        )
        return policy, baseline

    def state(self) -> dict[str, NDArray[Any]]:
        """Return copies of the sums as named arrays."""
        days = {name: getattr(self, name).copy() for name in ("day", "shares", "sums")}
        return days | {"share": np.array(self.share)}

    def load(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Restore what :meth:`state` returned."""
        check_state(state, {"day": (-1,), "share": ()})
        n = len(state["day"])
        check_state(state, {"shares": (n,), "sums": (n, *self.sums.shape[1:])})
        self.day, self.share = np.array(state["day"], np.int64), float(state["share"])
        self.shares = np.array(state["shares"], np.float64)
        self.sums = np.array(state["sums"], np.float64)


def _sample(sums: Array, twice: float, weights: Array) -> Sample:
    """Mean reward, the variance of that mean and the rows it is worth, of weighted sums."""
    n, r = float(sums[0]), len(weights)
    if n <= 0.0:
        return Sample(mean=0.0, variance=np.inf, n=0.0)
    mean = float(sums[1 : 1 + r] @ weights) / n
    square = float(weights @ sums[1 + r :].reshape(r, r) @ weights) / n
    spread = max(square - mean**2, 0.0)
    return Sample(mean=mean, variance=spread * twice / n**2, n=n**2 / twice)
