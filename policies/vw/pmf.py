"""Probabilities as Vowpal Wabbit's explore library has them, as pure functions in float64.

Pmfs or costs enter with a mask, pmfs leave. Source: ``vw/explore/explore_internal.h``
(``enforce_minimum_probability``) and ``cb_explore_adf_synthcover.cc`` of Vowpal Wabbit 9.11.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["at_least", "joined", "shared_between_ties", "synthetic_cover"]

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


def at_least(pmf: Array, mask: Mask, *, total: float | Array, is_even: bool = True) -> Array:
    """Raise small probabilities to the least one, and take the same from each larger one.

    The nearest distribution whose probabilities are at least so large.

    Parameters
    ----------
    pmf : ndarray, (N, A)
        Distributions over unmasked actions.
    mask : ndarray of bool, (N, A)
        True where an action may be taken.
    total : float or ndarray, (N,)
        Least probability of an action times their number.
    is_even : bool
        Whether actions of probability zero are raised too; they do not count otherwise.

    Examples
    --------
    >>> at_least(np.array([[1.0, 0.0, 0.0]]), np.ones((1, 3), bool), total=0.3)
    array([[0.8, 0.1, 0.1]])
    >>> at_least(np.array([[0.9, 0.1, 0.0]]), np.ones((1, 3), bool), total=0.6, is_even=False)
    array([[0.7, 0.3, 0. ]])
    """
    counted = mask if is_even else mask & (pmf > 0)  # (N, A)
    totals = np.minimum(np.broadcast_to(np.asarray(total, float), len(pmf)), 1.0)[:, None]
    least = totals / counted.sum(axis=1, keepdims=True)
    above = np.where(counted, pmf - least, -np.inf)
    in_order = -np.sort(-above, axis=1)
    running = np.cumsum(np.where(np.isfinite(in_order), in_order, 0.0), axis=1)
    # The largest j for which the j largest can each give up the same and stay above the least.
    taken = (running - (1.0 - totals)) / np.arange(1, pmf.shape[1] + 1)  # (N, A)
    last = np.maximum((in_order > taken).sum(axis=1, keepdims=True) - 1, 0)
    give = np.maximum(np.take_along_axis(taken, last, axis=1), 0.0)
    raised = np.where(counted, least + np.maximum(above - give, 0.0), 0.0)
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def synthetic_cover(costs: Array, mask: Mask, *, psi: float, n_votes: int) -> Array:
    """Share of votes, each for the least cost, which the vote then raises by ``psi / n_votes``.

    Actions of equal cost share their votes; Vowpal Wabbit gives the odd one to the first.
    """
    raised = np.where(mask, costs, np.inf)
    votes = np.zeros(costs.shape)
    rows = np.arange(len(costs))
    for _ in range(n_votes):
        least = raised.argmin(axis=1)
        votes[rows, least] += 1.0 / n_votes
        raised[rows, least] += psi / n_votes
    return shared_between_ties(votes, costs, mask)


def shared_between_ties(pmf: Array, costs: Array, mask: Mask) -> Array:
    """Average probabilities over unmasked actions of exactly equal cost, (N, A)."""
    visible = np.where(mask, costs, np.inf)
    order = np.argsort(visible, axis=1, kind="stable")
    rows = np.arange(len(costs))[:, None]
    in_order = visible[rows, order]
    is_new = np.ones(costs.shape, np.bool_)
    is_new[:, 1:] = in_order[:, 1:] != in_order[:, :-1]
    group = np.cumsum(is_new.ravel()) - 1
    sums = np.bincount(group, weights=pmf[rows, order].ravel())
    sizes = np.bincount(group)
    shared = np.empty(costs.shape)
    shared[rows, order] = (sums / sizes)[group].reshape(costs.shape)
    return shared


def joined(first: Array, slots: Array, mask: Mask) -> Array:
    """Pmf over hold and pairs: hold or an item first, then a slot out of those open to it, (N, A).

    Parameters
    ----------
    first : ndarray, (N, 1 + K)
        Distributions over hold and items; 0 where an item has no open slot.
    slots : ndarray, (N, S)
        How likely each slot is, above 0; what lies on slots closed to an item goes to its others.
    mask : ndarray of bool, (N, 1 + K·S)
        True where an action may be taken.
    """
    n, n_slots = slots.shape
    open_pairs = mask[:, 1:].reshape(n, first.shape[1] - 1, n_slots)  # (N, K, S)
    weights = slots[:, None] * open_pairs
    total = weights.sum(axis=2, keepdims=True)
    sends = first[:, 1:, None] * weights / np.where(total > 0, total, 1.0)
    return np.concatenate([first[:, :1], sends.reshape(n, mask.shape[1] - 1)], axis=1)
