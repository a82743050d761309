"""Who walks the days: baselines and bandits, cold and warm, with and without the time.

Names and options enter; a ready policy leaves, its counts or moments filled from the training
range where it starts warm. Every contender goes through the same exploration floor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bandit.protocols import Policy
from policies.baselines.count_policy import CountPolicy
from policies.explored import Explored
from policies.models.linear import LinearModel
from policies.registry import build
from policies.shape import PolicyShape
from service.jobs.purchase_features import DayFeatures, FeatureScale
from service.jobs.purchase_world import HITS
from service.jobs.purchases import Purchases
from service.jobs.warm_start import PairMoments

__all__ = ["CONTENDERS", "COUNT_BASELINES", "Contender", "WarmStart", "observe_day", "ready"]

Start = Literal["fixed", "counts", "cold", "warm"]

_HEAD = {"prior_precision": 50.0, "noise_sd": 0.15}
"""Features have size 1 in training and a hit rate of a few percent: coefficients are some
hundredths (prior sd .02), and one hit or miss is off by about .15."""

WARM_WEIGHT = 0.3
"""A training household-day, on which every answer is known, counts as this many decisions
for each of its pairs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """One row of the comparison."""

    name: str
    policy_id: str
    start: Start
    is_time_aware: bool = True
    options: Mapping[str, Any] = field(default_factory=dict)


def _linear(policy_id: str, explorer: Mapping[str, Any]) -> list[Contender]:
    options = {"model": _HEAD, "explorer": explorer}
    return [
        Contender(name=f"{policy_id} cold", policy_id=policy_id, start="cold", options=options),
        Contender(name=f"{policy_id} warm", policy_id=policy_id, start="warm", options=options),
        Contender(
            name=f"{policy_id} warm, time-blind",
            policy_id=policy_id,
            start="warm",
            is_time_aware=False,
            options=options,
        ),
    ]


COUNT_BASELINES = ("counts static", "counts updated", "counts updated, fading")

CONTENDERS: tuple[Contender, ...] = (
    Contender(name="random", policy_id="random", start="fixed"),
    Contender(name="never send", policy_id="never_send", start="fixed"),
    Contender(name="popular item, popular hour", policy_id="popular", start="counts"),
    Contender(
        name="counts static",
        policy_id="counts_static",
        start="counts",
    ),
    Contender(name="counts updated", policy_id="counts_updated", start="counts"),
    Contender(
        name="counts updated, fading",
        policy_id="counts_decayed",
        start="counts",
        options={"params": {"half_life": 90.0}},
    ),
    Contender(
        name="counts updated, fading, always sends",
        policy_id="counts_decayed",
        start="counts",
        options={"params": {"half_life": 90.0}, "always_sends": True},
    ),
    Contender(
        name="best hour + ranker",
        policy_id="best_hour",
        start="counts",
        options={"params": {"half_life": 90.0}},
    ),
    *_linear("lints", {"scale": 0.5}),
    *_linear("linucb", {"alpha": 0.3}),
    *_linear("igw", {"scale": 1000.0}),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmStart:
    """What the training range says: moments of both feature sets, and their scale."""

    aware: PairMoments
    blind: PairMoments
    scale: FeatureScale

    def moments(self, *, is_time_aware: bool) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Moments for a linear head over scaled features."""
        if is_time_aware:
            return self.aware.scaled(self.scale.items, self.scale.slots, WARM_WEIGHT)
        return self.blind.scaled(self.scale.blind_items, self.scale.blind_slots, WARM_WEIGHT)


def ready(contender: Contender, shop: Purchases, *, sample: DayFeatures, warm: WarmStart) -> Policy:
    """Build a contender's policy, started from the training range as it should be.

    Parameters
    ----------
    contender : Contender
        What to build.
    shop : Purchases
        Read up to the end of the training range.
    sample : DayFeatures
        Any day's features, for their lengths.
    warm : WarmStart
        Moments of the training range.
    """
    items = sample.items if contender.is_time_aware else sample.blind_items
    slots = sample.slots if contender.is_time_aware else sample.blind_slots
    shape = PolicyShape(
        n_context=sample.context.shape[1] if contender.is_time_aware else 0,
        n_item_features=items.shape[2],
        n_slot_features=slots.shape[2],
        n_users=shop.n_users,
        n_items=shop.n_items,
        n_slots=shop.n_slots,
    )
    policy = build(contender.policy_id, shape, scheme=HITS, options=contender.options)
    if isinstance(policy, CountPolicy):
        for day in range(shop.train_days):
            observe_day(policy, shop, day)
        policy.counts.freeze()
    model = policy.model if isinstance(policy, Explored) else None
    if isinstance(model, LinearModel) and contender.start == "warm":
        precision, moment = warm.moments(is_time_aware=contender.is_time_aware)
        model.head.absorb(precision, moment)
    return policy


def observe_day(policy: Policy, shop: Purchases, day: int) -> None:
    """Show a day's purchases to policies that learn from behaviour."""
    if not isinstance(policy, CountPolicy):
        return
    user, item, _ = shop.bought(day)
    pairs = np.unique(user * shop.n_items + item)
    slot_user, slot = shop.active(day)
    policy.counts.observe(
        item_user=pairs // shop.n_items,
        item=pairs % shop.n_items,
        slot_user=slot_user,
        slot=slot,
    )
