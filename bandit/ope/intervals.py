"""Intervals of a mean of terms: normal, clustered by user, and a clustered bootstrap.

One term a row enters; (lower, upper) leaves. Rows of one user share their habits, so the
clustered intervals are the honest ones. References: Liang and Zeger (1986) for the clustered
standard error; Cameron, Gelbach and Miller (2008) for resampling whole clusters and for the
quantile of Student's t with one degree of freedom less than there are clusters.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from bandit.draws import Stream, generator
from bandit.errors import BadInputError

__all__ = [
    "bootstrap",
    "cluster_sums",
    "clustered",
    "clustered_error",
    "normal",
    "normal_error",
    "student_reach",
]

Array = NDArray[np.float64]
_CHUNK_CELLS = 1 << 22


def normal_error(terms: Array) -> Array:
    """Standard error of the mean of independent terms, (…, N) → (…)."""
    return np.asarray(terms.std(axis=-1, ddof=1) / np.sqrt(terms.shape[-1]))


def clustered_error(terms: Array, cluster: NDArray[np.int64]) -> Array:
    """Standard error of the mean when rows of one cluster are dependent, (…, N) → (…).

    Raises
    ------
    BadInputError
        If there is one cluster only: its deviations sum to zero, which is no certainty.
    """
    centred = terms - terms.mean(axis=-1, keepdims=True)
    sums = cluster_sums(centred, cluster)
    n_clusters = sums.shape[-1]
    if n_clusters < 2:
        raise BadInputError(
            f"expected rows of at least two users, got {n_clusters}: the spread between users "
            "cannot be known from one"
        )
    correction = n_clusters / (n_clusters - 1)
    return np.asarray(np.sqrt(correction * (sums**2).sum(axis=-1)) / terms.shape[-1])


def normal(terms: Array, *, alpha: float = 0.05) -> tuple[Array, Array]:
    """Normal interval of the mean of independent terms."""
    reach = NormalDist().inv_cdf(1 - _level(alpha) / 2)
    return _around(terms.mean(axis=-1), reach * normal_error(terms))


def clustered(
    terms: Array, cluster: NDArray[np.int64], *, alpha: float = 0.05
) -> tuple[Array, Array]:
    """Interval with the clustered standard error: Student's t, since users may be few."""
    n_clusters = len(np.unique(cluster))
    error = clustered_error(terms, cluster)
    return _around(terms.mean(axis=-1), student_reach(n_clusters - 1, alpha=alpha) * error)


def student_reach(freedom: float, *, alpha: float) -> float:
    """How many standard errors an interval reaches to either side."""
    return float(stdtrit(freedom, 1 - _level(alpha) / 2))


def bootstrap(
    terms: Array,
    cluster: NDArray[np.int64],
    *,
    key: int,
    n_resamples: int = 1000,
    alpha: float = 0.05,
) -> tuple[float, float]:
    """Percentile interval from resampled users; terms (N,) only.

    Whole users are drawn with replacement; the mean of a resample is the ratio of its summed
    terms to its number of rows. Some resamples are drawn at a time, so that memory does not grow
    with their number.

    Notes
    -----
    Percentiles are too narrow for a few dozen users or less; :func:`clustered` is not.
    """
    if n_resamples < 1:
        raise BadInputError(f"expected at least one resample, got {n_resamples}")
    sums = cluster_sums(terms, cluster)
    sizes = cluster_sums(np.ones_like(terms), cluster)
    if len(sums) < 2:
        raise BadInputError("expected rows of at least two users to resample, got those of one")
    rng = generator(key, stream=Stream.BOOTSTRAP)
    means = np.empty(n_resamples)
    chunk = max(_CHUNK_CELLS // len(sums), 1)
    for start in range(0, n_resamples, chunk):
        size = min(chunk, n_resamples - start)
        counts = rng.multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=size)
        means[start : start + size] = (counts @ sums) / (counts @ sizes)
    lower, upper = np.quantile(means, [_level(alpha) / 2, 1 - alpha / 2])
    return float(lower), float(upper)


def cluster_sums(terms: Array, cluster: NDArray[np.int64]) -> Array:
    """Sum of terms of each cluster, (…, N) → (…, C), clusters in ascending order."""
    if (cluster[1:] < cluster[:-1]).any():
        order = np.argsort(cluster, kind="stable")
        terms, cluster = terms[..., order], cluster[order]
    starts = np.flatnonzero(np.append(True, cluster[1:] != cluster[:-1]))
    return np.asarray(np.add.reduceat(terms, starts, axis=-1))


def _around(value: Array, reach: Array) -> tuple[Array, Array]:
    return np.asarray(value - reach), np.asarray(value + reach)


def _level(alpha: float) -> float:
    if not 0 < alpha < 1:
        raise BadInputError(f"expected alpha between 0 and 1, such as 0.05, got {alpha}")
    return alpha
