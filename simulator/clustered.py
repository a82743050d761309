"""Ratios of sums over users, with what each user moves them by.

Rows with their users enter; a value and one influence a user leave, from which come standard
errors and covariances that hold however rows of one user depend on each other. Reference: Liang
and Zeger (1986), the sandwich for clusters, here of ratios and of smooth functions of ratios.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Clustered", "ratio", "ratio_of_sums", "variance"]

Float = NDArray[np.float64]
Whole = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Clustered:
    """An estimate from U users.

    Parameters
    ----------
    value : float
        NaN where there was nothing to estimate from.
    influence : ndarray, (U,)
        By how much each user moves it; sums to zero.
    n : float
        What it rests on: events, or the sum of what was divided by.
    """

    value: float
    influence: Float
    n: float

    @property
    def se(self) -> float:
        """Standard error by user clusters."""
        n_users = len(self.influence)
        if n_users < 2:
            return float("nan")
        return float(np.sqrt(np.sum(self.influence**2) * n_users / (n_users - 1)))

    def log(self) -> Clustered:
        """Natural logarithm; NaN of what is not above 0."""
        if not self.value > 0:
            return Clustered(float("nan"), np.zeros_like(self.influence), self.n)
        return Clustered(float(np.log(self.value)), self.influence / self.value, self.n)

    def minus(self, other: Clustered, *, times: float = 1.0) -> Clustered:
        """Difference to ``times`` another estimate from the same users."""
        return Clustered(
            self.value - times * other.value,
            self.influence - times * other.influence,
            min(self.n, other.n),
        )


def ratio(user: Whole, top: ArrayLike, bottom: ArrayLike, *, n_users: int) -> Clustered:
    """Sum of ``top`` over sum of ``bottom``, over the rows of all users.

    Parameters
    ----------
    user : ndarray of int, (N,)
        0 to ``n_users`` − 1.
    top, bottom : array or number, (N,)
        Broadcast over the rows.
    n_users : int
        Number of clusters U, those without rows included.
    """
    return ratio_of_sums(_sums(user, top, n_users=n_users), _sums(user, bottom, n_users=n_users))


def ratio_of_sums(top: Float, bottom: Float) -> Clustered:
    """Ratio of totals, from each user's sums, (U,) each."""
    total = float(bottom.sum())
    if not total > 0:
        return Clustered(float("nan"), np.zeros(len(bottom)), 0.0)
    value = float(top.sum()) / total
    return Clustered(value, (top - value * bottom) / total, total)


def variance(first: Clustered, second: Clustered) -> Clustered:
    """Variance, from estimates of the mean and of the mean square of the same users."""
    mean = first.value
    return Clustered(
        second.value - mean**2, second.influence - 2.0 * mean * first.influence, first.n
    )


def _sums(user: Whole, values: ArrayLike, *, n_users: int) -> Float:
    weights = np.broadcast_to(np.asarray(values, np.float64), len(user))
    return np.bincount(user, weights=weights, minlength=n_users).astype(np.float64)
