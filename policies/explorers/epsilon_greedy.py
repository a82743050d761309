"""ε-greedy: the best estimated action, and any unmasked one at a fixed rate.

With thousands of item × slot pairs a uniform choice spends the traffic on what nobody wants; the
factored floor of :mod:`bandit.floor` is the house's own. Reference: Sutton and Barto (2018), §2.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bandit.actions import Request
from bandit.errors import BadInputError
from policies.exploration import epsilon_greedy
from policies.roles import RewardModel

__all__ = ["EpsilonGreedy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EpsilonGreedy:
    """Share of uniform choices.

    Parameters
    ----------
    epsilon : float
        In [0, 1]; hold is one of the actions.
    """

    cannot: ClassVar[Mapping[str, str]] = {
        "holds_when_sends_are_dear": "a uniform choice sends whatever it costs"
    }

    epsilon: float = 0.05

    def __post_init__(self) -> None:
        if not 0 <= self.epsilon <= 1:
            raise BadInputError(f"expected epsilon in [0, 1], got {self.epsilon}")

    def pmf(
        self, model: RewardModel, request: Request, *, key: int, n_learned: int
    ) -> NDArray[np.float64]:
        """Best estimated uplift mixed with a uniform choice, (N, A)."""
        return epsilon_greedy(model.values(request), request.mask, epsilon=self.epsilon)
