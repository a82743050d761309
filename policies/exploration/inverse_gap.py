"""Inverse-gap weighting: probabilities that fall with the gap to the best.

Scores or losses, a mask and γ enter; a pmf leaves. Sources: Abe and Long (1999); Foster and
Rakhlin (2020), "Beyond UCB", eq. (2), for the weights; Foster and Krishnamurthy (2021),
"Efficient first-order contextual bandits", alg. 1, for those reweighted by the least loss.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bandit.errors import BadInputError
from policies.exploration.masked import Mask, Scores, visible

__all__ = ["inverse_gap", "reweighted_inverse_gap"]

Array = NDArray[np.float64]


def inverse_gap(scores: Scores, mask: Mask, *, gamma: float | Array) -> Array:
    """Inverse-gap weighting: ``1 / (A + γ·gap)`` on all but the best, the rest on the best.

    Foster and Rakhlin (2020), eq. (2), with A the number of unmasked actions of the row and γ
    the same for all rows or one a row, (N, 1). Exact ties share the probability of the best.
    """
    _check(gamma)
    seen = visible(scores, mask)
    best = seen.max(axis=1, keepdims=True)
    is_best = seen == best
    # One array all the way: short lists × slots × rows make it large.
    away = np.subtract(best, seen, out=seen)
    away[~mask] = 0.0
    away *= gamma
    away += mask.sum(axis=1, keepdims=True)
    np.reciprocal(away, out=away)
    return _with_best(away, is_best, mask)


def reweighted_inverse_gap(losses: Scores, mask: Mask, *, gamma: float | Array) -> Array:
    """FastCB's weights: ``L / (A·L + γ·(loss − L))`` on all but the best, L its loss.

    Where the best loss is small, so is what is left for the others; at a loss of 0 nothing is.

    Parameters
    ----------
    losses : ndarray, (N, A)
        Estimated losses, at least 0 on unmasked actions.
    mask : ndarray of bool, (N, A)
        True where an action may be taken.
    gamma : float, or ndarray (N, 1)
        Larger is greedier.
    """
    _check(gamma)
    seen = -visible(-losses, mask)
    least = seen.min(axis=1, keepdims=True)
    if (least < 0).any():
        raise BadInputError(f"expected losses of at least 0, got {least.min()}")
    is_best = seen == least
    gap = np.where(mask, seen - least, 0.0)
    below = mask.sum(axis=1, keepdims=True) * least + gamma * gap
    away = np.broadcast_to(least, below.shape) / np.where(below > 0, below, 1.0)
    return _with_best(away, is_best, mask)


def _with_best(away: Array, is_best: Mask, mask: Mask) -> Array:
    """What the others leave goes to the best; overwrites ``away``."""
    away[is_best | ~mask] = 0.0
    rest = 1.0 - away.sum(axis=1, keepdims=True)
    return np.asarray(away + is_best * (rest / is_best.sum(axis=1, keepdims=True)))


def _check(gamma: float | Array) -> None:
    if not (np.asarray(gamma) >= 0).all():
        raise BadInputError(f"expected gamma of at least 0, got {np.min(gamma)}")
