"""Exploration as pure functions: scores and a mask in, a pmf out.

Each function returns a distribution over the unmasked actions of each row, the same under any
order of actions. No function draws anything.
"""

from __future__ import annotations

from policies.exploration.cover import cover
from policies.exploration.greedy import (
    at_least,
    best_action,
    epsilon_greedy,
    softmax,
    uniform,
    votes,
)
from policies.exploration.information import information_directed, regret_and_information
from policies.exploration.inverse_gap import inverse_gap, reweighted_inverse_gap
from policies.exploration.plausible import plausible

__all__ = [
    "at_least",
    "best_action",
    "cover",
    "epsilon_greedy",
    "information_directed",
    "inverse_gap",
    "plausible",
    "regret_and_information",
    "reweighted_inverse_gap",
    "softmax",
    "uniform",
    "votes",
]
