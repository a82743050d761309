"""What has been published or is sold for pushes, a policy each."""

from __future__ import annotations

from policies.baselines.click_greedy import ClickGreedy
from policies.baselines.lp_planner import LpPlanner
from policies.entry import Entry, explored
from policies.models.linear import LinearModel
from policies.models.linear_head import HeadParams

__all__ = ["ENTRIES"]

ENTRIES = (
    Entry(
        policy_id="click_greedy",
        factory=explored(LinearModel),
        options={"model": HeadParams(), "explorer": ClickGreedy()},
        reference="the highest click rate, unlimited",
        cost="N·A·P + R·P³",
    ),
    Entry(
        policy_id="lp_planner",
        factory=explored(LinearModel),
        options={"model": HeadParams(), "explorer": LpPlanner()},
        reference="Uber's consumer communication gateway (2022)",
        cost="N·A·P + a program over N·S·cap pairs",
        needs="planner",
    ),
)
