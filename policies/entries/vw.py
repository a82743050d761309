"""Vowpal Wabbit with every exploration of its actions with features."""

from __future__ import annotations

from typing import Any

from policies.entry import Entry, lazily
from policies.vw import explorations as vw
from policies.vw.params import TimesParams, VWParams

__all__ = ["ENTRIES"]

_ADF = lazily("policies.vw.adf:VowpalWabbit")


def _entry(policy_id: str, explorer: Any, reference: str, cost: str = "N·A") -> Entry:
    return Entry(
        policy_id=policy_id,
        factory=_ADF,
        options={"model": VWParams(), "explorer": explorer},
        reference=f"Vowpal Wabbit: {reference}",
        cost=cost,
        needs="vw",
    )


ENTRIES = (
    _entry("vw_egreedy", vw.EpsilonGreedy(), "Langford and Zhang (2007), epoch-greedy"),
    _entry("vw_first", vw.First(), "explore first, then the least cost"),
    _entry("vw_softmax", vw.Softmax(), "softmax of costs"),
    _entry("vw_bag", vw.Bag(), "Agarwal et al. (2014), bootstrapped policies", "N·A·M"),
    _entry("vw_cover", vw.Cover(), "Agarwal et al. (2014), online cover", "N·A·M"),
    _entry("vw_squarecb", vw.SquareCB(), "Foster and Rakhlin (2020)"),
    _entry("vw_regcb", vw.RegCB(), "Foster et al. (2018), RegCB", "N examples of A actions"),
    _entry("vw_rnd", vw.Distillation(), "random network distillation", "N examples of A actions"),
    _entry("vw_synthcover", vw.SynthCover(), "synthetic cover", "N·A·M"),
    Entry(
        policy_id="vw_cats",
        factory=lazily("policies.vw.cats:Cats"),
        options={
            "model": VWParams(interactions="ci"),
            "explorer": vw.EpsilonGreedy(),
            "times": TimesParams(),
        },
        reference="Vowpal Wabbit: Majzoubi et al. (2020), CATS",
        cost="N·A and N examples",
        needs="vw",
    ),
    Entry(
        policy_id="vw_slates",
        factory=lazily("policies.vw.slates:Slates"),
        options={"model": VWParams(interactions="ci cs"), "explorer": vw.EpsilonGreedy()},
        reference="Vowpal Wabbit: slates over conditional contextual bandits",
        cost="N examples of K + S actions",
        needs="vw",
    ),
)
