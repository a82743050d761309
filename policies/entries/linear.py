"""Explorers over the shared bilinear Gaussian model."""

from __future__ import annotations

from policies.entry import Entry, explored
from policies.explorers.inverse_gap import InverseGap
from policies.explorers.thompson import Thompson
from policies.explorers.upper_bound import UpperBound
from policies.models.linear import LinearModel
from policies.models.linear_head import HeadParams

__all__ = ["ENTRIES"]

ENTRIES = (
    Entry(
        policy_id="linucb",
        factory=explored(LinearModel),
        options={"model": HeadParams(), "explorer": UpperBound()},
        reference="Li, Chu, Langford and Schapire (2010)",
        cost="N·A·P + R·P³",
    ),
    Entry(
        policy_id="lints",
        factory=explored(LinearModel),
        options={"model": HeadParams(), "explorer": Thompson()},
        reference="Agrawal and Goyal (2013)",
        cost="N·A·M + R·P³",
    ),
    Entry(
        policy_id="igw",
        factory=explored(LinearModel),
        options={"model": HeadParams(), "explorer": InverseGap()},
        reference="Foster and Rakhlin (2020)",
        cost="N·A + R·P³",
    ),
)
