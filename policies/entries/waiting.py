"""Explorers that weigh deciding again later against a send."""

from __future__ import annotations

from policies.entry import Entry, explored
from policies.explorers.waiting import Waiting
from policies.models.linear import LinearModel
from policies.models.linear_head import HeadParams

__all__ = ["ENTRIES"]

ENTRIES = (
    Entry(
        policy_id="lints_wait",
        factory=explored(LinearModel),
        options={"model": HeadParams(), "explorer": Waiting()},
        reference="Dixit and Pindyck (1994), the option to wait, over Agrawal and Goyal (2013)",
        cost="N·A·M + R·P³, all actions of all draws in memory",
    ),
)
