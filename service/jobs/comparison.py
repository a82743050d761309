"""Policies held against each other in one world: which cells there are, and in which order.

A world, entrants and seeds enter; results by policy leave. The references that never learn are
walked on a few seeds first and only the best of them on all: three walks in four are spared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bandit.errors import BadInputError
from service.jobs.cells import walk_cells
from service.jobs.entrants import Entrant
from service.jobs.simulated_walk import SCHEME, Cell, config_of
from service.jobs.simulation_tables import best_static
from simulator.config import WorldConfig

__all__ = ["Comparison"]

_LARGEST_SEED = 2**32
_PILOT_SEEDS = 3
_STEPS_H = (1, 2, 3, 4, 6, 8, 12, 24)
_LIMITS = {"users": (1, 4_000_000), "seeds": (1, 10_000), "seed": (0, _LARGEST_SEED)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Who walks where.

    Parameters
    ----------
    preset : str
        Name of a world, or path of a TOML file.
    entrants : tuple of Entrant
        Policies and references.
    users, days, seeds : int
        How many people, for how long, how many times.
    seed : int
        The first of the seeds; its decision logs are kept.
    hours : int
        Hours from one decision to the next: 24 once a day, 1 once an hour.
    changes : mapping
        Sections of the world with keys to replace.

    Raises
    ------
    BadInputError
        For anything that cannot be walked.
    """

    preset: str
    entrants: tuple[Entrant, ...]
    users: int = 10_000
    days: int = 60
    seeds: int = 20
    seed: int = 1
    hours: int = 24
    changes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, (least, most) in _LIMITS.items():
            value = getattr(self, name)
            if not least <= value <= most:
                raise BadInputError(f"expected {name} from {least} to {most}, got {value}")
        if self.hours not in _STEPS_H:
            raise BadInputError(
                f"expected hours out of {', '.join(map(str, _STEPS_H))}, got {self.hours}"
            )
        self.config()

    def config(self) -> WorldConfig:
        """The world."""
        return config_of(self.preset, days=self.days, changes=self.changes)

    def plain(self) -> dict[str, Any]:
        """As JSON, with all that is in the world: a changed one is another comparison."""
        return {
            "preset": self.preset,
            "policies": [entrant.plain() for entrant in self.entrants],
            "users": self.users,
            "days": self.days,
            "seeds": self.seeds,
            "seed": self.seed,
            "hours": self.hours,
            "world": self.config().to_dict(),
        }

    def walk(self, folder: Path, *, n_workers: int) -> dict[str, list[dict[str, Any]]]:
        """Results of each policy's cells, seeds in order; finished cells are taken as they are."""
        seeds = range(self.seed, self.seed + self.seeds)
        statics = [entrant for entrant in self.entrants if entrant.is_static]
        others = [entrant for entrant in self.entrants if not entrant.is_static]
        first, further = seeds[:_PILOT_SEEDS], seeds[_PILOT_SEEDS:]
        cells = [self._cell(entrant, seed) for seed in first for entrant in self.entrants]
        found = walk_cells(cells, folder, n_workers=n_workers, what=f"{self.world}, pilot")
        best = best_static(_by_policy(found), [entrant.name for entrant in statics], scheme=SCHEME)
        on = [*others, *(entrant for entrant in statics if entrant.name == best)]
        cells = [self._cell(entrant, seed) for seed in further for entrant in on]
        if cells:
            found += walk_cells(cells, folder, n_workers=n_workers, what=self.world)
        return _by_policy(found)

    @property
    def world(self) -> str:
        """Name of the world, for tables."""
        return Path(self.preset).stem

    def _cell(self, entrant: Entrant, seed: int) -> Cell:
        return Cell(
            preset=self.preset,
            entrant=entrant,
            seed=seed,
            users=self.users,
            days=self.days,
            hours=self.hours,
            changes=self.changes,
            is_logged=seed == self.seed,
        )


def _by_policy(found: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Results by the policy's name, in the order in which they came."""
    named: dict[str, list[dict[str, Any]]] = {}
    for result in found:
        named.setdefault(result["policy"], []).append(result)
    return named
