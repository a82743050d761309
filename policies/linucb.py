"""Linear upper confidence bounds over the shared bilinear head.

The pmf puts all mass on the unmasked action of the highest ``mean + α·width`` of its weighted
uplift; hold has uplift 0 and width 0. Reference: Li, Chu, Langford and Schapire (2010),
"A contextual-bandit approach to personalized news article recommendation", alg. 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bandit.actions import Request
from bandit.errors import BadInputError
from bandit.outcomes import RewardScheme
from policies.exploration import best_action
from policies.linear_head import HeadParams
from policies.linear_math import pair_variances
from policies.linear_policy import LinearPolicy
from policies.shape import PolicyShape

__all__ = ["LinUCB", "LinUCBParams"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LinUCBParams:
    """Width of the bound: α standard deviations of the posterior."""

    alpha: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.alpha < np.inf:
            raise BadInputError(f"expected a finite alpha of at least 0, got {self.alpha}")


class LinUCB(LinearPolicy):
    """Optimism over the shared bilinear head.

    Notes
    -----
    The regret bound of the paper is for disjoint arms and stationary contexts; it does not
    carry over to shared features under forgetting.
    """

    policy_id = "linucb"

    def __init__(
        self,
        shape: PolicyShape,
        scheme: RewardScheme,
        *,
        head: HeadParams | None = None,
        params: LinUCBParams | None = None,
    ) -> None:
        super().__init__(shape, scheme, head=head or HeadParams())
        self.params = params or LinUCBParams()

    def pmf(self, request: Request, key: int) -> NDArray[np.float64]:
        """All mass on the highest upper bound, (N, A)."""
        self.head.check(request)
        return best_action(self.bounds(request), request.mask)

    def bounds(self, request: Request) -> NDArray[np.float64]:
        """Upper confidence bound of every action's weighted uplift, (N, A)."""
        bounds = self.values(request)
        if self.params.alpha == 0:
            return bounds
        # Components are independent, so the variance of their weighted sum is a sum as well.
        spread = np.tensordot(self.weights() ** 2, self.head.pair_covariance(), axes=1)
        variance = pair_variances(request.item_features, request.slot_features, spread)
        bounds[:, 1:] += self.params.alpha * np.sqrt(variance)
        return bounds
