"""Hashes of a small population's life under each preset: any change of behaviour shows.

Made by this project's own simulator, so a new hash is no proof, only a question: was it meant?
Floats are rounded before they are hashed, for machines differ in the last bits of a logarithm.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import simulator.config
from simulator.config import PRESETS, load
from simulator.kernel import Population, ground_of
from simulator.streams import life_keys

N_USERS = 40
STEPS = {1: 200, 24: 50}  # by hours a step
REMEMBERED = (
    "is_alive",
    "is_reachable",
    "fatigue",
    "habit",
    "excitation",
    "session_h",
    "n_sends",
    "recent_item",
    "bought_category",
    "debt",
    "streak_days",
)


def make() -> dict[str, Any]:
    """Hash the hourly and the daily life of every preset there is."""
    folder = Path(simulator.config.__file__).parent / "presets"
    there = [preset for preset in PRESETS if (folder / f"{preset}.toml").is_file()]
    return {preset: {str(hours): life_of(preset, hours) for hours in STEPS} for preset in there}


def life_of(preset: str, hours: int) -> str:
    """Hash all outcomes and the last state of 40 users, pushed at by a fixed plan."""
    population = Population.begin(
        ground_of(load(preset)), life_keys(2026, np.arange(N_USERS)), hours=hours
    )
    k, n_slots = population.offer().items.shape[1], len(population.offsets_h)
    user, digest = np.arange(N_USERS), hashlib.sha256()
    for step in range(STEPS[hours]):
        turn = user + step
        place = np.where(turn % (24 // hours + 2) == 0, turn % k, -1)
        told = population.step(place, (7 * turn) % n_slots, ref=1000 * step + user)
        order = np.lexsort((told.kind, told.row))
        for column in (told.row, told.kind, told.ref, told.item, told.at_min, told.value):
            digest.update(_bytes(column[order]))
    for name in REMEMBERED:
        digest.update(_bytes(getattr(population.state, name)))
    return digest.hexdigest()


def _bytes(column: NDArray[Any]) -> bytes:
    if column.dtype.kind == "f":
        return np.rint(column * 1000.0).astype(np.int64).tobytes()
    return column.astype(np.int64).tobytes()
