"""Small requests and decisions for the ground's tests."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from bandit.actions import ItemSet, Observation, Request, assemble
from bandit.decide import Decisions, Stamp, decide, decision_ids
from bandit.floor import Floor
from bandit.slots import full_hours

START_MS = 1_767_254_400_000  # 1 January 2026, 08:00 UTC


def made_request(
    *,
    n_rows: int = 6,
    n_items: int = 4,
    n_slots: int = 3,
    user: np.ndarray | None = None,
    at_ms: np.ndarray | None = None,
    zone: str = "UTC",
    reasons: np.ndarray | None = None,
) -> Request:
    """N users at one time, K items and S full hours, features drawn once for all tests."""
    rng = np.random.default_rng(11)
    user = np.arange(n_rows) if user is None else user
    n_rows = len(user)
    at_ms = np.full(n_rows, START_MS) if at_ms is None else at_ms
    observation = Observation(
        user=user,
        at_ms=at_ms,
        zone=np.full(n_rows, zone),
        context=rng.normal(size=(n_rows, 2)),
        slot_features=rng.random((n_rows, n_slots, 2)),
        grid=full_hours(at_ms, [zone] * n_rows, n_slots=n_slots),
    )
    items = ItemSet(
        items=100 + rng.permuted(np.tile(np.arange(n_items), (n_rows, 1)), axis=1),
        features=rng.random((n_rows, n_items, 3)),
    )
    return assemble(observation, items, reasons=reasons)


def made_decisions(
    request: Request,
    *,
    pmf: np.ndarray | None = None,
    key: int = 1,
    first: int = 0,
    mode: np.ndarray | None = None,
    floor: Floor | None = None,
) -> Decisions:
    """Decisions drawn from a pmf, uniform over what may be taken without one."""
    if pmf is None:
        pmf = request.mask / request.mask.sum(axis=1, keepdims=True)
    return decide(
        pmf,
        request,
        key=key,
        stamp=Stamp(policy="test", state_seq=3, floor=floor or Floor(), scheme="uplift"),
        decision_id=decision_ids(request.at_ms, first=first),
        mode=mode,
    )


@pytest.fixture
def request_of() -> Callable[..., Request]:
    return made_request


@pytest.fixture
def decisions_of() -> Callable[..., Decisions]:
    return made_decisions
