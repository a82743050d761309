from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import pytest

from simulator.config import WorldConfig, load
from simulator.kernel import Ground, Population, ground_of
from simulator.streams import life_keys
from simulator.world import World

Begin = Callable[..., Population]


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
