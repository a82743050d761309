"""Explorers over the disjoint model: a regression for each item."""

from __future__ import annotations

from policies.entry import Entry, explored
from policies.explorers.inverse_gap import InverseGap
from policies.explorers.thompson import Thompson
from policies.explorers.upper_bound import UpperBound
from policies.models.disjoint import DisjointModel
from policies.models.linear_head import HeadParams

__all__ = ["ENTRIES"]

ENTRIES = (
    Entry(
        policy_id="disjoint_linucb",
        factory=explored(DisjointModel),
        options={"model": HeadParams(), "explorer": UpperBound()},
        reference="Li, Chu, Langford and Schapire (2010), alg. 1",
        cost="N·A·L² + R·I·L³",
    ),
    Entry(
        policy_id="disjoint_lints",
        factory=explored(DisjointModel),
        options={"model": HeadParams(), "explorer": Thompson()},
        reference="Agrawal and Goyal (2013), an item a regression",
        cost="N·K·M·L + R·I·(L³ + M·L²)",
    ),
    Entry(
        policy_id="disjoint_igw",
        factory=explored(DisjointModel),
        options={"model": HeadParams(), "explorer": InverseGap()},
        reference="Foster and Rakhlin (2020), an item a regression",
        cost="N·K·L + R·I·L³",
    ),
)
