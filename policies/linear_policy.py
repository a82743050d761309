"""What all policies over the linear head share: learning, estimates, state.

A subclass adds one method, ``pmf``: how it explores. One level of inheritance, because the
code is shared and the role is one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bandit.actions import Request
from bandit.outcomes import Feedback, RewardScheme
from bandit.protocols import Estimate, State
from policies.linear_head import HeadParams, LinearHead
from policies.linear_math import pair_scores, pair_variances
from policies.shape import PolicyShape

__all__ = ["LinearPolicy"]

Array = NDArray[np.float64]


class LinearPolicy:
    """A policy that learns through a :class:`LinearHead`.

    Parameters
    ----------
    shape : PolicyShape
        Lengths of what requests will carry.
    scheme : RewardScheme
        Components and weights; give :attr:`scheme` other weights at any time.
    head : HeadParams
        Prior, noise, forgetting.
    """

    policy_id: str = "linear"
    cannot: ClassVar[Mapping[str, str]] = {}

    def __init__(self, shape: PolicyShape, scheme: RewardScheme, *, head: HeadParams) -> None:
        self.head = LinearHead(
            shape.n_context, shape.n_item_features, shape.n_slot_features, scheme, head
        )

    @property
    def scheme(self) -> RewardScheme:
        """What a reward is; its weights apply from the next request on."""
        return self.head.scheme

    @scheme.setter
    def scheme(self, scheme: RewardScheme) -> None:
        self.head.reweigh(scheme)

    def update(self, feedback: Feedback) -> None:
        """Learn rows seen for the first time."""
        self.head.learn(feedback)

    def revise(self, feedback: Feedback) -> None:
        """Replace what open rows taught."""
        self.head.revise(feedback)

    def rotate(self, basis: Array, kept: float) -> None:
        """Follow the encoder's new basis (see :meth:`LinearHead.rotate`)."""
        self.head.rotate(basis, kept)

    def state(self) -> State:
        """Return the head's moments and open rows."""
        return self.head.state()

    def load(self, state: State) -> None:
        """Restore the head."""
        self.head.load(state)

    def estimate(self, request: Request) -> Estimate:
        """Posterior mean and standard deviation of base and uplift, unweighted."""
        self.head.check(request)
        n, n_components = request.n_rows, len(self.scheme)
        mean, factor = self.head.posterior()
        base_features = np.concatenate([np.ones((n, 1)), request.context], axis=1)
        base = np.zeros((2, n, n_components))
        uplift = np.zeros((2, n, request.n_actions, n_components))
        n_base, pairs = self.head.n_base, self.head.pair_block()
        item, slot, spread = (
            request.item_features,
            request.slot_features,
            self.head.pair_covariance(),
        )
        for row, component in enumerate(self.head.learned):
            base[0, :, component] = base_features @ mean[row, :n_base]
            base[1, :, component] = np.linalg.norm(base_features @ factor[row, :n_base], axis=1)
            uplift[0, :, 1:, component] = pair_scores(item, slot, mean[row, pairs])
            uplift[1, :, 1:, component] = np.sqrt(pair_variances(item, slot, spread[row]))
        for component, known in enumerate(self.scheme.components):
            if known.measure == "send":
                uplift[0, :, 1:, component] = 1.0
        return Estimate(
            base_mean=base[0], base_sd=base[1], uplift_mean=uplift[0], uplift_sd=uplift[1]
        )

    def values(self, request: Request) -> Array:
        """Weighted mean uplift of every action, (N, A); 0 for hold."""
        mean, _ = self.head.posterior()
        theta = self.weights() @ mean[:, self.head.pair_block()]
        values = np.zeros((request.n_rows, request.n_actions))
        values[:, 1:] = pair_scores(request.item_features, request.slot_features, theta)
        values[:, 1:] += self.send_value()
        return values

    def weights(self) -> Array:
        """Weights of the learned components, (R',)."""
        return np.asarray(self.scheme.weights[self.head.learned])

    def send_value(self) -> float:
        """Weighted worth of sending as such: costs that are known, not learned."""
        return sum(c.weight for c in self.scheme.components if c.measure == "send")
