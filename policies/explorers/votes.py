"""Votes: how often an action is best among a model's draws, and never less than a least share.

Over a bag the draws are its replicates, and this is bagging as Vowpal Wabbit explores by it.
References: Agarwal, Hsu, Kale, Langford, Li and Schapire (2014), "Taming the monster", where it is
a baseline; Bietti, Agarwal and Langford (2021), "A contextual bandit bake-off".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bandit.actions import Request
from bandit.errors import BadInputError
from policies.exploration import at_least
from policies.roles import RewardModel

__all__ = ["Votes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Votes:
    """Least share of uniform choices beside the votes.

    Parameters
    ----------
    epsilon : float
        All least probabilities of a row together, in [0, 1].
    n_draws : int
        Draws of a model that is no bag; a bag has its replicates.
    """

    cannot: ClassVar[Mapping[str, str]] = {
        "holds_when_sends_are_dear": "its least probability sends whatever it costs"
    }

    epsilon: float = 0.05
    n_draws: int = 32

    def __post_init__(self) -> None:
        if not 0 <= self.epsilon <= 1 or self.n_draws < 1:
            raise BadInputError(
                "expected epsilon in [0, 1] and n_draws of at least 1, got "
                f"{self.epsilon}, {self.n_draws}"
            )

    def pmf(
        self, model: RewardModel, request: Request, *, key: int, n_learned: int
    ) -> NDArray[np.float64]:
        """Shares of votes, raised to the least probability, (N, A)."""
        shares = model.best_shares(request, key, n_draws=self.n_draws, scale=1.0)
        return at_least(shares, request.mask, total=self.epsilon)
