"""A policy network as it is deployed: probabilities proportional to the exponents of its logits.

Requests enter; a pmf leaves: exactly what such a network samples from while it is trained, over
what may be done. ``python -m experiments.rllib_train`` trains one by PPO, ``python -m
experiments.rllib_offline`` by BC and MARWIL. Reference: Schulman, Wolski, Dhariwal, Radford and
Klimov (2017), "Proximal policy optimization algorithms".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bandit.actions import Request
from bandit.outcomes import RewardScheme
from policies.baselines.trained_network import NetworkParams, TrainedNetwork
from policies.exploration import softmax
from policies.shape import PolicyShape

__all__ = ["SoftmaxNetwork"]


class SoftmaxNetwork(TrainedNetwork):
    """Softmax of a network; see :class:`~policies.baselines.trained_network.TrainedNetwork`.

    Parameters
    ----------
    shape, scheme
        As there.
    params : NetworkParams
        The network. A number that all actions share, as what it says of the base, is no part of
        the probabilities: PPO's critic is kept there.
    """

    policy_id = "rllib_ppo"

    def __init__(
        self, shape: PolicyShape, scheme: RewardScheme, *, params: NetworkParams | None = None
    ) -> None:
        self.params = params or NetworkParams()
        super().__init__(shape, scheme, self.params)

    def pmf(self, request: Request, key: int) -> NDArray[np.float64]:
        """The softmax of what may be done, (N, A)."""
        return softmax(self.values(request), request.mask, inverse_temperature=1.0)
