"""Inverse-gap weighting (SquareCB).

Each action's probability falls with the gap of its estimated weighted uplift to the best;
γ grows with the number of rows learned. References: Abe and Long (1999); Foster and Rakhlin
(2020), "Beyond UCB", eq. (2) and theorem 1 for the schedule γ ∝ √(A·n).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bandit.actions import Request
from bandit.errors import BadInputError
from policies.exploration import inverse_gap
from policies.roles import RewardModel

__all__ = ["InverseGap"]


@dataclass(frozen=True, slots=True, kw_only=True)
class InverseGap:
    """Schedule γ = scale · √(A · (1 + rows learned)), A the unmasked actions of a row.

    Parameters
    ----------
    scale : float
        Larger is greedier; the gap is in units of the weighted reward.
    """

    scale: float = 10.0

    def __post_init__(self) -> None:
        if not 0 <= self.scale < np.inf:
            raise BadInputError(f"expected a finite scale of at least 0, got {self.scale}")

    def pmf(
        self, model: RewardModel, request: Request, *, key: int, n_learned: int
    ) -> NDArray[np.float64]:
        """Inverse-gap weights of the estimated uplifts, (N, A)."""
        n_actions = request.mask.sum(axis=1, keepdims=True)  # (N, 1)
        gamma = self.scale * np.sqrt(n_actions * (1.0 + n_learned))
        return inverse_gap(model.values(request), request.mask, gamma=gamma)
