"""What was trained elsewhere and is asked here: a saved network behind the contract of a policy.

A shape and the path of a network enter; everything of a policy but its pmf leaves. Nothing is
learned from feedback. Subclasses say which probabilities they make of the network's values.
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
from policies.shape import PolicyShape

__all__ = ["NetworkParams", "TrainedNetwork"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkParams:
    """Which network.

    Parameters
    ----------
    network : str
        Path of a saved network; empty for one that values every action alike.
    hidden, width : int
        Units and outputs of each tower, where no network is read.
    """

    network: str = ""
    hidden: int = 64
    width: int = 16

    def __post_init__(self) -> None:
        if min(self.hidden, self.width) < 1:
            raise BadInputError(
                f"expected hidden and width of at least 1, got {self.hidden}, {self.width}"
            )


class TrainedNetwork:
    """A network that is asked and not changed.

    Parameters
    ----------
    shape : PolicyShape
        Lengths of what requests will carry.
    scheme : RewardScheme
        What was to be earned when the network was trained.
    params : NetworkParams
        The network.
    """

    policy_id = "trained_network"
    cannot: ClassVar[Mapping[str, str]] = {
        "learns_identity": "it is trained beforehand, not by feedback",
        "beats_uniform_on_tiny": "it is trained beforehand, not by feedback",
        "holds_when_sends_are_dear": "its values are of the weights it was trained under",
    }

    def __init__(self, shape: PolicyShape, scheme: RewardScheme, params: NetworkParams) -> None:
        self.scheme = scheme
        lengths = shape.n_context, shape.n_item_features, shape.n_slot_features
        if params.network:
            self.network = read_network(params.network, lengths)
        else:
            self.network = QNetwork.blank(
                lengths,
                hidden=params.hidden,
                width=params.width,
                rng=generator(0, stream=Stream.INITIAL),
            )

    def values(self, request: Request) -> Array:
        """What the network says of every action, (N, A)."""
        check_request(request, self.network.lengths)
        return self.network.values(request)

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
