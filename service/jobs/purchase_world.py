"""A world of real purchases: each day's truth is known for every action.

Purchases and features enter; the main job's :class:`~bandit.protocols.World` leaves: one
decision a household and local day at local midnight, over K categories × six windows or
hold. The reward is a *hit*: the household buys that category in that window. It would have
anyway, so no uplift is claimed, and the scheme is an engagement scheme.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bandit.actions import ItemSet, Observation, SlotGrid
from bandit.currencies import no_currency
from bandit.decide import Decisions
from bandit.errors import StateError
from bandit.outcomes import Component, Kind, Outcomes, RewardScheme, no_outcomes
from bandit.slots import DAY_MS
from service.jobs.purchase_features import DayFeatures
from service.jobs.purchases import Purchases

__all__ = ["HITS", "SEND_COST", "AllCategories", "PurchaseWorld"]

SEND_COST = 0.01

HITS = RewardScheme(
    name="hits",
    objective="engagement",
    components=(
        Component(
            name="hit", kinds=(Kind.MATCHED,), measure="any", weight=1.0, window_ms=2 * DAY_MS
        ),
        Component(name="message", kinds=(), measure="send", weight=-SEND_COST),
    ),
)
"""A hit is worth 1, a send costs .01, holding is worth 0."""


@dataclass(slots=True, kw_only=True)
class PurchaseWorld:
    """Walks the days of a shop.

    Parameters
    ----------
    shop : Purchases
        Where hits are read.
    days : sequence of DayFeatures
        One a day, in order, already scaled.
    is_time_aware : bool
        False shows the time-blind features.
    """

    shop: Purchases
    days: Sequence[DayFeatures]
    is_time_aware: bool = True
    _position: int = field(init=False, default=0)
    _hits: NDArray[np.bool_] = field(init=False)
    _decided: Decisions | None = field(init=False, default=None)

    @property
    def features(self) -> DayFeatures:
        """Features of the day that is decided now."""
        return self.days[self._position]

    @property
    def now_ms(self) -> int:
        """End of the day last decided, or the start of the first."""
        if self._position == 0:
            return self.shop.day_start_ms(self.days[0].day)
        return int(self.shop.edges_ms[self.days[self._position - 1].day, -1])

    def observe(self) -> Observation | None:
        """All households at the local midnight that begins the day."""
        if self._position == len(self.days):
            return None
        features = self.features
        n, day = self.shop.n_users, features.day
        edges = self.shop.edges_ms[day]
        self._hits = self.shop.hits(day)
        shape = (n, self.shop.n_slots)
        return Observation(
            user=np.arange(n),
            at_ms=np.full(n, edges[0]),
            zone=np.full(n, self.shop.zone),
            context=features.context if self.is_time_aware else np.zeros((n, 0)),
            slot_features=features.slots if self.is_time_aware else features.blind_slots,
            grid=SlotGrid(
                start_ms=np.broadcast_to(edges[:-1], shape),
                end_ms=np.broadcast_to(edges[1:], shape),
            ),
        )

    def step(self, decisions: Decisions) -> None:
        """Let the day pass."""
        self._decided = decisions
        self._position += 1

    def arrived(self) -> Outcomes:
        """Hits of the day just passed, one response each, received at its end."""
        if self._decided is None:
            return no_outcomes()
        decisions, self._decided = self._decided, None
        truth = self._hits.reshape(decisions.n_rows, -1)
        sent = decisions.executed > 0
        hit = np.flatnonzero(sent & truth[np.arange(len(sent)), decisions.executed - 1])
        n = len(hit)
        return Outcomes(
            outcome_id=decisions.decision_id[hit],
            kind=np.full(n, Kind.MATCHED, np.uint8),
            user=decisions.request.user[hit],
            at_ms=decisions.slot_start_ms[hit],
            received_ms=np.full(n, self.now_ms),
            value=np.ones(n),
            decision_id=decisions.decision_id[hit],
            corrects=np.full(n, -1, np.int64),
            currency=no_currency(n),
        )

    def expected(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Truth of the day last observed: base 0, and what each action pays, (H, A, R)."""
        if not hasattr(self, "_hits"):
            raise StateError("expected a day to be observed first, got none: call observe")
        n = self.shop.n_users
        uplift = np.zeros((n, 1 + self.shop.n_items * self.shop.n_slots, len(HITS)))
        uplift[:, 1:, 0] = self._hits.reshape(n, -1)
        uplift[:, 1:, 1] = 1.0
        return np.zeros((n, len(HITS))), uplift


@dataclass(slots=True, frozen=True, kw_only=True)
class AllCategories:
    """Candidates of the purchase world: every category, with the features of today."""

    world: PurchaseWorld

    def __call__(self, observation: Observation) -> ItemSet:
        """Return all K categories for every household."""
        features = self.world.features
        n, k = self.world.shop.n_users, self.world.shop.n_items
        return ItemSet(
            items=np.broadcast_to(np.arange(k), (n, k)),
            features=features.items if self.world.is_time_aware else features.blind_items,
            source="all categories",
        )
