"""Double DQN as it is deployed: the action of the highest Q, mixed with a uniform choice.

Requests enter; a pmf leaves. ``python -m experiments.double_dqn`` trains a network,
``python -m experiments.rllib_train`` has RLlib train one. References: van Hasselt, Guez and Silver
(2016); Prabhakar, Yuan, Yang, Sun and Muralidharan (2022), who send LinkedIn's notifications so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bandit.actions import Request
from bandit.errors import BadInputError
from bandit.outcomes import RewardScheme
from policies.baselines.trained_network import NetworkParams, TrainedNetwork
from policies.exploration import epsilon_greedy
from policies.shape import PolicyShape

__all__ = ["DoubleDqn", "DqnParams"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DqnParams(NetworkParams):
    """A network and how much is explored around it.

    Parameters
    ----------
    network, hidden, width
        See :class:`~policies.baselines.trained_network.NetworkParams`.
    epsilon : float
        Probability of a uniform choice.
    """

    epsilon: float = 0.0

    def __post_init__(self) -> None:
        NetworkParams.__post_init__(self)
        if not 0 <= self.epsilon <= 1:
            raise BadInputError(f"expected epsilon in [0, 1], got {self.epsilon}")


class DoubleDqn(TrainedNetwork):
    """ε-greedy over a Q-network; see :class:`~policies.baselines.trained_network.TrainedNetwork`.

    Parameters
    ----------
    shape, scheme
        As there.
    params : DqnParams
        The network, and ε.
    """

    policy_id = "double_dqn"

    def __init__(
        self, shape: PolicyShape, scheme: RewardScheme, *, params: DqnParams | None = None
    ) -> None:
        self.params = params or DqnParams()
        super().__init__(shape, scheme, self.params)

    def pmf(self, request: Request, key: int) -> NDArray[np.float64]:
        """The best action but for ε, (N, A)."""
        return epsilon_greedy(self.values(request), request.mask, epsilon=self.params.epsilon)
