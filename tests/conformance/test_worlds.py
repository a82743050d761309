"""Every preset, by the day and by the hour, through the laws that the loop rests on.

A preset is found by its file, so a new one is held to them the day it is written.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import resources

import numpy as np
import pytest

from bandit.actions import HOLD, assemble
from bandit.decide import Decisions, Stamp, decide, decision_ids
from bandit.floor import Floor
from bandit.outcomes import UPLIFT
from bandit.protocols import Guard
from bandit.slots import HOUR_MS
from simulator.config import load
from simulator.guard import WorldGuard
from simulator.kernel import Ground, ground_of
from simulator.offers import Slates
from simulator.world import World

PRESETS = sorted(
    path.name.removesuffix(".toml")
    for path in resources.files("simulator").joinpath("presets").iterdir()
)
FACES = [(preset, hours) for preset in PRESETS for hours in (24, 1)]
N_USERS = 25


@lru_cache(maxsize=16)
def _ground(preset: str) -> Ground:
    return ground_of(load(preset, clock={"horizon_days": 3}))


@pytest.fixture(params=FACES, ids=lambda face: f"{face[0]}-{face[1]}h")
def world(request: pytest.FixtureRequest) -> World:
    preset, hours = request.param
    ground = _ground(preset)
    return World(ground.config, N_USERS, 3, hours=hours, ground=ground, events=True)


def decided(world: World, guard: Guard, *, first: int) -> Decisions:
    """Half hold, half anything that may be sent."""
    observation = world.observe()
    assert observation is not None
    items = Slates(world=world)(observation)
    request = assemble(observation, items, reasons=guard.plan(observation, items))
    pmf = request.mask / request.mask.sum(axis=1, keepdims=True)
    return decide(
        pmf,
        request,
        key=7,
        stamp=Stamp(policy="random", state_seq=0, floor=Floor(hold=0.5, send=0.5)),
        decision_id=decision_ids(request.at_ms, first=first),
    )


def test_the_clock_moves_by_the_step_until_the_world_ends(world: World) -> None:
    guard, turns = WorldGuard(world), 0
    while world.observe() is not None:
        before = world.now_ms
        world.step(decided(world, guard, first=1000 * turns))
        assert world.now_ms == before + world.hours * HOUR_MS
        turns += 1
    assert turns == 3 * 24 // world.hours


def test_looking_twice_shows_the_same(world: World) -> None:
    one, two = world.observe(), world.observe()
    assert one is not None
    assert two is not None
    for name in ("user", "at_ms", "zone", "context", "slot_features"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    assert np.isfinite(one.context).all()
    assert (one.grid.start_ms[:, 0] == one.at_ms).all()


def test_outcomes_are_told_once_and_when_received(world: World) -> None:
    guard = WorldGuard(world)
    for turn in range(3):
        decisions = decided(world, guard, first=1000 * turn)
        guard.record(decisions)
        world.step(decisions)
        told = world.arrived()
        assert (told.received_ms <= world.now_ms).all()
        assert (told.at_ms <= told.received_ms).all()
        assert world.arrived().n_rows == 0
        assert (world.events().at_ms <= world.now_ms).all()


def test_truth_is_finite_in_the_shape_of_the_actions_and_none_for_hold(world: World) -> None:
    observation = world.observe()
    assert observation is not None
    items = Slates(world=world)(observation)
    base, uplift = world.expected()
    n, k = items.items.shape
    assert base.shape == (n, len(UPLIFT))
    assert uplift.shape == (n, 1 + k * observation.grid.n_slots, len(UPLIFT))
    assert np.isfinite(base).all()
    assert np.isfinite(uplift).all()
    assert (base >= 0).all()
    assert not uplift[:, HOLD].any()


def test_the_same_seed_lives_the_same_and_another_does_not(world: World) -> None:
    digests = []
    for seed in (3, 3, 4):
        other = World(world.config, N_USERS, seed, hours=world.hours, ground=world.ground)
        guard = WorldGuard(other)
        for turn in range(24 // world.hours):
            other.step(decided(other, guard, first=1000 * turn))
        told = other.arrived()
        digests.append((told.outcome_id.tobytes(), told.value.tobytes(), told.at_ms.tobytes()))
    assert digests[0] == digests[1]
    assert digests[0] != digests[2]
