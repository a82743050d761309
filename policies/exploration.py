"""Exploration as pure functions: scores and a mask in, a pmf out.

Each function returns a distribution over the unmasked actions of each row. Sources: Foster
and Rakhlin (2020), "Beyond UCB", for inverse-gap weighting; Sutton and Barto (2018), ch. 2,
for ε-greedy and softmax.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bandit.errors import BadInputError, BadShapeError

__all__ = [
    "best_action",
    "epsilon_greedy",
    "inverse_gap",
    "softmax",
    "uniform",
]

Scores = NDArray[np.float64]
Mask = NDArray[np.bool_]


def uniform(mask: Mask) -> NDArray[np.float64]:
    """Equal probability on every unmasked action, (N, A)."""
    return np.asarray(mask / mask.sum(axis=1, keepdims=True))


def best_action(scores: Scores, mask: Mask) -> NDArray[np.float64]:
    """All probability on the best unmasked action, shared equally between exact ties.

    Sharing, rather than taking the first, keeps the pmf the same under any order of actions.
    """
    visible = _visible(scores, mask)
    is_best = visible == visible.max(axis=1, keepdims=True)
    return uniform(is_best & mask)


def epsilon_greedy(scores: Scores, mask: Mask, *, epsilon: float) -> NDArray[np.float64]:
    """Mix the best action with a uniform choice, at probability ``epsilon``.

    Examples
    --------
    >>> epsilon_greedy(np.array([[0.0, 0.0, 1.0, 0.0]]), np.ones((1, 4), bool), epsilon=0.4)
    array([[0.1, 0.1, 0.7, 0.1]])
    """
    if not 0 <= epsilon <= 1:
        raise BadInputError(f"expected epsilon in [0, 1], got {epsilon}")
    return np.asarray((1 - epsilon) * best_action(scores, mask) + epsilon * uniform(mask))


def softmax(scores: Scores, mask: Mask, *, inverse_temperature: float) -> NDArray[np.float64]:
    """Probabilities proportional to ``exp(inverse_temperature · score)``."""
    if not 0 <= inverse_temperature < np.inf:
        raise BadInputError(
            f"expected a finite inverse_temperature of at least 0, got {inverse_temperature}"
        )
    visible = _visible(scores, mask)
    gap = np.where(mask, visible.max(axis=1, keepdims=True) - visible, 0.0)
    weights = mask * np.exp(-inverse_temperature * gap)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def inverse_gap(
    scores: Scores, mask: Mask, *, gamma: float | NDArray[np.float64]
) -> NDArray[np.float64]:
    """Inverse-gap weighting: ``1 / (A + γ·gap)`` on all but the best, the rest on the best.

    Foster and Rakhlin (2020), eq. (2), with A the number of unmasked actions of the row and γ
    the same for all rows or one a row, (N, 1). Exact ties share the probability of the best.
    """
    if not (np.asarray(gamma) >= 0).all():
        raise BadInputError(f"expected gamma of at least 0, got {np.min(gamma)}")
    visible = _visible(scores, mask)
    best = visible.max(axis=1, keepdims=True)
    is_best = visible == best
    # One array all the way: short lists × slots × rows make it large.
    away = np.subtract(best, visible, out=visible)
    away[~mask] = 0.0
    away *= gamma
    away += mask.sum(axis=1, keepdims=True)
    np.reciprocal(away, out=away)
    away[is_best | ~mask] = 0.0
    rest = 1.0 - away.sum(axis=1, keepdims=True)
    return np.asarray(away + is_best * (rest / is_best.sum(axis=1, keepdims=True)))


def _visible(scores: Scores, mask: Mask) -> NDArray[np.float64]:
    if scores.shape != mask.shape:
        raise BadShapeError(
            f"expected scores of shape {mask.shape}, got {scores.shape}: "
            "did you forget the hold column?"
        )
    if not np.isfinite(scores[mask]).all():
        raise BadInputError(
            "expected finite scores, got NaN or infinity: look at the features of the request"
        )
    return np.where(mask, scores, -np.inf)
