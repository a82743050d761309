"""How many sends a week each user is allocated: marginal utilities cut at one threshold.

Utilities of 0, 1, … sends a week enter; volumes leave. A user's volume is extended while the next
send is worth at least the threshold, and the threshold is the one at which volumes use up the
budget: found exactly, by rank. Reference: Zhao et al. (2018), "Notification volume control and
optimization system at Pinterest", KDD.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["is_due", "threshold", "volumes", "worths"]

Array = NDArray[np.float64]
Whole = NDArray[np.int64]

WEEK_MS = 7 * 24 * 3_600_000


def worths(utility: Array, *, least: int) -> Array:
    """What each further send is worth, as long as every one before it is, (N, most − least).

    Parameters
    ----------
    utility : ndarray, (N, most + 1)
        Of 0, 1, … sends a week.
    least : int
        Sends that everybody gets.

    Notes
    -----
    The running minimum of the differences: a send that pays only after one that does not is not
    reached, as in the paper's greedy extension.
    """
    return np.asarray(np.minimum.accumulate(np.diff(utility[:, least:], axis=1), axis=1))


def threshold(worth: Array, *, per_user: float) -> float:
    """Least worth, at least 0, at which users get no more than ``per_user`` sends on average.

    Parameters
    ----------
    worth : ndarray, (N, J)
        See :func:`worths`.
    per_user : float
        Budget beyond the sends that everybody gets.
    """
    n_sends = int(np.floor(per_user * len(worth)))
    if n_sends >= worth.size:
        return 0.0
    first_left_out = np.partition(worth.ravel(), worth.size - 1 - n_sends)[worth.size - 1 - n_sends]
    return max(0.0, float(first_left_out))


def volumes(worth: Array, *, least: int, above: float) -> Whole:
    """Sends a week of each user: ``least`` and those worth more than a threshold, (N,)."""
    return np.asarray(least + (worth > above).sum(axis=1))


def is_due(at_ms: Whole, volume: Whole, *, phase_ms: Whole, every_ms: int) -> NDArray[np.bool_]:
    """Whether a decision is one of the ``volume`` a week that may send, spread evenly, (N,).

    Parameters
    ----------
    at_ms, volume : ndarray of int, (N,)
        When, and how many sends a week.
    phase_ms : ndarray of int, (N,)
        Where in its rhythm each user begins.
    every_ms : int
        Time between two decisions of a user.
    """
    passed = (at_ms + phase_ms) * volume // WEEK_MS
    before = (at_ms + phase_ms - every_ms) * volume // WEEK_MS
    return np.asarray(passed > before)
