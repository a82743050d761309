"""The three classic strategies of recommendation, at the user's hour."""

from __future__ import annotations

from policies.baselines.behaviour_counts import CountParams
from policies.baselines.taste_at_hour import DeepScore, collaborative, content
from policies.candidates.factor_params import FactorParams
from policies.entry import Entry

__all__ = ["ENTRIES"]

ENTRIES = (
    Entry(
        policy_id="content",
        factory=content,
        options={
            "params": CountParams(),
            "always_sends": False,
            "least_active": 4.0,
            "fit_every": 7,
        },
        reference="Lops, de Gemmis and Semeraro (2011): cosine of a profile and an item",
        cost="N·K·d + N·I",
    ),
    Entry(
        policy_id="collaborative",
        factory=collaborative,
        options={
            "factors": FactorParams(),
            "params": CountParams(),
            "always_sends": False,
            "least_active": 4.0,
            "fit_every": 7,
        },
        reference="Hu, Koren and Volinsky (2008): implicit-feedback factorisation",
        cost="N·K·d + N·d³ + N·I, and a factorisation every fit_every periods",
        needs="candidates",
    ),
    Entry(
        policy_id="deep_score",
        factory=DeepScore,
        options={"params": CountParams(), "always_sends": False, "least_active": 4.0},
        reference="Kang and McAuley (2018): the context against item vectors",
        cost="N·K·D",
    ),
)
