"""Optimism: all mass on the highest upper confidence bound.

The unmasked action of the highest ``mean + α·width`` of its weighted uplift; hold has uplift 0
and width 0. Reference: Li, Chu, Langford and Schapire (2010), "A contextual-bandit approach to
personalized news article recommendation", alg. 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bandit.actions import Request
from bandit.errors import BadInputError
from policies.exploration import best_action
from policies.roles import RewardModel

__all__ = ["UpperBound"]


@dataclass(frozen=True, slots=True, kw_only=True)
class UpperBound:
    """Width of the bound: α standard deviations of the posterior.

    Notes
    -----
    The regret bound of the paper is for disjoint arms and stationary contexts; it does not
    carry over to shared features under forgetting.
    """

    alpha: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.alpha < np.inf:
            raise BadInputError(f"expected a finite alpha of at least 0, got {self.alpha}")

    def pmf(
        self, model: RewardModel, request: Request, *, key: int, n_learned: int
    ) -> NDArray[np.float64]:
        """All mass on the highest upper bound, (N, A)."""
        return best_action(self.bounds(model, request), request.mask)

    def bounds(self, model: RewardModel, request: Request) -> NDArray[np.float64]:
        """Upper confidence bound of every action's weighted uplift, (N, A)."""
        bounds = model.values(request)
        if self.alpha:
            bounds += self.alpha * model.spreads(request)
        return bounds
