"""Double DQN as it is deployed: a network that was trained on a simulator, asked and not changed.

Requests enter; a pmf leaves: the action of the highest Q, mixed with a uniform choice. Nothing is
learned from feedback; ``python -m experiments.double_dqn`` trains a network. References: van
Hasselt, Guez and Silver (2016); Prabhakar, Yuan, Yang, Sun and Muralidharan (2022), who send
LinkedIn's notifications so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bandit.actions import Request
from bandit.draws import Stream, generator
from bandit.errors import BadInputError, expect_shape
from bandit.outcomes import Feedback, RewardScheme
from bandit.protocols import Estimate, State
from policies.baselines.q_network import QNetwork, read_network
from policies.checks import check_feedback, check_request, check_scheme
from policies.exploration import epsilon_greedy
from policies.shape import PolicyShape

__all__ = ["DoubleDqn", "DqnParams"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class DqnParams:
    """A network and how much is explored around it.

    Parameters
    ----------
    network : str
        Path of a saved network; empty for one that values every action alike.
    epsilon : float
        Probability of a uniform choice.
    hidden, width : int
        Units and outputs of each tower, where no network is read.
    """

    network: str = ""
    epsilon: float = 0.0
    hidden: int = 64
    width: int = 16

    def __post_init__(self) -> None:
        if not 0 <= self.epsilon <= 1 or min(self.hidden, self.width) < 1:
            raise BadInputError(
                "expected epsilon in [0, 1] and hidden and width of at least 1, got "
                f"{self.epsilon}, {self.hidden}, {self.width}"
            )


class DoubleDqn:
    """ε-greedy over a Q-network.

    Parameters
    ----------
    shape : PolicyShape
        Lengths of what requests will carry.
    scheme : RewardScheme
        What was to be earned when the network was trained.
    params : DqnParams
        The network.
    """

    policy_id = "double_dqn"
    cannot: ClassVar[Mapping[str, str]] = {
        "learns_identity": "it is trained on a simulator beforehand, not by feedback",
        "beats_uniform_on_tiny": "it is trained on a simulator beforehand, not by feedback",
        "holds_when_sends_are_dear": "its values are of the weights it was trained under",
    }

    def __init__(
        self, shape: PolicyShape, scheme: RewardScheme, *, params: DqnParams | None = None
    ) -> None:
        self.params = params or DqnParams()
        self.scheme = scheme
        lengths = shape.n_context, shape.n_item_features, shape.n_slot_features
        if self.params.network:
            self.network = read_network(self.params.network, lengths)
        else:
            self.network = QNetwork.blank(
                lengths,
                hidden=self.params.hidden,
                width=self.params.width,
                rng=generator(0, stream=Stream.INITIAL),
            )

    def pmf(self, request: Request, key: int) -> Array:
        """The best action but for ε, (N, A)."""
        check_request(request, self.network.lengths)
        values = self.network.values(request)
        return epsilon_greedy(values, request.mask, epsilon=self.params.epsilon)

    def estimate(self, request: Request) -> Estimate:
        """No belief about components: zeros."""
        n, n_components = request.n_rows, len(self.scheme)
        base = np.zeros((n, n_components))
        uplift = np.zeros((n, request.n_actions, n_components))
        return Estimate(base_mean=base, base_sd=base, uplift_mean=uplift, uplift_sd=uplift)

    def update(self, feedback: Feedback) -> None:
        """Look at the rows, and learn nothing."""
        check_scheme(feedback.scheme, self.scheme)
        check_feedback(feedback, self.network.lengths)

    def revise(self, feedback: Feedback) -> None:
        """Learn nothing."""

    def rotate(self, basis: Array, kept: float) -> None:
        """Turn with the encoder: the same values of contexts c' = Q·c."""
        d = self.network.lengths[0]
        expect_shape("basis", basis, (d, d), "a row a new coordinate")
        self.network = self.network.turned(basis)

    def state(self) -> State:
        """Return the network."""
        return self.network.state()

    def load(self, state: State) -> None:
        """Restore the network."""
        self.network = self.network.loaded(state)
