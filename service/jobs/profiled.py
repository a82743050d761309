"""The deep strategy in a simulated world: what a user looked at of late as an encoder's context.

A simulated world has no encoder, so item vectors have nothing to be held against. What stands for
both is what a server has: the features of the items, and of each user the fading mean of the
features of what was looked at. Requests enter; the strategy is asked with that mean as context, and
its probabilities leave. The rest of the policy is the strategy's own.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit.actions import Request
from bandit.outcomes import Feedback, RewardScheme
from bandit.protocols import Estimate
from policies.baselines.taste_at_hour import DeepScore
from simulator.world import World

__all__ = ["Profiled"]


class Profiled:
    """A :class:`~policies.baselines.taste_at_hour.DeepScore` over the world's item features.

    Parameters
    ----------
    inner : DeepScore
        Made for contexts of as many features as the world's items have.
    world : World
        Whose server's profiles are read; its users are those of ids 0 … U − 1.
    """

    policy_id = DeepScore.policy_id
    cannot = DeepScore.cannot

    def __init__(self, inner: DeepScore, world: World) -> None:
        self.inner, self.world = inner, world
        inner.describe(world.ground.catalogue.features)

    def __getattr__(self, name: str) -> Any:
        """Whatever else the strategy has, such as its state."""
        if name == "inner":  # not there yet, as in a copy that is being made
            raise AttributeError(name)
        return getattr(self.inner, name)

    @property
    def scheme(self) -> RewardScheme:
        """What a reward is."""
        return self.inner.scheme

    @scheme.setter
    def scheme(self, scheme: RewardScheme) -> None:
        self.inner.scheme = scheme

    def pmf(self, request: Request, key: int) -> NDArray[np.float64]:
        """What the strategy answers where profiles are contexts, (N, A)."""
        return self.inner.pmf(self._seen(request), key)

    def estimate(self, request: Request) -> Estimate:
        """What it believes there."""
        return self.inner.estimate(self._seen(request))

    def update(self, feedback: Feedback) -> None:
        """Learn nothing: counts learn from behaviour."""

    def revise(self, feedback: Feedback) -> None:
        """Learn nothing: counts learn from behaviour."""

    def _seen(self, request: Request) -> Request:
        profile = self.world.known.profile[request.user].astype(np.float64)
        return replace(request, context=profile)
