from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bandit.outcomes import UPLIFT
from policies.baselines.counts import Counts
from policies.shape import PolicyShape
from service.jobs.entrants import Entrant
from service.jobs.shown_behaviour import ShownBehaviour
from service.jobs.simulated_walk import Cell, walk_cell
from simulator.config import load
from simulator.world import World


@pytest.mark.parametrize(("hours", "n_slots"), [(24, 24), (6, 6), (1, 1)])
def test_every_visit_is_shown_once_in_its_own_slot(hours: int, n_slots: int) -> None:
    """Three days: as many active user-days and pairs as the events hold, hours where they are."""
    world = World(load("ecommerce"), 200, 2, hours=hours, events=True)
    shape = PolicyShape(
        n_context=1,
        n_item_features=1,
        n_slot_features=1,
        n_users=200,
        n_items=world.ground.catalogue.n_items,
        n_slots=n_slots,
    )
    policy = Counts(shape, UPLIFT)
    shown, start_ms = ShownBehaviour(world=world, policy=policy), world.now_ms
    for _ in range(3):
        for _ in range(24 // hours):
            world.rest()
        shown.show()
    events = world.events()
    is_rating = np.isfinite(events.rating)  # days after the visit
    seen = (events.item >= 0) & (events.at_ms < world.now_ms) & ~is_rating
    day = (events.at_ms[seen] - start_ms) // 86_400_000
    pairs = np.stack([day, events.user[seen], events.item[seen]])
    assert policy.counts.by_item.sum() == len(np.unique(pairs, axis=1).T)
    assert policy.counts.periods == 3
    if hours == 24:
        hour = (events.at_ms[seen] - start_ms) // 3_600_000 % 24
        pairs = np.unique(np.stack([day, events.user[seen], hour]), axis=1)
        by_hour = np.bincount(pairs[2], minlength=24)
        assert policy.counts.by_slot.sum(axis=0) == pytest.approx(by_hour)


def test_a_count_policy_walks_and_sends_what_is_popular(tmp_path: Path) -> None:
    """It always sends, and the most from the items that people look at most."""
    popular = Entrant(name="popular", policy_id="popular")
    result = walk_cell(
        Cell(preset="ecommerce", entrant=popular, seed=1, users=60, days=4), tmp_path
    )
    sends = np.array(result["by_day"]["sends"])
    assert (sends > 20).all()
