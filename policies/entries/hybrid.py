"""Explorers over the hybrid model: logistic where a response comes or not."""

from __future__ import annotations

from policies.entry import Entry, explored
from policies.explorers.square_cb import SquareCB
from policies.explorers.thompson import Thompson
from policies.explorers.upper_bound import UpperBound
from policies.models.diagonal import DiagonalModel
from policies.models.glm_head import GlmParams
from policies.models.hybrid import HybridModel
from policies.models.surrogate import SurrogateModel

__all__ = ["ENTRIES"]

_COST = "N·A·M + R·(P³ + I·P²)"
_LINEAR = GlmParams(responses="identity")
_TWO_PART = GlmParams(two_part="count value")

ENTRIES = (
    Entry(
        policy_id="hybrid_ts",
        factory=explored(HybridModel),
        options={"model": GlmParams(), "explorer": Thompson(scale=0.8, deflates=True)},
        reference="Chapelle and Li (2011) over Li et al. (2010), §3.2",
        cost=_COST,
    ),
    Entry(
        policy_id="two_part_ts",
        factory=explored(HybridModel),
        options={"model": _TWO_PART, "explorer": Thompson(scale=0.8, deflates=True)},
        reference="Duan, Manning, Morris and Newhouse (1983), two-part model, under hybrid_ts",
        cost=_COST,
    ),
    Entry(
        policy_id="surrogate_ts",
        factory=explored(SurrogateModel),
        options={"model": GlmParams(), "explorer": Thompson(scale=0.8, deflates=True)},
        reference="Athey, Chetty, Imbens and Kang (2019), the surrogate index, over hybrid_ts",
        cost="N·A·M + P³ + I·P²",
    ),
    Entry(
        policy_id="hybrid_ucb",
        factory=explored(HybridModel),
        options={"model": GlmParams(), "explorer": UpperBound()},
        reference="Li et al. (2012), generalised linear bounds",
        cost=_COST,
    ),
    Entry(
        policy_id="hybrid_squarecb",
        factory=explored(HybridModel),
        options={"model": GlmParams(), "explorer": SquareCB()},
        reference="Foster and Rakhlin (2020) over Li et al. (2010), §3.2",
        cost="N·A + R·(P³ + I·P²)",
    ),
    Entry(
        policy_id="diagonal_ts",
        factory=explored(DiagonalModel),
        options={"model": GlmParams(), "explorer": Thompson(scale=0.8, deflates=True)},
        reference="Chapelle and Li (2011), alg. 3",
        cost="N·A·M + R·M·P",
    ),
    Entry(
        policy_id="diagonal_ucb",
        factory=explored(DiagonalModel),
        options={"model": GlmParams(), "explorer": UpperBound()},
        reference="Li et al. (2012), over Chapelle and Li (2011), alg. 3",
        cost="N·A + R·P",
    ),
    Entry(
        policy_id="hybrid_lints",
        factory=explored(HybridModel),
        options={"model": _LINEAR, "explorer": Thompson()},
        reference="Agrawal and Goyal (2013) over Li et al. (2010), §3.2",
        cost=_COST,
    ),
    Entry(
        policy_id="hybrid_linucb",
        factory=explored(HybridModel),
        options={"model": _LINEAR, "explorer": UpperBound()},
        reference="Li, Chu, Langford and Schapire (2010), alg. 2",
        cost=_COST,
    ),
)
