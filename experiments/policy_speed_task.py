"""What is decided and learned when policies are timed: made-up requests and feedback.

A seed enters; a request, or rows of feedback with clicks where context and item agree, leave.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bandit.actions import ItemSet, Observation, Request, assemble
from bandit.outcomes import Component, Feedback, Kind, RewardScheme
from bandit.slots import full_hours
from policies.shape import PolicyShape

__all__ = ["CLICKS", "Task"]

_START_MS = 1_767_225_600_000

CLICKS = RewardScheme(
    name="clicks less cost",
    objective="engagement",
    components=(
        Component(name="click", kinds=(Kind.CLICKED,), measure="any", weight=1.0),
        Component(name="message", kinds=(), measure="send", weight=-0.0005),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Lengths of the requests; features are normal, scaled to a length of about 1."""

    n_context: int = 64
    n_items: int = 100
    n_item_features: int = 32
    n_slots: int = 1

    @property
    def shape(self) -> PolicyShape:
        """What policies are made for; a single slot has one feature, which is 1."""
        return PolicyShape(
            n_context=self.n_context,
            n_item_features=self.n_item_features,
            n_slot_features=1 if self.n_slots == 1 else 4,
            n_users=1,
            n_items=self.n_items,
            n_slots=self.n_slots,
        )

    def request(self, n_rows: int, seed: int, *, is_shared: bool = False) -> Request:
        """N rows that list all items; their features are fresh in every row, or shared by all."""
        rng = np.random.default_rng(seed)
        at_ms, zones = np.full(n_rows, _START_MS), np.full(n_rows, "UTC")
        ds = self.shape.n_slot_features
        slots = np.ones((n_rows, 1, 1)) if ds == 1 else rng.normal(size=(n_rows, self.n_slots, ds))
        observation = Observation(
            user=np.zeros(n_rows, np.int64),
            at_ms=at_ms,
            zone=zones,
            context=rng.normal(size=(n_rows, self.n_context)) / np.sqrt(self.n_context),
            slot_features=slots,
            grid=full_hours(at_ms, zones.tolist(), n_slots=self.n_slots),
        )
        n_lists = 1 if is_shared else n_rows
        features = rng.normal(size=(n_lists, self.n_items, self.n_item_features))
        items = ItemSet(
            items=np.tile(np.arange(self.n_items), (n_rows, 1)),
            features=np.repeat(features, n_rows // n_lists, axis=0) / np.sqrt(features.shape[2]),
        )
        return assemble(observation, items)

    def feedback(self, n_rows: int, seed: int) -> Feedback:
        """N final rows of random items, clicked the more the context and the item agree."""
        rng = np.random.default_rng([seed, 1])
        context = rng.normal(size=(n_rows, self.n_context)) / np.sqrt(self.n_context)
        item = rng.normal(size=(n_rows, self.n_item_features)) / np.sqrt(self.n_item_features)
        n = min(self.n_context, self.n_item_features)
        liked = 16.0 * (context[:, :n] * item[:, :n]).sum(axis=1)
        clicked = rng.random(n_rows) < 0.1 * np.exp(np.clip(liked, -2.0, 2.0))
        zeros, ones = np.zeros(n_rows, np.int64), np.ones(n_rows)
        slots = rng.normal(size=(n_rows, self.shape.n_slot_features))
        return Feedback(
            decision_id=np.arange(n_rows, dtype=np.int64),
            user=zeros,
            at_ms=zeros + _START_MS,
            is_send=zeros == 0,
            item=rng.integers(0, self.n_items, n_rows),
            slot=zeros,
            propensity=0.01 * ones,
            p_send=ones,
            context=context,
            item_features=item,
            slot_features=slots if self.n_slots > 1 else ones[:, None],
            components=np.stack([clicked, ones], axis=1).astype(np.float64),
            maturity=np.ones((n_rows, 2)),
            scheme=CLICKS,
        )
