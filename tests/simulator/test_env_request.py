"""A face's rows look to a policy as the world's users do."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest

from bandit.actions import assemble
from simulator.config import load
from simulator.env_request import request_of
from simulator.offers import Slates
from simulator.vector_env import PushVectorEnv
from simulator.world import World


@pytest.mark.parametrize("preset", ["ecommerce", "news", "identity"])
@pytest.mark.parametrize("clock", ["daily", "hourly"])
def test_the_same_people_at_the_same_hour_make_the_same_request(
    preset: str, clock: Literal["daily", "hourly"]
) -> None:
    """The world is given the face's people after some sends; who left lives anew in the face."""
    env = PushVectorEnv(40, clock=clock, preset=preset)
    env.reset(seed=3)
    rng = np.random.default_rng(1)
    for _ in range(3):
        mask = env.action_masks()
        env.step(np.array([rng.choice(np.flatnonzero(row)) for row in mask]))
    world = World(load(preset), 40, 3, hours=24 if clock == "daily" else 1)
    world.population, world.known = env.lives.population.copy(), env.lives.known.copy()
    seen = world.observe()
    assert seen is not None
    items, got = Slates(world=world)(seen), request_of(env)
    wanted = assemble(seen, items)
    same = np.flatnonzero(env.lives.population.state.hour[world.observed] == world.hour)
    rows = world.observed[same]
    assert len(rows) > 30
    for name in ("context", "items", "item_features", "slot_features", "at_ms", "zone"):
        here, there = getattr(got, name)[rows], getattr(wanted, name)[same]
        np.testing.assert_array_equal(here, there, err_msg=name)
    for name in ("start_ms", "end_ms"):
        here, there = getattr(got.grid, name)[rows], getattr(wanted.grid, name)[same]
        np.testing.assert_array_equal(here, there, err_msg=name)
    np.testing.assert_array_equal(got.mask, env.action_masks())
