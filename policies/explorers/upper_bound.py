"""Optimism: all mass on the highest upper confidence bound.

The unmasked action of the highest ``mean + α·width`` of its weighted uplift; hold has uplift 0
and width 0. Reference: Li, Chu, Langford and Schapire (2010), "A contextual-bandit approach to
personalized news article recommendation", alg. 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bandit.actions import HOLD, Request
from bandit.errors import BadInputError
from policies.contrasts import contrast_spreads, surest
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
        return best_action(self.bounds(model, request, key=key), request.mask)

    def bounds(self, model: RewardModel, request: Request, *, key: int) -> NDArray[np.float64]:
        """Upper confidence bound of every action's weighted uplift, (N, A).

        Uplifts are over hold; in rows where hold is masked the width is of what an action adds to
        the surest one, since all sends share an error there that nothing tells.
        """
        bounds = model.values(request)
        if not self.alpha:
            return bounds
        spreads, may_hold = model.spreads(request), request.mask[:, HOLD]
        if not may_hold.all():
            away = contrast_spreads(model, request, surest(model, request), key=key)
            spreads = np.where(may_hold[:, None], spreads, away)
        return np.asarray(bounds + self.alpha * spreads)
