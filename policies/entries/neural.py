"""Learned features: neural-linear with its explorers, and a Q-network."""

from __future__ import annotations

from policies.baselines.double_dqn import DoubleDqn, DqnParams
from policies.entry import Entry, explored
from policies.explorers.thompson import Thompson
from policies.explorers.upper_bound import UpperBound
from policies.models.neural_linear import NeuralLinear
from policies.models.neural_params import NeuralParams

__all__ = ["ENTRIES"]

_REFERENCE = "Riquelme, Tucker and Snoek (2018), neural linear"

ENTRIES = (
    Entry(
        policy_id="neural_ts",
        factory=explored(NeuralLinear),
        options={"model": NeuralParams(), "explorer": Thompson()},
        reference=_REFERENCE,
        cost="N·((K + S)·H + A·M·E) + R·P³",
        needs="neural",
    ),
    Entry(
        policy_id="neural_ucb",
        factory=explored(NeuralLinear),
        options={"model": NeuralParams(), "explorer": UpperBound()},
        reference=f"{_REFERENCE}, with upper confidence bounds",
        cost="N·((K + S)·H + A·E²) + R·P³",
        needs="neural",
    ),
    Entry(
        policy_id="double_dqn",
        factory=DoubleDqn,
        options={"params": DqnParams()},
        reference="van Hasselt, Guez and Silver (2016); LinkedIn (2022)",
        cost="N·((K + S)·H + A·E)",
    ),
)
