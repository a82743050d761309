"""Every other exploration over the shared bilinear Gaussian model."""

from __future__ import annotations

from typing import Any

from bandit.outcomes import RewardScheme
from policies.entry import Entry, explored
from policies.explored import Explored
from policies.explorers.cover import Cover
from policies.explorers.epsilon_greedy import EpsilonGreedy
from policies.explorers.fast_cb import FastCB
from policies.explorers.first import ExploreFirst
from policies.explorers.greedy import Greedy
from policies.explorers.information_directed import InformationDirected
from policies.explorers.reg_cb import RegCB
from policies.explorers.softmax import Softmax
from policies.explorers.square_cb import SquareCB
from policies.explorers.votes import Votes
from policies.models.bag import Bag, BagParams
from policies.models.linear import LinearModel
from policies.models.linear_head import HeadParams
from policies.models.tallied import Tallied
from policies.shape import PolicyShape

__all__ = ["ENTRIES"]


def _tallied(shape: PolicyShape, scheme: RewardScheme, params: Any) -> Tallied:
    return Tallied(LinearModel(shape, scheme, params))


def _bagged(
    shape: PolicyShape, scheme: RewardScheme, *, model: HeadParams, bag: BagParams, explorer: Votes
) -> Explored:
    return Explored(Bag(lambda: LinearModel(shape, scheme, model), bag), explorer)


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
    Entry(
        policy_id="squarecb",
        factory=explored(LinearModel),
        options={"model": HeadParams(), "explorer": SquareCB()},
        reference="Foster and Rakhlin (2020), as in Vowpal Wabbit",
        cost="N·A + R·P³",
    ),
    Entry(
        policy_id="squarecb_elim",
        factory=explored(LinearModel),
        options={"model": HeadParams(), "explorer": SquareCB(eliminates=True)},
        reference="Foster, Rakhlin, Simchi-Levi and Xu (2020)",
        cost="N·A·P + R·P³",
    ),
    Entry(
        policy_id="fastcb",
        factory=explored(_tallied),
        options={"model": HeadParams(), "explorer": FastCB()},
        reference="Foster and Krishnamurthy (2021)",
        cost="N·A·P + R·P³",
    ),
    Entry(
        policy_id="lin_regcb",
        factory=explored(LinearModel),
        options={"model": HeadParams(), "explorer": RegCB()},
        reference="Foster, Agarwal, Dudík, Luo and Schapire (2018), elimination",
        cost="N·A·P + R·P³",
    ),
    Entry(
        policy_id="lin_regcbopt",
        factory=explored(LinearModel),
        options={"model": HeadParams(), "explorer": RegCB(is_optimistic=True)},
        reference="Foster, Agarwal, Dudík, Luo and Schapire (2018), optimism",
        cost="N·A·P + R·P³",
    ),
    Entry(
        policy_id="lin_ids",
        factory=explored(LinearModel),
        options={"model": HeadParams(), "explorer": InformationDirected()},
        reference="Russo and Van Roy (2018), variance-based",
        cost="N·A·M² + R·P³",
    ),
    Entry(
        policy_id="lin_bag",
        factory=_bagged,
        options={"model": HeadParams(), "bag": BagParams(), "explorer": Votes()},
        reference="Eckles and Kaptein (2014); Agarwal et al. (2014)",
        cost="N·A·B + B·R·P³",
    ),
    Entry(
        policy_id="lin_cover",
        factory=explored(LinearModel),
        options={"model": HeadParams(), "explorer": Cover()},
        reference="Agarwal et al. (2014)",
        cost="N·A·n + R·P³",
    ),
)
