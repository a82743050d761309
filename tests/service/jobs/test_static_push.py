from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from bandit.actions import (
    ItemSet,
    Observation,
    Request,
    SlotGrid,
    assemble,
    item_position,
    slot_position,
)
from bandit.errors import BadInputError
from bandit.outcomes import UPLIFT
from bandit.slots import DAY_MS, HOUR_MS, full_hours
from service.jobs.static_push import StaticPush

MIDNIGHT_MS = 1_767_225_600_000  # 1 January 2026, UTC
POPULARITY = np.array([0.1, 0.9, 0.5, 0.2])


def asked(
    *, zone: str = "UTC", n: int = 40, day: int = 0, n_slots: int = 24, masked: bool = False
) -> Request:
    """Users of one zone at UTC midnight, four items in orders of their own."""
    at_ms = np.full(n, MIDNIGHT_MS + day * DAY_MS)
    rng = np.random.default_rng(1)
    observation = Observation(
        user=np.arange(n),
        at_ms=at_ms,
        zone=np.full(n, zone),
        context=np.zeros((n, 1)),
        slot_features=np.zeros((n, n_slots, 1)),
        grid=full_hours(at_ms, [zone] * n, n_slots=n_slots),
    )
    items = rng.permuted(np.tile(np.arange(4), (n, 1)), axis=1)
    reasons = np.zeros((n, 1 + 4 * n_slots), np.uint16)
    if masked:
        reasons[:, 1:] = 1
    return assemble(
        observation, ItemSet(items=items, features=np.zeros((n, 4, 1))), reasons=reasons
    )


def policy(*, hour: int = 20, per_week: int = 7) -> StaticPush:
    return StaticPush(POPULARITY, UPLIFT, hour=hour, per_week=per_week)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Asia/Kolkata", "America/New_York"])
def test_the_popular_item_goes_out_at_that_hour_of_the_users_own_clock(zone: str) -> None:
    """Whatever the zone, half hours included: the slot begins in that hour."""
    request = asked(zone=zone)
    pmf = policy().pmf(request, 0)
    action = pmf.argmax(axis=1)
    assert (pmf.max(axis=1) == 1.0).all()
    rows = np.arange(len(action))
    assert (request.items[rows, item_position(action, n_slots=24)] == 1).all()
    start = request.grid.start_ms[rows, slot_position(action, n_slots=24)]
    shift_h = {"UTC": 0, "Europe/Berlin": 1, "Asia/Kolkata": 5.5, "America/New_York": -5}[zone]
    local_h = ((start - MIDNIGHT_MS) / 3_600_000 + shift_h) % 24
    assert (np.floor(local_h) == 20).all()


@pytest.mark.parametrize(
    ("zone", "hour", "date", "due"),
    [
        ("Asia/Kolkata", 20, "2026-01-05", 4),
        ("America/New_York", 20, "2026-01-05", 4),
        ("America/New_York", 1, "2026-10-31", 4),  # one o'clock comes twice on 1 November
        ("America/New_York", 2, "2026-03-07", 3),  # two o'clock does not come on 8 March
        ("Europe/London", 1, "2026-10-24", 4),
    ],
)
def test_a_decision_an_hour_sends_once_in_every_days_hour(
    zone: str, hour: int, date: str, due: int
) -> None:
    """Slots on the hour of UTC, as a world has them; that hour begins in no other slot."""
    start_ms = int(np.datetime64(date, "ms").astype(np.int64)) + 12 * HOUR_MS
    sent = []
    for at_ms in start_ms + HOUR_MS * np.arange(96):
        grid = SlotGrid(start_ms=np.array([[at_ms]]), end_ms=np.array([[at_ms + HOUR_MS]]))
        seen = Observation(
            user=np.zeros(1, np.int64),
            at_ms=np.array([at_ms]),
            zone=np.array([zone]),
            context=np.zeros((1, 1)),
            slot_features=np.zeros((1, 1, 1)),
            grid=grid,
        )
        request = assemble(seen, ItemSet(items=np.array([[1]]), features=np.zeros((1, 1, 1))))
        if policy(hour=hour).pmf(request, 0)[0, 1]:
            sent.append(datetime.fromtimestamp(at_ms / 1000, ZoneInfo(zone)).hour)
    assert sent == [hour] * due


@pytest.mark.parametrize("per_week", [1, 3, 5, 7])
def test_everybody_gets_so_many_a_week_on_days_spread_over_users(per_week: int) -> None:
    """Any seven days in a row; no day without sends once there are users enough."""
    pmfs = [policy(per_week=per_week).pmf(asked(n=400, day=day), 0) for day in range(3, 10)]
    sends = np.stack([1.0 - pmf[:, 0] for pmf in pmfs])
    assert (sends.sum(axis=0) == per_week).all()
    assert sends.mean(axis=1) == pytest.approx(np.full(7, per_week / 7), abs=0.08)


def test_it_holds_where_the_hour_is_not_in_the_grid_or_the_push_is_masked() -> None:
    """A decision an hour asks 24 times a day: one of them is the hour."""
    assert (policy().pmf(asked(n_slots=3), 0)[:, 0] == 1.0).all()
    assert (policy().pmf(asked(masked=True), 0)[:, 0] == 1.0).all()
    assert (policy(hour=0).pmf(asked(n_slots=3), 0)[:, 0] == 0.0).all()


def test_it_learns_nothing_and_believes_nothing() -> None:
    """Its state is empty; its estimate zero."""
    one, request = policy(), asked(n=3)
    one.load(one.state())
    estimate = one.estimate(request)
    assert estimate.uplift_mean.shape == (3, request.n_actions, len(UPLIFT))
    assert not estimate.uplift_mean.any()


@pytest.mark.parametrize(
    ("hour", "per_week"), [(24, 3), (-1, 3), (9.5, 3), (True, 3), (9, 0), (9, 8), (9, 2.5)]
)
def test_hours_and_counts_that_there_are_not_are_refused(hour: Any, per_week: Any) -> None:
    """By name and range."""
    with pytest.raises(BadInputError, match=r"static_push\.(hour|per_week)"):
        policy(hour=hour, per_week=per_week)
