"""FastCB: inverse-gap weighting whose regret hangs on the best policy's loss.

The weights are reweighted by the least loss, and γ grows with the loss observed instead of with
the rows: where little is lost, little is explored. Reference: Foster and Krishnamurthy (2021),
"Efficient first-order contextual bandits: prediction, allocation, and triangular discrimination",
alg. 1 and theorem 1, γ ∝ √(A·L*); the schedule √(1 + observed loss) is that of their experiments.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bandit.actions import Request
from bandit.errors import BadInputError
from policies.base import base_values
from policies.exploration import reweighted_inverse_gap
from policies.models.tallied import Tallied
from policies.reward_range import reward_range
from policies.roles import RewardModel

__all__ = ["FastCB"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class FastCB:
    """Schedule γ = gamma_scale · (1 + observed loss)^gamma_exponent, and the range of rewards.

    Parameters
    ----------
    gamma_scale, gamma_exponent : float
        As in the authors' experiments.
    largest : float
        The most that a count or a value can reach. A loss is what a reward lacks of the most that
        the scheme can pay, in units of the range from its least to its most.

    Notes
    -----
    The paper regresses with the logarithmic loss; over another model its guarantee is not claimed.
    Where clicks are rare nearly all of the most is lost whatever is done, so the weights are
    nearly those of SquareCB: what is small there is the reward, not the loss.
    """

    takes_prices: ClassVar[bool] = False  # a price is no loss that the scheme can pay

    gamma_scale: float = 10.0
    gamma_exponent: float = 0.5
    largest: float = 1.0

    def __post_init__(self) -> None:
        settings = (self.gamma_scale, self.gamma_exponent, self.largest)
        if not (all(0 <= x < np.inf for x in settings) and self.largest > 0):
            raise BadInputError(
                "expected finite gamma_scale and gamma_exponent of at least 0 and a finite largest "
                f"above 0, got {settings}"
            )

    def pmf(self, model: RewardModel, request: Request, *, key: int, n_learned: int) -> Array:
        """Reweighted inverse-gap weights of the estimated losses, (N, A)."""
        if not isinstance(model, Tallied):
            raise BadInputError(
                f"expected a model that adds up what it was paid, got {type(model).__name__}: "
                "wrap it in policies.models.tallied.Tallied"
            )
        least, most = reward_range(model.scheme, largest=self.largest)
        span = (most - least) or 1.0
        worth = base_values(model, request)[:, None] + model.values(request)
        losses = np.clip((most - worth) / span, 0.0, 1.0)
        observed = max((n_learned * most - model.paid) / span, 0.0)
        gamma = self.gamma_scale * (1.0 + observed) ** self.gamma_exponent
        return reweighted_inverse_gap(losses, request.mask, gamma=gamma)
