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
_MOST = 500.0  # e^500 is beyond any highest price, and still a number


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


def prices_of(
    excess: Array, start: Array, *, step: float, growth: float = 0.0, highest: float = np.inf
) -> Array:
    """Prices before each period and after the last, (P + 1, J).

    ``λ' = clip(λ·e^(growth·g) + step/growth·(e^(growth·g) − 1), 0, highest)``: near zero a price
    moves by step·g, and far from it by growth·λ·g, so that it gets anywhere in a number of periods
    that hangs on the logarithm of how far that is. Without growth, ``λ + step·g``.

    Parameters
    ----------
    excess : ndarray, (P, J)
        g of each period, see :func:`excess_of`.
    start : ndarray, (J,)
        Prices before the first.
    step : float
        What a price near zero rises in a period that uses twice its budget, in reward a send.
    growth : float
        What a price rises there besides, as a share of itself.
    highest : float
        No price goes beyond; it bounds how long a price takes to come down again.
    """
    prices = np.empty((len(excess) + 1, len(start)))
    prices[0] = start
    for period, g in enumerate(excess):
        if growth:
            grown = np.minimum(growth * g, _MOST)
            moved = prices[period] * np.exp(grown) + step / growth * np.expm1(grown)
        else:
            moved = prices[period] + step * g
        prices[period + 1] = np.clip(moved, 0.0, highest)
    return prices


def overuse_bound(prices: Array, *, step: float, growth: float = 0.0) -> Array:
    """Most that all periods together can have used beyond their budgets, in budgets, (J,).

    ``Σ g ≤ θ(λ_end) − θ(λ_start)``, θ = ln(1 + growth·λ/step) / growth, or λ/step: in θ every
    period moves by g, and a price that is cut at zero only ends higher. It holds for any use
    whatever as long as no price was cut at the highest.
    """
    dual = _dual(prices[[0, -1]], step, growth)
    return np.asarray(dual[1] - dual[0])


def slack_bound(excess: Array, prices: Array, *, step: float, growth: float = 0.0) -> Array:
    """Most that ``−Σ λ·g`` can be, (J,): prices are paid where a budget binds, not in its slack.

    The integral Ψ of λ over θ is convex and flat below zero, so each period adds at most
    ``½·(step + growth·λ)·g²`` to ``Ψ' ≤ Ψ + λ·g``, λ the larger of both ends. Under the same
    condition; the mean over P periods is of the order of the step at the price.
    """
    largest = np.maximum(prices[:-1], prices[1:])
    moved = ((step + growth * largest) * excess**2).sum(axis=0) / 2
    if growth:
        ends = (prices[[0, -1]] - step * _dual(prices[[0, -1]], step, growth)) / growth
    else:
        ends = prices[[0, -1]] ** 2 / (2 * step)
    return np.asarray(moved + ends[0] - ends[1])


def _dual(prices: Array, step: float, growth: float) -> Array:
    """θ of prices: what dual ascent adds g to."""
    scaled = np.log1p(growth * prices / step) / growth if growth else prices / step
    return np.asarray(scaled)
