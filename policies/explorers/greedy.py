"""Greedy: all mass on the action of the highest estimated uplift.

It explores nothing by itself and is here as what every exploration is compared with: it may lock
on the wrong action for ever. Reference: Bastani, Bayati and Khosravi (2021), "Mostly
exploration-free algorithms for contextual bandits", on when varied contexts explore for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bandit.actions import Request
from policies.exploration import best_action
from policies.roles import RewardModel

__all__ = ["Greedy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Greedy:
    """No settings; exact ties share the mass."""

    cannot: ClassVar[Mapping[str, str]] = {
        "learns_identity": "it locks on what it believes first and tries nothing else"
    }

    def pmf(
        self, model: RewardModel, request: Request, *, key: int, n_learned: int
    ) -> NDArray[np.float64]:
        """All mass on the best estimated uplift, (N, A)."""
        return best_action(model.values(request), request.mask)
