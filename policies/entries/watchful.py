"""Learners that notice a change and forget."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bandit.outcomes import RewardScheme
from policies.entry import Entry
from policies.explored import Explored
from policies.explorers.thompson import Thompson
from policies.models.glm_head import GlmParams
from policies.models.hybrid import HybridModel
from policies.models.linear import LinearModel
from policies.models.linear_head import HeadParams
from policies.models.watchful import Watchful, WatchParams
from policies.roles import Explorer
from policies.shape import PolicyShape

__all__ = ["ENTRIES"]


def _watched(of: Any) -> Any:
    def build(
        shape: PolicyShape,
        scheme: RewardScheme,
        *,
        model: Any,
        watch: WatchParams,
        explorer: Explorer,
    ) -> Explored:
        watched = Watchful(of(shape, scheme, model), shape.n_context, watch)
        return Explored(watched, explorer)

    return build


_OF_HYBRID: Mapping[str, Any] = {
    "model": GlmParams(),
    "watch": WatchParams(),
    "explorer": Thompson(scale=0.8, deflates=True),
}

ENTRIES = (
    Entry(
        policy_id="lints_watch",
        factory=_watched(LinearModel),
        options={"model": HeadParams(), "watch": WatchParams(), "explorer": Thompson()},
        reference="Page (1954), cumulative sums, over Agrawal and Goyal (2013)",
        cost="N·A·M + R·P³",
    ),
    Entry(
        policy_id="hybrid_ts_watch",
        factory=_watched(HybridModel),
        options=_OF_HYBRID,
        reference="Page (1954), cumulative sums, over Chapelle and Li (2011)",
        cost="N·A·M + R·(P³ + I·P²)",
    ),
)
