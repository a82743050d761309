"""The best action, and what is mixed with it: uniform choice, ε-greedy, softmax, votes.

Each function returns a distribution over the unmasked actions of each row. Sources: Sutton and
Barto (2018), ch. 2, for ε-greedy and softmax; Vowpal Wabbit's exploration library, whose own
tests these functions pass, for the least probability.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bandit.errors import BadInputError, BadPmfError, BadShapeError
from policies.exploration.masked import Mask, Scores, visible

__all__ = [
    "at_least",
    "best_action",
    "epsilon_greedy",
    "softmax",
    "uniform",
    "votes",
]

Array = NDArray[np.float64]


def uniform(mask: Mask) -> Array:
    """Equal probability on every unmasked action, (N, A)."""
    return np.asarray(mask / mask.sum(axis=1, keepdims=True))


def best_action(scores: Scores, mask: Mask) -> Array:
    """All probability on the best unmasked action, shared equally between exact ties.

    Sharing, rather than taking the first, keeps the pmf the same under any order of actions.
    """
    seen = visible(scores, mask)
    is_best = seen == seen.max(axis=1, keepdims=True)
    return uniform(is_best & mask)


def votes(scores: Array, mask: Mask) -> Array:
    """Share of voters for whom each action is best, ties of a voter shared, (N, A).

    Parameters
    ----------
    scores : ndarray, (N, B, A)
        What each of B voters thinks of every action.
    mask : ndarray of bool, (N, A)
        True where an action may be taken.
    """
    n, n_voters, n_actions = scores.shape
    if (n, n_actions) != mask.shape or not n_voters:
        raise BadShapeError(
            f"expected the scores of one voter or more on actions {mask.shape}, got {scores.shape}"
        )
    each = np.broadcast_to(mask[:, None], scores.shape).reshape(n * n_voters, n_actions)
    ballots = best_action(scores.reshape(n * n_voters, n_actions), each)
    shares = ballots.reshape(scores.shape).sum(axis=1)
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def epsilon_greedy(scores: Scores, mask: Mask, *, epsilon: float) -> Array:
    """Mix the best action with a uniform choice, at probability ``epsilon``.

    Examples
    --------
    >>> epsilon_greedy(np.array([[0.0, 0.0, 1.0, 0.0]]), np.ones((1, 4), bool), epsilon=0.4)
    array([[0.1, 0.1, 0.7, 0.1]])
    """
    if not 0 <= epsilon <= 1:
        raise BadInputError(f"expected epsilon in [0, 1], got {epsilon}")
    return np.asarray((1 - epsilon) * best_action(scores, mask) + epsilon * uniform(mask))


def softmax(scores: Scores, mask: Mask, *, inverse_temperature: float) -> Array:
    """Probabilities proportional to ``exp(inverse_temperature · score)``."""
    if not 0 <= inverse_temperature < np.inf:
        raise BadInputError(
            f"expected a finite inverse_temperature of at least 0, got {inverse_temperature}"
        )
    seen = visible(scores, mask)
    gap = np.where(mask, seen.max(axis=1, keepdims=True) - seen, 0.0)
    weights = mask * np.exp(-inverse_temperature * gap)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def at_least(pmf: Array, mask: Mask, *, total: float | Array, raises_zeros: bool = True) -> Array:
    """Raise the probability of every unmasked action to at least ``total / n``.

    Parameters
    ----------
    pmf : ndarray, (N, A)
        A distribution over unmasked actions.
    mask : ndarray of bool, (N, A)
        True where an action may be taken.
    total : float, or ndarray (N, 1)
        The least probabilities of a row, all together; in [0, 1].
    raises_zeros : bool
        False leaves actions of probability 0 where they are; n counts the others only.

    Returns
    -------
    ndarray, (N, A)
        The least for actions below it; the others give it up in proportion.

    Notes
    -----
    Vowpal Wabbit scales once, after which some may fall below the least; here they are raised in
    turn until none does.

    Examples
    --------
    >>> at_least(np.array([[1.0, 0.0, 0.0]]), np.ones((1, 3), bool), total=0.3)
    array([[0.8, 0.1, 0.1]])
    """
    if not ((np.asarray(total) >= 0) & (np.asarray(total) <= 1)).all():
        raise BadInputError(f"expected a total in [0, 1], got {total}")
    counted = mask if raises_zeros else mask & (pmf > 0)
    n_counted = counted.sum(axis=1, keepdims=True)
    if not n_counted.all():
        raise BadPmfError("expected a distribution in each row, got one without probability")
    least = np.asarray(total) / n_counted  # (N, 1)
    raised = counted & (pmf <= least)
    for _ in range(pmf.shape[1]):
        others = np.where(raised, 0.0, pmf)
        spare = 1.0 - least * raised.sum(axis=1, keepdims=True)
        mass = others.sum(axis=1, keepdims=True)
        scaled = others * (spare / np.where(mass > 0, mass, 1.0))
        below = counted & ~raised & (scaled < least)
        if not below.any():
            break
        raised |= below
    return np.asarray(np.where(raised, least, scaled))
