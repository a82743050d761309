"""Explore first: any unmasked action until enough rows are learned, the best one from then on.

Reference: Langford and Zhang (2007), "The epoch-greedy algorithm", which it is the simplest case
of.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bandit.actions import Request
from bandit.errors import BadInputError
from policies.exploration import best_action, uniform
from policies.roles import RewardModel

__all__ = ["ExploreFirst"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExploreFirst:
    """When to stop exploring.

    Parameters
    ----------
    n_first : int
        Rows that must be learned before. Feedback comes late, so more decisions than that are
        uniform.
    """

    cannot: ClassVar[Mapping[str, str]] = {
        "holds_when_sends_are_dear": "while it explores it sends whatever it costs"
    }

    n_first: int = 500

    def __post_init__(self) -> None:
        if self.n_first < 0:
            raise BadInputError(f"expected n_first of at least 0, got {self.n_first}")

    def pmf(
        self, model: RewardModel, request: Request, *, key: int, n_learned: int
    ) -> NDArray[np.float64]:
        """Uniform at first, then all mass on the best estimated uplift, (N, A)."""
        if n_learned < self.n_first:
            return uniform(request.mask)
        return best_action(model.values(request), request.mask)
