from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bandit.actions import assemble
from bandit.decide import Decisions, Stamp, decide, decision_ids
from bandit.floor import Floor
from bandit.log import read_log
from bandit.outcome_log import read_outcomes
from experiments.calibration_round_trip import truth, write_log
from simulator.config import WorldConfig, load
from simulator.kernel import Ground, Population, ground_of
from simulator.logged import LOG_COLUMNS, Logged, logged_of
from simulator.offers import Slates
from simulator.streams import life_keys
from simulator.world import World

Begin = Callable[..., Population]
NO_FLOOR = Floor(hold=0.0, send=0.0, item=0.0, slot=0.0)


@lru_cache(maxsize=32)
def _ground(config: WorldConfig) -> Ground:
    return ground_of(config)


@pytest.fixture
def begin() -> Begin:
    """Lives of a preset: ``begin("ecommerce", 100, hours=24, seed=1, clock={...})``.

    A whole configuration may stand for the preset, where the section ``hours`` is to change.
    """

    def make(
        preset: str | WorldConfig,
        n_users: int,
        *,
        hours: int = 24,
        seed: int = 1,
        **changes: dict[str, Any],
    ) -> Population:
        config = load(preset, **changes) if isinstance(preset, str) else preset
        return Population.begin(_ground(config), life_keys(seed, np.arange(n_users)), hours=hours)

    return make


Make = Callable[..., World]


@pytest.fixture
def make_world() -> Make:
    """A world of a preset: ``make_world("tiny", 20, 1, hours=1, sections={...})``."""

    def make(
        preset: str,
        n_users: int,
        seed: int,
        *,
        sections: dict[str, dict[str, Any]] | None = None,
        **options: Any,
    ) -> World:
        if sections:
            return World(load(preset, **sections), n_users, seed, **options)
        ground = _ground(load(preset))
        return World(ground.config, n_users, seed, ground=ground, **options)

    return make


Choose = Callable[..., Decisions]


@pytest.fixture
def choose() -> Choose:
    """Decide the same action, or one a row, for everyone observed, and carry it out."""

    def make(world: World, action: Any, *, first: int = 0) -> Decisions:
        observation = world.observe()
        assert observation is not None
        request = assemble(observation, Slates(world=world)(observation))
        pmf = np.zeros((request.n_rows, request.n_actions))
        pmf[np.arange(request.n_rows), action] = 1.0
        decisions = decide(
            pmf,
            request,
            key=1,
            stamp=Stamp(policy="fixed", state_seq=0, floor=NO_FLOOR),
            decision_id=decision_ids(request.at_ms, first=first),
        )
        world.step(decisions)
        return decisions

    return make


@lru_cache(maxsize=1)
def _small_log() -> Logged:
    with tempfile.TemporaryDirectory() as name:
        write_log(truth(28), Path(name), n_users=600, seed=5)
        return logged_of(read_log(Path(name), list(LOG_COLUMNS)), read_outcomes(Path(name)))


@pytest.fixture
def small_log() -> Callable[[], Logged]:
    """The log of six hundred users over four weeks, sent to at random."""
    return _small_log
