"""Every other exploration over the shared bilinear Gaussian model."""

from __future__ import annotations

from policies.entry import Entry, explored
from policies.explorers.epsilon_greedy import EpsilonGreedy
from policies.explorers.first import ExploreFirst
from policies.explorers.greedy import Greedy
from policies.explorers.softmax import Softmax
from policies.models.linear import LinearModel
from policies.models.linear_head import HeadParams

__all__ = ["ENTRIES"]

ENTRIES = (
    Entry(
        policy_id="lin_greedy",
        factory=explored(LinearModel),
        options={"model": HeadParams(), "explorer": Greedy()},
        reference="what every exploration is compared with",
        cost="N·A + R·P³",
    ),
    Entry(
        policy_id="lin_epsilon",
        factory=explored(LinearModel),
        options={"model": HeadParams(), "explorer": EpsilonGreedy()},
        reference="Sutton and Barto (2018), §2.2",
        cost="N·A + R·P³",
    ),
    Entry(
        policy_id="lin_softmax",
        factory=explored(LinearModel),
        options={"model": HeadParams(), "explorer": Softmax()},
        reference="Sutton and Barto (2018), §2.8",
        cost="N·A + R·P³",
    ),
    Entry(
        policy_id="lin_first",
        factory=explored(LinearModel),
        options={"model": HeadParams(), "explorer": ExploreFirst()},
        reference="Langford and Zhang (2007)",
        cost="N·A + R·P³",
    ),
)
