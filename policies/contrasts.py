"""How sure a model is of the difference between two actions.

A model, a request and a reference action a row enter; standard deviations of differences leave.
Where everybody is sent something, what silence would bring is hardly known, and the uplift of
every send is as uncertain as that; which send is better may be known well all the same.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bandit.actions import Request
from policies.exploration.masked import visible
from policies.roles import RewardModel

__all__ = ["best_known", "contrast_spreads", "surest"]

Array = NDArray[np.float64]
_DRAWS = 64


def best_known(model: RewardModel, request: Request) -> NDArray[np.int64]:
    """The unmasked action of the highest estimated uplift, of ties that of the widest, (N,)."""
    seen = visible(model.values(request), request.mask)
    is_best = seen == seen.max(axis=1, keepdims=True)
    if (is_best.sum(axis=1) > 1).any():
        return np.asarray(np.where(is_best, model.spreads(request), -1.0).argmax(axis=1))
    return np.asarray(is_best.argmax(axis=1))


def surest(model: RewardModel, request: Request) -> NDArray[np.int64]:
    """The unmasked action of the least spread, of ties that of the highest uplift, (N,).

    It is hold wherever one may hold, whose uplift is 0 by definition.
    """
    seen = -visible(-model.spreads(request), request.mask)
    is_surest = seen == seen.min(axis=1, keepdims=True)
    return np.asarray(np.where(is_surest, model.values(request), -np.inf).argmax(axis=1))


def contrast_spreads(
    model: RewardModel, request: Request, reference: NDArray[np.int64], *, key: int
) -> Array:
    """Standard deviation of every action's weighted uplift less that of the reference, (N, A).

    Exact by the model's own ``contrast_spreads(request, reference)`` where it has one, else over
    64 posterior draws of that key.
    """
    exact = getattr(model, "contrast_spreads", None)
    if exact is not None:
        return np.asarray(exact(request, reference))
    spreads = np.zeros(request.mask.shape)
    for rows, drawn in model.draws(request, key, n_draws=_DRAWS, scale=1.0):
        origin = np.take_along_axis(drawn, reference[rows][:, None, None], axis=2)
        spreads[rows] = (drawn - origin).std(axis=1)
    return spreads
