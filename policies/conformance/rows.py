"""Requests and feedback of random features, for questions whose answer does not hang on a world."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bandit.actions import ItemSet, Observation, Request, SlotGrid, assemble
from bandit.outcomes import Feedback
from bandit.slots import HOUR_MS
from policies.conformance.world import HITS
from policies.shape import PolicyShape

__all__ = ["feedback_of", "request_of"]


def request_of(
    shape: PolicyShape,
    n: int,
    *,
    seed: int = 0,
    n_items: int | None = None,
    scale: float = 1.0,
    mask: NDArray[np.bool_] | None = None,
) -> Request:
    """Make a request of random features, distinct items and an optional mask."""
    rng = np.random.default_rng(seed)
    k, s = n_items or shape.n_items, shape.n_slots
    start = 1_700_000_000_000 + np.arange(s) * HOUR_MS + np.zeros((n, 1), np.int64)
    observation = Observation(
        user=rng.integers(0, shape.n_users, n),
        at_ms=start[:, 0],
        zone=np.full(n, "UTC"),
        context=scale * rng.normal(size=(n, shape.n_context)),
        slot_features=scale * rng.normal(size=(n, s, shape.n_slot_features)),
        grid=SlotGrid(start_ms=start, end_ms=start + HOUR_MS),
    )
    items = ItemSet(
        items=np.argsort(rng.random((n, shape.n_items)), axis=1)[:, :k],
        features=scale * rng.normal(size=(n, k, shape.n_item_features)),
    )
    reasons = None if mask is None else np.where(mask, 0, 2048).astype(np.uint16)
    return assemble(observation, items, reasons=reasons)


def feedback_of(
    shape: PolicyShape, n: int, *, seed: int = 0, first_id: int = 0, share: float = 1.0
) -> Feedback:
    """Make feedback of random features, whose components have arrived by ``share``."""
    rng = np.random.default_rng(seed)
    is_send = rng.random(n) < 0.8
    components = rng.normal(size=(n, len(HITS)))
    components[:, 1] = is_send
    components[:, 2] = components[:, 2] > 1.0  # a click comes or not
    user, item = (rng.integers(0, limit, n) for limit in (shape.n_users, shape.n_items))
    return Feedback(
        decision_id=first_id + np.arange(n, dtype=np.int64),
        user=user,
        at_ms=np.full(n, 1_700_000_000_000),
        is_send=is_send,
        item=np.where(is_send, item, -1),
        slot=np.where(is_send, rng.integers(0, shape.n_slots, n), -1),
        propensity=np.full(n, 0.1),
        p_send=np.full(n, 0.8),
        context=rng.normal(size=(n, shape.n_context)),
        item_features=rng.normal(size=(n, shape.n_item_features)) * is_send[:, None],
        slot_features=rng.normal(size=(n, shape.n_slot_features)) * is_send[:, None],
        components=components,
        maturity=np.full((n, len(HITS)), share),
        scheme=HITS,
        short_list=np.stack([item, (item + 1) % shape.n_items], axis=1),
        p_items=np.tile([0.2, 0.6], (n, 1)),
    )
