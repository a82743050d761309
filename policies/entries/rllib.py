"""Networks that RLlib trains, on simulated users or from a log; to be asked they need no Ray."""

from __future__ import annotations

from policies.baselines.double_dqn import DoubleDqn, DqnParams
from policies.baselines.softmax_network import SoftmaxNetwork
from policies.baselines.trained_network import NetworkParams
from policies.entry import Entry

__all__ = ["ENTRIES"]

_COST = "N·((K + S)·H + A·E)"

ENTRIES = (
    Entry(
        policy_id="rllib_ppo",
        factory=SoftmaxNetwork,
        options={"params": NetworkParams()},
        reference="Schulman and others (2017), proximal policy optimisation, by RLlib",
        cost=_COST,
    ),
    Entry(
        policy_id="rllib_dqn",
        factory=DoubleDqn,
        options={"params": DqnParams(epsilon=0.05)},
        reference="van Hasselt, Guez and Silver (2016), by RLlib",
        cost=_COST,
    ),
    Entry(
        policy_id="rllib_bc",
        factory=SoftmaxNetwork,
        options={"params": NetworkParams()},
        reference="behaviour cloning from a decision log, by RLlib",
        cost=_COST,
    ),
    Entry(
        policy_id="rllib_marwil",
        factory=SoftmaxNetwork,
        options={"params": NetworkParams()},
        reference="Wang and others (2018), advantages exponentially weighed, from a log, by RLlib",
        cost=_COST,
    ),
)
