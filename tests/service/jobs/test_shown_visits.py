"""Visits are shown once, in the day they fell on."""

from __future__ import annotations

import numpy as np

from bandit.events import ACTIONS
from bandit.outcomes import UPLIFT
from policies.baselines.survival import SurvivalThreshold
from policies.shape import PolicyShape
from service.jobs.shown_visits import ShownVisits
from simulator.config import load
from simulator.world import World

_SHAPE = PolicyShape(
    n_context=1, n_item_features=1, n_slot_features=1, n_users=50, n_items=1, n_slots=1
)


def test_each_days_visits_are_told_once() -> None:
    """Three days told one by one are the three days told at once."""
    world = World(load("ecommerce"), 50, 1, events=True)
    daily, at_once = (SurvivalThreshold(_SHAPE, UPLIFT) for _ in range(2))
    by_day = ShownVisits(world=world, policy=daily)
    all_days = ShownVisits(world=world, policy=at_once)
    n_told = []
    for _ in range(3):
        world.rest()
        by_day.show()
        n_told.append(len(daily.visits))
    all_days.show()
    np.testing.assert_array_equal(daily.visits, at_once.visits)
    assert 0 < n_told[0] < n_told[1] < n_told[2]
    events = world.events()
    came = np.isin(events.action, [ACTIONS.index(name) for name in ("view", "cart", "purchase")])
    came &= events.at_ms < world.now_ms
    assert len(daily.visits) == len(
        np.unique(np.stack([events.user, events.at_ms])[:, came], axis=1).T
    )
