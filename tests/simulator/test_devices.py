from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bandit.decide import Decisions
from bandit.events import histories_of
from bandit.identity import merge_events
from bandit.join import Emission, Joiner
from bandit.outcomes import UPLIFT, Kind
from bandit.slots import DAY_MS
from simulator.world import World

Make = Callable[..., World]
Choose = Callable[..., Decisions]

SECTIONS: dict[str, dict[str, Any]] = {
    "delivery": {"device_shares": [0.3, 0.4, 0.3]},
    "activity": {"sessions_per_day": 1.0},
}


def test_every_further_device_leads_to_its_user_from_the_start_on(make_world: Make) -> None:
    world = make_world("ecommerce", 300, 2, sections=SECTIONS)
    links = world.links()
    assert links.n_rows == int((world.population.traits.n_devices - 1).sum())
    owners, count = np.unique(links.resolve(links.device, at_ms=world.now_ms), return_counts=True)
    np.testing.assert_array_equal(count, world.population.traits.n_devices[owners] - 1)
    assert sum(links.refused.values()) == 0


def test_behaviour_comes_from_devices_and_responses_from_the_user(
    make_world: Make, choose: Choose
) -> None:
    world = make_world("ecommerce", 300, 2, sections=SECTIONS, by_device=True, events=True)
    choose(world, 5)
    told, links = world.arrived(), world.links()
    on_a_device = ~np.isin(told.user, world.users)
    assert set(np.unique(told.kind[on_a_device])) <= {Kind.SESSION, Kind.CONVERTED}
    sessions = told.kind == Kind.SESSION
    expected = 1.0 - (0.3 + 0.4 / 2 + 0.3 / 3)  # share of sessions on a further device
    assert abs(on_a_device[sessions].mean() - expected) < 0.15
    assert np.isin(told.user[on_a_device], links.device).all()


def test_linked_devices_give_the_feedback_and_histories_of_whole_users(
    make_world: Make, choose: Choose
) -> None:
    worlds = [
        make_world("ecommerce", 200, 2, sections=SECTIONS, events=True, by_device=by_device)
        for by_device in (False, True)
    ]
    finals = []
    for world, links in zip(worlds, (None, worlds[1].links()), strict=True):
        join = Joiner(UPLIFT, emission=Emission.WHEN_FINAL, links=links)
        for day in range(4):
            join.add(choose(world, 3 + day, first=1000 * day))
            join.receive(world.arrived())
        for _ in range(12):
            world.rest()
        join.receive(world.arrived())
        finals.append(join.advance(world.now_ms + 30 * DAY_MS)[0])
    np.testing.assert_array_equal(finals[0].decision_id, finals[1].decision_id)
    np.testing.assert_array_equal(finals[0].components, finals[1].components)
    merged = merge_events(worlds[1].events(), worlds[1].links())
    whole = histories_of(worlds[0].events(), worlds[0].users)
    np.testing.assert_array_equal(histories_of(merged, worlds[0].users).offsets, whole.offsets)
