"""Paired differences over seeds, and many of them at once.

One number a seed of each of two policies enters, both from the same simulated lives; the mean
difference leaves with Student's interval and p-value, and p-values that hold for a whole table.
References: Student (1908); Holm (1979), which needs no independence of the comparisons.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from bandit.errors import BadInputError, BadShapeError
from bandit.ope.intervals import student_reach

__all__ = ["Difference", "difference", "holm", "mean_of_seeds"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A mean over seeds; bounds and p are NaN from one seed, whose spread nobody knows."""

    mean: float
    lower: float
    upper: float
    p: float
    n_seeds: int


def difference(one: Array, other: Array, *, alpha: float = 0.05) -> Difference:
    """Mean of ``one − other`` over seeds, paired.

    Parameters
    ----------
    one, other : ndarray, (S,)
        The same seeds in the same order.
    alpha : float
        1 − confidence; p is that of the two-sided test against zero.

    Examples
    --------
    >>> found = difference(np.array([1.0, 2.0, 3.0]), np.array([0.0, 1.5, 1.5]))
    >>> round(found.mean, 3), round(found.lower, 3), round(found.upper, 3)
    (1.0, -0.242, 2.242)
    """
    if np.shape(one) != np.shape(other):
        raise BadShapeError(
            f"expected the same seeds of both, got {np.shape(one)} and {np.shape(other)} numbers"
        )
    return mean_of_seeds(np.asarray(one, np.float64) - other, alpha=alpha)


def mean_of_seeds(values: Array, *, alpha: float = 0.05) -> Difference:
    """Mean over seeds with Student's interval, and p against a mean of zero.

    Raises
    ------
    BadInputError
        Without a seed, or where a value is no number.
    """
    n = len(values)
    if not n or not np.isfinite(values).all():
        raise BadInputError(f"expected a finite number for each of one seed or more, got {values}")
    mean = float(np.mean(values))
    if n == 1:
        nan = float("nan")
        return Difference(mean=mean, lower=nan, upper=nan, p=nan, n_seeds=1)
    error = float(np.std(values, ddof=1)) / n**0.5
    reach = student_reach(n - 1, alpha=alpha) * error
    p = 2.0 * float(stdtr(n - 1, -abs(mean) / error)) if error else float(mean == 0.0)
    return Difference(mean=mean, lower=mean - reach, upper=mean + reach, p=p, n_seeds=n)


def holm(p: Array) -> Array:
    """Holm's adjusted p-values, (M,): below α in any of them errs with chance α at most.

    NaN stays NaN and counts as no comparison.

    Examples
    --------
    >>> holm(np.array([0.01, 0.04, 0.03])).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    adjusted = np.full(np.shape(p), np.nan)
    asked = np.flatnonzero(~np.isnan(p))
    order = asked[np.argsort(np.asarray(p)[asked], kind="stable")]
    scaled = np.asarray(p)[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return adjusted
