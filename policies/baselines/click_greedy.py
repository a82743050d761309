"""Click-greedy: the push most likely clicked, always, whatever it does to the user.

A belief about clicks enters; all mass on the item × slot of the highest expected click leaves.
It is the wrong target that every other policy has to be told from: it sends to people who would
have come anyway, and never asks what a send costs. Reference: Sutton and Barto (2018), §2.2, the
greedy action, with clicks as the reward.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bandit.actions import HOLD, Request
from bandit.errors import BadInputError
from bandit.outcomes import Kind, RewardScheme
from policies.exploration import best_action
from policies.roles import RewardModel

__all__ = ["ClickGreedy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClickGreedy:
    """An explorer that reads the component of clicks alone, and holds where it must."""

    takes_prices: ClassVar[bool] = False  # it asks for clicks, whatever they cost
    cannot: ClassVar[Mapping[str, str]] = {
        "learns_identity": "clicks are all it looks at, and there are none",
        "beats_uniform_on_tiny": "it always sends, and tiny punishes that",
        "holds_when_sends_are_dear": "it asks for clicks, whatever they cost, by design",
    }

    def pmf(
        self, model: RewardModel, request: Request, *, key: int, n_learned: int
    ) -> NDArray[np.float64]:
        """All mass on the unmasked send of most clicks, (N, A); hold only where none is open.

        Raises
        ------
        BadInputError
            If the scheme counts no clicks.
        """
        clicks = model.estimate(request).uplift_mean[:, :, _clicks_of(model.scheme)].copy()
        clicks[:, HOLD] = clicks.min(axis=1) - 1.0
        return best_action(clicks, request.mask)


def _clicks_of(scheme: RewardScheme) -> int:
    for position, component in enumerate(scheme.components):
        if Kind.CLICKED in component.kinds:
            return position
    raise BadInputError(
        f"expected a scheme that counts clicks, got {scheme.name!r}: give it such a component, at "
        "weight 0 where clicks are not what counts"
    )
