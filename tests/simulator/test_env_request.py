"""A face's rows look to a policy as the world's users do."""

from __future__ import annotations

from typing import Any, Literal

import gymnasium
import numpy as np
import pytest

from bandit.actions import assemble
from simulator.config import load
from simulator.env_request import request_of
from simulator.face import Face
from simulator.offers import Slates
from simulator.request_features import Features, RequestColumns
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


@pytest.mark.parametrize("preset", ["ecommerce", "news", "identity"])
@pytest.mark.parametrize("face", ["PushDaily-v0", "PushHourly-v0"])
def test_a_face_that_observes_the_request_shows_the_bytes_that_the_loop_would(
    preset: str, face: str
) -> None:
    """By gym id, through sends and new lives: observation and mask are those of the request."""
    env: Any = gymnasium.make_vec(
        f"simulator.register:{face}",
        num_envs=30,
        vectorization_mode="vector_entry_point",
        preset=preset,
        observe="request",
        mask_in_obs=True,
        horizon_days=3,
    )
    columns = RequestColumns.in_world(env.face.ground(), hours=env.face.hours)
    assert env.obs_names == columns.names and len(set(columns.names)) == columns.width
    seen, _ = env.reset(seed=3)
    rng = np.random.default_rng(1)
    for _ in range(100):
        asked = request_of(env)
        features = Features(asked.context, asked.item_features, asked.slot_features)
        assert columns == RequestColumns.of(features)
        flat = columns.flat(features)
        assert seen["observations"].tobytes() == flat.tobytes()
        np.testing.assert_array_equal(seen["action_mask"] == 1.0, asked.mask)
        for part, whole in zip(columns.split(flat), features, strict=True):
            np.testing.assert_array_equal(part, whole.astype(np.float32))
        mask = asked.mask
        seen, *_ = env.step(np.array([rng.choice(np.flatnonzero(row)) for row in mask]))
    assert env.single_observation_space.contains({n: part[0] for n, part in seen.items()})


def test_a_request_has_no_slots_that_a_clock_has_not() -> None:
    """A day has 24 of an hour each, an hour one."""
    names = {clock: _names(clock) for clock in ("daily", "hourly")}
    assert "slot_23_active" in names["daily"] and "slot_1_one" not in names["hourly"]


def _names(clock: Any) -> tuple[str, ...]:
    face = Face(clock=clock)
    return RequestColumns.in_world(face.ground(), hours=face.hours).names
