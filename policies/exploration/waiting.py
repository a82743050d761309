"""What waiting is worth: sending now, a better slot inside the horizon, or deciding again later.

Values and times of slots enter; values of the three, and when to decide again, leave. Until a
slot comes there is news: what the user does meanwhile moves the value of all sends alike, by a
logistic variable whose variance grows with the hours. Then E[max(0, m + news)] is the inclusive
value ``β·ln(1 + e^(m/β))``, β = √3/π of its standard deviation. Reference: McFadden (1978) for
the inclusive value; Dixit and Pindyck (1994), ch. 2, for the option to wait.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bandit.errors import BadInputError, expect_shape

__all__ = ["WaitValues", "news_sd_of", "wait_values"]

Array = NDArray[np.float64]
Whole = NDArray[np.int64]

_DAY_H = 24.0
_LOGISTIC = np.sqrt(3.0) / np.pi  # scale of a logistic variable of standard deviation 1


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitValues:
    """Values above holding for good, −inf where there is no such choice; (N,) each."""

    now: Array  # the best send of a slot that has begun
    best: Array  # the best send of any slot, decided now
    again: Array  # holding, and deciding again with the news of the best time for that
    slot: Whole  # whose start is that time; −1 where no slot is still to come


def wait_values(by_slot: Array, lead_h: Array, *, news_sd: float, cost: float) -> WaitValues:
    """Value sending now, planning a slot, and deciding again at the start of a later slot.

    Deciding again at slot j leaves the slots from j on, each worth what it is now plus the news,
    and the choice to hold: β_j·ln(1 + e^(m_j/β_j)) less the cost of asking, m_j the best of these
    slots. It is taken to be the last time; that it may be put off again would add to it.

    Parameters
    ----------
    by_slot : ndarray, (N, S)
        Value of the best send of each slot, −inf where none may be sent.
    lead_h : ndarray, (N, S)
        Hours until each slot begins; a slot with none has begun.
    news_sd : float
        Standard deviation of a day's news, in reward; without any, waiting is worth no more
        than the best slot.
    cost : float
        Of deciding again, in reward.

    Examples
    --------
    A push that is worth nothing in the mean may turn out to be worth something.

    >>> wait_values(np.array([[0.0, 0.0]]), np.array([[0.0, 24.0]]), news_sd=1.0, cost=0.0).again
    array([0.38213895])
    """
    expect_shape("lead_h", lead_h, by_slot.shape, "one lead a slot")
    n, n_slots = by_slot.shape
    begun = lead_h <= 0
    now = np.where(begun, by_slot, -np.inf).max(axis=1, initial=-np.inf)
    best = by_slot.max(axis=1, initial=-np.inf)
    order = np.argsort(lead_h, axis=1, kind="stable")
    sorted_lead = np.take_along_axis(lead_h, order, axis=1)
    in_time = np.take_along_axis(by_slot, order, axis=1)
    # The best of this slot and of all that begin later; of slots that begin together, of both.
    left = np.maximum.accumulate(in_time[:, ::-1], axis=1)[:, ::-1]
    scale = _LOGISTIC * news_sd * np.sqrt(np.maximum(sorted_lead, 0.0) / _DAY_H)
    worth = np.where(sorted_lead > 0, _hoped(left, scale) - cost, -np.inf)
    if n_slots == 0:
        return WaitValues(now=now, best=best, again=np.full(n, -np.inf), slot=np.full(n, -1))
    at = worth.argmax(axis=1)
    rows = np.arange(n)
    again = worth[rows, at]
    return WaitValues(
        now=now, best=best, again=again, slot=np.where(np.isfinite(again), order[rows, at], -1)
    )


def news_sd_of(lead_h: Array, change: Array) -> float:
    """Standard deviation of a day's news, from how values of slots have moved until they came.

    Parameters
    ----------
    lead_h : ndarray, (N,)
        Hours from when a value was estimated until it was estimated again, above 0.
    change : ndarray, (N,)
        By how much the value of one and the same send moved.

    Returns
    -------
    float
        √ of the mean of ``change² / days``: the maximum-likelihood estimate of a random walk.
    """
    if not len(lead_h) or not (lead_h > 0).all() or not np.isfinite(change).all():
        raise BadInputError(
            f"expected one finite change or more after hours above 0, got {len(lead_h)} of leads "
            f"from {lead_h.min(initial=np.inf)} h"
        )
    return float(np.sqrt(np.mean(change**2 * _DAY_H / lead_h)))


def _hoped(mean: Array, scale: Array) -> Array:
    """E[max(0, mean + news)] for logistic news of this scale, 0 where nothing may be sent."""
    is_sure = scale <= 0
    unit = np.where(is_sure, 1.0, scale)
    hoped = unit * np.logaddexp(0.0, mean / unit)
    return np.asarray(np.where(is_sure, np.maximum(mean, 0.0), hoped))
