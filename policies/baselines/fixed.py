"""Two fixed policies every comparison needs: random among the eligible, and silence.

Nothing is learned; a pmf leaves. Random spreads evenly over every unmasked action, hold
included; never sends holds wherever it may.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bandit.actions import HOLD, Request
from bandit.outcomes import Feedback, RewardScheme
from bandit.protocols import Estimate, State
from policies.exploration import uniform
from policies.shape import PolicyShape

__all__ = ["NeverSend", "RandomEligible"]

Array = NDArray[np.float64]
_NOTHING_LEARNED = {
    "learns_identity": "nothing is learned by design",
    "beats_uniform_on_tiny": "nothing is learned by design",
    "refuses_nan": "no features are read",
    "turns_with_the_encoder": "no context is read",
}


class RandomEligible:
    """Every unmasked action with the same probability."""

    policy_id = "random"
    cannot: ClassVar[Mapping[str, str]] = _NOTHING_LEARNED | {
        "holds_when_sends_are_dear": "nothing is weighed by design"
    }

    def __init__(self, shape: PolicyShape, scheme: RewardScheme) -> None:
        self.scheme = scheme

    def pmf(self, request: Request, key: int) -> Array:
        """Equal probabilities, (N, A)."""
        return uniform(request.mask)

    def estimate(self, request: Request) -> Estimate:
        """No belief: zeros."""
        n, n_components = request.n_rows, len(self.scheme)
        base = np.zeros((n, n_components))
        uplift = np.zeros((n, request.n_actions, n_components))
        return Estimate(base_mean=base, base_sd=base, uplift_mean=uplift, uplift_sd=uplift)

    def update(self, feedback: Feedback) -> None:
        """Learn nothing."""

    def revise(self, feedback: Feedback) -> None:
        """Learn nothing."""

    def state(self) -> State:
        """Return an empty state."""
        return {}

    def load(self, state: State) -> None:
        """Restore nothing."""


class NeverSend(RandomEligible):
    """Hold, or where holding is masked an even choice among what is left."""

    policy_id = "never_send"
    cannot: ClassVar[Mapping[str, str]] = _NOTHING_LEARNED

    def pmf(self, request: Request, key: int) -> Array:
        """All mass on hold where it may be taken, (N, A)."""
        holds = np.zeros((request.n_rows, request.n_actions))
        holds[:, HOLD] = 1.0
        return np.where(request.mask[:, :1], holds, uniform(request.mask))
