"""Snapshots of a world as named arrays: which columns, and whose they may become again.

Lives enter, and named arrays leave that can be written to a file; with the world's arguments they
are lives again. What a world was made of is kept beside them, so that no world takes over the
lives of another one without a word.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit.errors import BadInputError
from simulator.config import WorldConfig
from simulator.kernel import Ground, Population
from simulator.state import State, Traits

__all__ = ["columns_of", "expect_own", "made_of", "population_of"]

Snapshot = Mapping[str, NDArray[Any]]


def columns_of(population: Population) -> dict[str, NDArray[Any]]:
    """Copies of all that is fixed and all that moves of some lives, by name."""
    parts = {"traits": population.traits.copy(), "state": population.state.copy()}
    return {f"{p}.{name}": array for p, rows in parts.items() for name, array in rows.columns()}


def population_of(snapshot: Snapshot, part: str, *, ground: Ground, hours: int) -> Population:
    """Build the lives whose :func:`columns_of` are the snapshot's ``part``."""
    traits, state = (
        {name: np.array(snapshot[f"{part}.{rows}.{name}"]) for name in kind.__slots__}
        for rows, kind in (("traits", Traits), ("state", State))
    )
    return Population(ground=ground, hours=hours, traits=Traits(**traits), state=State(**state))


def made_of(
    config: WorldConfig, *, users: NDArray[np.int64], hours: int
) -> dict[str, NDArray[Any]]:
    """Return what a world shares with all that its snapshots can be restored to."""
    constants = sha256(repr(config.to_dict()).encode()).digest()
    return {
        "users": users.copy(),
        "hours": np.array(hours),
        "constants": np.frombuffer(constants, np.uint8),
    }


def expect_own(snapshot: Snapshot, own: Mapping[str, NDArray[Any]], *, has_events: bool) -> None:
    """Refuse a snapshot that this world cannot go on from.

    Raises
    ------
    BadInputError
        For the snapshot of a world of other users, steps or constants, or of one that kept no
        events where this one does.
    """
    for name, wanted in own.items():
        got = snapshot.get(f"world.{name}")
        if got is None or not np.array_equal(got, wanted):
            raise BadInputError(
                f"expected a snapshot of a world with the same {name}, got other ones: make the "
                "world with the same arguments"
            )
    if has_events and "events.user" not in snapshot:
        raise BadInputError(
            "expected a snapshot of a world that keeps events, got one without: make this world "
            "with events=False"
        )
