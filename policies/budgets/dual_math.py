"""Shadow prices by dual ascent, as pure functions of what was used in each period.

Use and budgets of periods enter; prices leave, one step a period: a price rises where more was
used than there was, falls where less was, and never below zero. Reference: Balseiro, Lu and
Mirrokni (2020), "Dual mirror descent for online allocation problems", alg. 1 with the Euclidean
mirror map.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["excess_of", "overuse_bound", "prices_of", "slack_bound"]

Array = NDArray[np.float64]


def excess_of(use: Array, budget: Array, share: Array) -> Array:
    """What each period used beyond its part of the budget, in budgets: g, (P, J).

    Parameters
    ----------
    use : ndarray, (P, J)
        Sends allocated in each period, by resource.
    budget : ndarray, (J,)
        Sends that a whole period may have, above 0.
    share : ndarray, (P, J)
        Part of each period that the resource is there for, 0 to 1; without it nothing counts.
    """
    return np.asarray(np.where(share > 0, use / budget - share, 0.0))


def prices_of(excess: Array, start: Array, *, step: float, highest: float) -> Array:
    """Prices before each period and after the last: λ' = clip(λ + step·g, 0, highest), (P + 1, J).

    Parameters
    ----------
    excess : ndarray, (P, J)
        g of each period, see :func:`excess_of`.
    start : ndarray, (J,)
        Prices before the first.
    step : float
        What a price rises in a period that uses twice its budget, in reward a send.
    highest : float
        No price goes beyond; it bounds how long a price takes to come down again.
    """
    prices = np.empty((len(excess) + 1, len(start)))
    prices[0] = start
    for period, g in enumerate(excess):
        prices[period + 1] = np.clip(prices[period] + step * g, 0.0, highest)
    return prices


def overuse_bound(prices: Array, *, step: float) -> Array:
    """Most that all periods together can have used beyond their budgets, in budgets, (J,).

    ``Σ g ≤ (λ_end − λ_start) / step``, because a price that is cut at zero only ends higher. It
    holds for any use whatever as long as no price was cut at the highest.
    """
    return np.asarray((prices[-1] - prices[0]) / step)


def slack_bound(excess: Array, prices: Array, *, step: float) -> Array:
    """Most that ``−Σ λ·g`` can be, (J,): prices are paid where a budget binds, not in its slack.

    ``λ'² ≤ (λ + step·g)²`` adds up to ``−Σ λ·g ≤ step/2 · Σ g² + (λ_start² − λ_end²) / (2·step)``,
    under the same condition; the mean over P periods is of the order of the step.
    """
    squares = (excess**2).sum(axis=0)
    return np.asarray(step / 2 * squares + (prices[0] ** 2 - prices[-1] ** 2) / (2 * step))
