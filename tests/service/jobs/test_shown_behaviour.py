from __future__ import annotations

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from bandit.outcomes import UPLIFT
from bandit.slots import HOUR_MS
from policies.baselines.behaviour_counts import CountParams
from policies.baselines.counts import Counts
from policies.baselines.hour_factors import HourFactors
from policies.baselines.week_counts import WeekCounts
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


def test_by_hour_each_visit_is_shown_at_the_hour_of_its_users_clock() -> None:
    """New York, London and Kolkata: hours and days of the week as the server reckons them."""
    world = World(load("ecommerce"), 300, 4, events=True)
    shape = PolicyShape(
        n_context=1,
        n_item_features=1,
        n_slot_features=1,
        n_users=300,
        n_items=world.ground.catalogue.n_items,
        n_slots=24,
    )
    policy = HourFactors(shape, UPLIFT, params=CountParams(by_hour=True))
    shown, start_ms = ShownBehaviour(world=world, policy=policy), world.now_ms
    world.rest()
    shown.show()
    events, traits = world.events(), world.population.traits
    seen = (events.item >= 0) & (events.at_ms < world.now_ms) & ~np.isfinite(events.rating)
    counted: set[tuple[int, int]] = set()
    for user, at_ms in zip(events.user[seen], events.at_ms[seen], strict=True):
        zone = world.config.clock.zones[traits.zone[user]] if traits.is_zone_known[user] else "UTC"
        full = (int(at_ms) - start_ms) // HOUR_MS * HOUR_MS + start_ms
        local = datetime.fromtimestamp(full / 1000, tz=ZoneInfo(zone))
        counted.add((int(user), 24 * local.weekday() + local.hour))
    counts = policy.counts
    assert isinstance(counts, WeekCounts)
    assert set(map(tuple, np.argwhere(counts.by_week).tolist())) == counted
    # A Monday in London; still Sunday in New York, and Tuesday at last in Kolkata.
    assert {hour // 24 for _, hour in counted} == {6, 0, 1}
