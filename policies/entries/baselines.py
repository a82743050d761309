"""Baselines: what a learning policy has to beat."""

from __future__ import annotations

from policies.baselines.behaviour_counts import CountParams
from policies.baselines.best_hour import BestHourRanker
from policies.baselines.counts import Counts
from policies.baselines.fixed import NeverSend, RandomEligible
from policies.baselines.popular import PopularItemHour
from policies.entry import Entry

__all__ = ["ENTRIES"]

ENTRIES = (
    Entry(
        policy_id="random",
        factory=RandomEligible,
        options={},
        reference="every comparison's zero",
        cost="N·A",
    ),
    Entry(
        policy_id="never_send",
        factory=NeverSend,
        options={},
        reference="silence, the value of hold",
        cost="N·A",
    ),
    Entry(
        policy_id="popular",
        factory=PopularItemHour,
        options={"params": CountParams(), "always_sends": False},
        reference="the popular item at the popular hour",
        cost="N·A",
    ),
    Entry(
        policy_id="best_hour",
        factory=BestHourRanker,
        options={"params": CountParams(), "always_sends": False, "least_active": 4.0},
        reference="send-time optimisation, then a ranker",
        cost="N·A",
    ),
    Entry(
        policy_id="counts_static",
        factory=Counts,
        options={"params": CountParams(is_static=True), "always_sends": False},
        reference="personal frequencies of the training range",
        cost="N·A",
    ),
    Entry(
        policy_id="counts_updated",
        factory=Counts,
        options={"params": CountParams(), "always_sends": False},
        reference="personal frequencies, updated every period",
        cost="N·A",
    ),
    Entry(
        policy_id="counts_decayed",
        factory=Counts,
        options={"params": CountParams(half_life=90.0), "always_sends": False},
        reference="personal frequencies that fade, shrunk to the population",
        cost="N·A",
    ),
)
