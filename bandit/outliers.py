"""Amounts that no purchase of their kind has, brought down to the limit of the usual.

Amounts, their groups and which of them may be learned from enter; capped amounts leave. The
limit is a modified z-score on log(1 + amount) of 6. Reference: Iglewicz and Hoaglin (1993), "How
to detect and handle outliers".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["capped"]

Array = NDArray[np.float64]

_CAP_AT_Z = 6.0
_FEWEST = 10  # amounts of a group that say what is usual in it
_MAD_TO_SD = 1.4826


def capped(
    amount: Array, group: NDArray[np.int64], *, fitted: NDArray[np.bool_]
) -> tuple[Array, int]:
    """Cap outlying amounts of each group, and count them.

    Parameters
    ----------
    amount : ndarray, (M,)
        What is missing, zero or below stays as it is.
    group : ndarray of int, (M,)
        From 0 up.
    fitted : ndarray of bool, (M,)
        Rows that the limits are learned from, such as those of the training range.
    """
    known = np.isfinite(amount) & (amount > 0)
    rows = np.flatnonzero(known & fitted)
    size = np.bincount(group[rows], minlength=int(group.max(initial=0)) + 1)
    log_amount = np.log1p(amount[rows])
    middle = _medians(log_amount, group[rows], size)
    spread = _MAD_TO_SD * _medians(np.abs(log_amount - middle[group[rows]]), group[rows], size)
    is_usual = (size >= _FEWEST) & (spread > 0)
    limit = np.where(is_usual, np.expm1(np.where(is_usual, middle + _CAP_AT_Z * spread, 0)), np.inf)
    over = known & (amount > limit[group])
    return np.where(over, limit[group], amount), int(over.sum())


def _medians(values: Array, group: NDArray[np.int64], size: NDArray[np.int64]) -> Array:
    """Median of the values of each group, 0 for an empty one, (G,)."""
    order = np.argsort(values)
    narrow = group[order].astype(np.min_scalar_type(len(size)))  # sorts in one pass up to 16 bits
    order = order[np.argsort(narrow, kind="stable")]
    ordered = np.append(values[order], 0.0)
    first = np.cumsum(size) - size
    low, high = first + np.maximum(size - 1, 0) // 2, first + size // 2
    return np.where(size > 0, (ordered[low] + ordered[high]) / 2, 0.0)
