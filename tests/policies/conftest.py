"""Requests and feedback of any size, made from a seed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from bandit.actions import Request, SlotGrid
from bandit.outcomes import Component, Feedback, Kind, RewardScheme
from policies.shape import PolicyShape

HOUR_MS = 3_600_000
Array = NDArray[np.float64]


@pytest.fixture
def hits() -> RewardScheme:
    """One learned component of weight 1, nothing else."""
    return RewardScheme(
        name="hits",
        objective="uplift",
        components=(Component(name="hit", kinds=(Kind.CONVERTED,), measure="count", weight=1.0),),
    )


@pytest.fixture
def two_parts() -> RewardScheme:
    """Two learned components and a known cost of sending between them."""
    return RewardScheme(
        name="two parts",
        objective="uplift",
        components=(
            Component(name="hit", kinds=(Kind.CONVERTED,), measure="count", weight=1.0),
            Component(name="message", kinds=(), measure="send", weight=-0.01),
            Component(name="leave", kinds=(Kind.UNSUBSCRIBED,), measure="any", weight=-3.0),
        ),
    )


@pytest.fixture
def small_shape() -> PolicyShape:
    """Lengths that the other fixtures make rows of by default."""
    return PolicyShape(
        n_context=3, n_item_features=4, n_slot_features=3, n_users=7, n_items=5, n_slots=4
    )


@pytest.fixture
def request_of() -> Callable[..., Request]:
    """Make a request of random features."""
    return _request


@pytest.fixture
def feedback_of() -> Callable[..., Feedback]:
    """Make feedback of random features and given or random components."""
    return _feedback


def _request(
    shape: PolicyShape,
    n: int,
    *,
    seed: int = 0,
    n_items: int | None = None,
    mask: NDArray[np.bool_] | None = None,
) -> Request:
    rng = np.random.default_rng(seed)
    k, s = n_items or shape.n_items, shape.n_slots
    start = 1_700_000_000_000 + np.arange(s) * HOUR_MS + np.zeros((n, 1), np.int64)
    allowed = np.ones((n, 1 + k * s), np.bool_) if mask is None else mask
    return Request(
        user=rng.integers(0, shape.n_users, n),
        at_ms=start[:, 0] - HOUR_MS,
        zone=np.full(n, "UTC"),
        context=rng.normal(size=(n, shape.n_context)),
        items=np.argsort(rng.random((n, shape.n_items)), axis=1)[:, :k],
        item_features=rng.normal(size=(n, k, shape.n_item_features)),
        slot_features=rng.normal(size=(n, s, shape.n_slot_features)),
        grid=SlotGrid(start_ms=start, end_ms=start + HOUR_MS),
        reasons=np.where(allowed, 0, 2048).astype(np.uint16),
    )


def _feedback(
    shape: PolicyShape,
    n: int,
    scheme: RewardScheme,
    *,
    seed: int = 0,
    first_id: int = 0,
    components: Array | None = None,
    maturity: Array | None = None,
) -> Feedback:
    rng = np.random.default_rng(seed)
    is_send = rng.random(n) < 0.8
    item = np.where(is_send, rng.integers(0, shape.n_items, n), -1)
    slot = np.where(is_send, rng.integers(0, shape.n_slots, n), -1)
    drawn = rng.normal(size=(n, len(scheme)))
    return Feedback(
        decision_id=first_id + np.arange(n, dtype=np.int64),
        user=rng.integers(0, shape.n_users, n),
        at_ms=np.full(n, 1_700_000_000_000),
        is_send=is_send,
        item=item,
        slot=slot,
        propensity=np.full(n, 0.1),
        p_send=np.full(n, 0.8),
        context=rng.normal(size=(n, shape.n_context)),
        item_features=rng.normal(size=(n, shape.n_item_features)) * is_send[:, None],
        slot_features=rng.normal(size=(n, shape.n_slot_features)) * is_send[:, None],
        components=drawn if components is None else components,
        maturity=np.ones((n, len(scheme))) if maturity is None else maturity,
        scheme=scheme,
    )
