"""What comes without a push, under the weights of the scheme.

A model and a request enter; one number a row leaves. Explorers that compare actions never need it,
because it is the same for all of them; those that ask how much is lost at all do.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bandit.actions import Request
from policies.roles import RewardModel

__all__ = ["base_values"]


def base_values(model: RewardModel, request: Request) -> NDArray[np.float64]:
    """Weighted mean of what a row brings if it is held, (N,).

    By the model's own ``base_values(request)`` where it has one, else read off its whole estimate.
    """
    own = getattr(model, "base_values", None)
    if own is not None:
        return np.asarray(own(request))
    return np.asarray(model.scheme.reward(model.estimate(request).base_mean))
