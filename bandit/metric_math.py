"""The formulas of the named metrics: columns in, one number (or one a bin, row, or redraw) out.

Pure functions without thresholds or names; :mod:`bandit.metrics` says what each is called, in
which unit, and which direction is good. A share of nothing is NaN, never 0. References: Kish
(1965) for the effective sample; Hanley and McNeil (1982) for the AUC; Järvelin and Kekäläinen
(2002) for the discounted gain; Naeini, Cooper and Hauskrecht (2015) for the calibration error.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "auc",
    "auc_of_counts",
    "best_static_worth",
    "best_worth",
    "brier",
    "calibration_error",
    "calibration_table",
    "coverage",
    "difference_of_groups",
    "discounted_gain",
    "effective_sample_size",
    "equal_mass_bins",
    "ideal_gain",
    "log_losses",
    "policy_worth",
    "ranks",
    "ratio",
    "share",
]

Array = NDArray[np.float64]
Whole = NDArray[np.int64]
Flags = NDArray[np.bool_]

_TINY = 1e-300
_CHUNK_ROWS = 4096


def share(happened: Flags, among: Flags | None = None) -> float:
    """Share of rows where it happened, among some rows or all of them.

    Examples
    --------
    >>> share(np.array([True, False, True]), np.array([True, True, False]))
    0.5
    """
    rows = np.asarray(happened, np.bool_)
    counted = rows if among is None else rows[np.asarray(among, np.bool_)]
    return float(counted.mean()) if len(counted) else float("nan")


def ratio(amount: Array, over: Array) -> float:
    """Sum of amounts over the sum of what they are counted over; NaN over nothing.

    Examples
    --------
    >>> ratio(np.array([1.0, 2.0]), np.array([2.0, 4.0]))
    0.5
    """
    whole = float(np.sum(over))
    return float(np.sum(amount)) / whole if whole else float("nan")


def difference_of_groups(value: Array, is_live: Flags) -> float:
    """Mean of the live rows less mean of the others."""
    is_live = np.asarray(is_live, np.bool_)
    if is_live.all() or not is_live.any():
        return float("nan")
    return float(value[is_live].mean() - value[~is_live].mean())


def policy_worth(worth: Array, pmf: Array) -> Array:
    """Expected worth of each row under a policy, Σₐ π·worth: (N, A) → (N,)."""
    return np.asarray((worth * pmf).sum(axis=-1))


def best_worth(worth: Array, mask: Flags) -> Array:
    """Worth of the best action of each row that may be taken, (N,)."""
    return np.asarray(np.where(mask, worth, -np.inf).max(axis=-1))


def best_static_worth(worth: Array, mask: Flags) -> float:
    """Mean worth of the one action that is best for all; it holds where it is masked."""
    taken = np.where(mask, worth, worth[:, :1])
    return float(taken.mean(axis=0).max())


def effective_sample_size(weight: Array) -> Array:
    """Kish's number of equally weighted rows, (Σw)² / Σw², along the last axis.

    Examples
    --------
    >>> float(effective_sample_size(np.array([1.0, 1.0, 0.0, 0.0])))
    2.0
    """
    total = weight.sum(axis=-1)
    squares = np.einsum("...n,...n->...", weight, weight)
    return np.asarray(total**2 / np.maximum(squares, _TINY))


def coverage(lower: Array, upper: Array, truth: Array | float) -> float:
    """Share of intervals that hold the truth, bounds included."""
    return share((np.asarray(lower) <= truth) & (truth <= np.asarray(upper)))


def auc(score: Array, happened: Flags) -> float:
    """Chance that a row where it happened scores above one where it did not, ties a half.

    Examples
    --------
    >>> auc(np.array([0.1, 0.4, 0.4, 0.9]), np.array([False, False, True, True]))
    0.875
    """
    happened = np.asarray(happened, np.bool_)
    values, where = np.unique(score, return_inverse=True)
    yes = np.bincount(where[happened], minlength=len(values)).astype(np.float64)
    no = np.bincount(where[~happened], minlength=len(values)).astype(np.float64)
    return float(auc_of_counts(yes, no))


def auc_of_counts(positive: Array, negative: Array) -> Array:
    """AUC from counts by ascending score, (…, bins) → (…); NaN without rows of both kinds."""
    below = np.cumsum(negative, axis=-1) - negative / 2
    ordered = (positive * below).sum(axis=-1)
    pairs = positive.sum(axis=-1) * negative.sum(axis=-1)
    return np.asarray(np.divide(ordered, pairs, out=np.full_like(pairs, np.nan), where=pairs > 0))


def log_losses(chance: Array, happened: Any, *, least: float = 1e-15) -> Array:
    """−ln of the probability given to what happened, element by element.

    Parameters
    ----------
    chance : ndarray
        Probabilities.
    happened : ndarray of bool or float, same shape
        What came; a share of successes counts in proportion.
    least : float
        Probabilities are kept this far from 0 and 1, so that one bold error stays finite.
    """
    p = np.clip(chance, least, 1 - least)
    y = np.asarray(happened, np.float64)
    return np.asarray(-(y * np.log(p) + (1 - y) * np.log1p(-p)))


def brier(chance: Array, happened: Flags) -> float:
    """Mean squared error of probabilities."""
    return float(((chance - happened) ** 2).mean()) if len(chance) else float("nan")


def equal_mass_bins(chance: Array, *, n_bins: int) -> Whole:
    """Bin of each prediction, lowest first, of about equal numbers; equal ones share a bin."""
    edges = np.unique(np.quantile(chance, np.arange(1, n_bins) / n_bins))
    return np.searchsorted(edges, chance, side="right").astype(np.int64)


def calibration_table(chance: Array, happened: Flags, *, n_bins: int = 10) -> list[dict[str, Any]]:
    """Rows, mean chance and share that happened of each bin of equal mass, lowest first."""
    if not len(chance):
        return []
    _, bins = np.unique(equal_mass_bins(chance, n_bins=n_bins), return_inverse=True)
    sizes = np.bincount(bins)
    expected = np.bincount(bins, chance) / sizes
    observed = np.bincount(bins, np.asarray(happened, np.float64)) / sizes
    return [
        {"n_rows": int(n), "expected": float(e), "observed": float(o)}
        for n, e, o in zip(sizes, expected, observed, strict=True)
    ]


def calibration_error(chance: Array, happened: Flags, *, n_bins: int = 10) -> float:
    """Mean distance between chance and share that happened over bins of equal mass."""
    table = calibration_table(chance, happened, n_bins=n_bins)
    gaps = sum(row["n_rows"] * abs(row["expected"] - row["observed"]) for row in table)
    return float(gaps / len(chance)) if len(chance) else float("nan")


def ranks(score: Array, row: Whole, item: Whole) -> Array:
    """Rank of some items among all of their row, 1 the best.

    Ties count against the scorer: a constant score puts every item last.

    Parameters
    ----------
    score : ndarray, (Q, V)
        Scores of every item.
    row, item : ndarray, (P,)
        Which entries to rank.
    """
    found = score[row, item]
    rank = np.empty(len(row))
    for begin in range(0, len(row), _CHUNK_ROWS):
        part = slice(begin, begin + _CHUNK_ROWS)
        rank[part] = (score[row[part]] >= found[part, None]).sum(axis=1)
    return rank


def discounted_gain(rank: Array, *, top: int) -> Array:
    """Gain 1 / log₂(1 + rank) of each relevant item among the first ``top``, else 0."""
    return np.where(rank <= top, 1 / np.log2(1 + rank), 0.0)


def ideal_gain(n_relevant: Whole, *, top: int) -> Array:
    """Largest summed gain that so many relevant items can have among the first ``top``."""
    sums = np.cumsum(1 / np.log2(np.arange(top) + 2))
    return np.asarray(sums[np.clip(n_relevant, 1, top) - 1])
