"""One policy's walk through one simulated world: a cell of a comparison.

A :class:`Cell` enters; sums by day leave, and where asked the log of decisions and outcomes. The
loop is the one loop of :mod:`bandit.loop`; the seed alone says who lives and by which chances, so
that cells of one seed are paired: the same people, under common random numbers, sent other things.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit.draws import key_of
from bandit.errors import BadInputError
from bandit.floor import Floor
from bandit.join import Joiner
from bandit.log import LogWriter
from bandit.loop import Loop
from bandit.outcome_log import OutcomeWriter
from bandit.outcomes import UPLIFT
from bandit.protocols import Policy
from policies.baselines.count_policy import CountPolicy
from policies.baselines.survival import SurvivalThreshold
from policies.baselines.taste_at_hour import DeepScore, TasteAtHour
from policies.shape import PolicyShape
from service.jobs.entrants import Entrant, policy_of
from service.jobs.profiled import Profiled
from service.jobs.shown_behaviour import ShownBehaviour
from service.jobs.shown_visits import ShownVisits
from service.jobs.watched_world import Watched
from simulator.config import PRESETS, WorldConfig, load
from simulator.guard import WorldGuard
from simulator.kernel import Ground, ground_of
from simulator.offers import Slates
from simulator.solved import solved
from simulator.world import World
from simulator.worth import Worth

__all__ = ["SCHEME", "Cell", "config_of", "floor_of", "walk_cell"]

SCHEME = UPLIFT
"""Weights of every table: sessions, conversions, opt-outs, uninstalls, messages."""

_LOG = "log"
_BATCHES_A_FILE = 30
_REST_DAYS = 3  # afterwards, until nearly all that happened has been heard of


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One policy in one world with one seed.

    Parameters
    ----------
    preset : str
        Name of a preset, or path of a TOML file.
    entrant : Entrant
        Who decides.
    seed : int
        Who lives, by which chances.
    users, days : int
        How many live, for how long.
    hours : int
        Length of a step: 24 decides once a day, 1 once an hour.
    changes : mapping
        Sections of the world with keys to replace.
    is_logged : bool
        Whether the decision log and what was heard are kept.
    """

    preset: str
    entrant: Entrant
    seed: int
    users: int
    days: int
    hours: int = 24
    changes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    is_logged: bool = False

    @property
    def name(self) -> str:
        """Of its folder."""
        return f"{Path(self.preset).stem}_{self.entrant.name}_{self.seed}"


def config_of(
    preset: str, *, days: int, changes: Mapping[str, Mapping[str, Any]] | None = None
) -> WorldConfig:
    """The world that a preset names, for so many days.

    Raises
    ------
    BadInputError
        For a preset, key or value that there is not, or a number of days out of range.
    """
    if days < 1:
        raise BadInputError(f"expected one day or more, got {days}")
    changed = {name: dict(values) for name, values in (changes or {}).items()}
    if "horizon_days" in changed.get("clock", {}):
        raise BadInputError("expected the length of the run as days, got clock.horizon_days")
    changed.setdefault("clock", {})["horizon_days"] = days
    return load(preset if preset in PRESETS else Path(preset), **changed)


def floor_of(hours: int) -> Floor:
    """Exploration floor of a decision every so many hours.

    The least chance of a send is that of a day, spread over its decisions: silence would else
    send 24 times as often when it is asked 24 times.
    """
    floor = Floor()
    return Floor(hold=floor.hold, send=floor.send * hours / 24, item=floor.item, slot=floor.slot)


def walk_cell(
    cell: Cell, folder: Path, *, advance: Callable[[], None] = lambda: None
) -> dict[str, Any]:
    """Walk to the end of the world and return its sums by day.

    Parameters
    ----------
    cell : Cell
        What to walk.
    folder : Path
        Gets ``log/`` where the cell is logged.
    advance : callable
        Told of each simulated day, for a progress bar.
    """
    ground = _ground(config_of(cell.preset, days=cell.days, changes=cell.changes))
    world = World(
        ground.config,
        cell.users,
        cell.seed,
        hours=cell.hours,
        scheme=SCHEME,
        events=cell.entrant.reads_events,
        ground=ground,
    )
    popularity, slates = _popularity(ground), Slates(world=world)
    shape = _shape(world, slates)
    policy = _policy(cell.entrant, shape, world, popularity=popularity)
    shown = _shown_to(policy, world)
    worth = Worth(SCHEME)
    watched = Watched(
        world=world,
        worth=worth,
        popularity=popularity,
        solved=solved(ground.config, worth, hours=cell.hours),
    )
    store = None
    if cell.is_logged:
        store = LogWriter(folder / _LOG, keeps_pmf=False, batches_a_file=_BATCHES_A_FILE)
    loop = Loop(
        world=watched,
        policy=policy,
        candidates=slates,
        join=Joiner(SCHEME, list_width=_list_width(policy, world)),
        floor=floor_of(cell.hours),
        key=key_of("simulate", cell.entrant.name, cell.seed),
        guard=WorldGuard(world),
        store=store,
    )
    for step, _ in enumerate(loop.run(), start=1):
        if step % (24 // cell.hours) == 0:
            advance()
            if shown is not None:
                shown.show()
    if store is not None:
        store.flush()
    for _ in range(_REST_DAYS * 24 // cell.hours):
        world.rest()
    watched.arrived()
    if cell.is_logged:
        OutcomeWriter(folder / _LOG).append(watched.heard())
    return _result(cell, watched)


def _policy(
    entrant: Entrant, shape: PolicyShape, world: World, *, popularity: NDArray[np.float64]
) -> Policy:
    """The entrant's policy, told of the items where it reads them."""
    features = world.ground.catalogue.features
    if not entrant.is_static and entrant.policy_id == DeepScore.policy_id:
        shape = replace(shape, n_context=features.shape[1])
    policy = policy_of(entrant, shape, scheme=SCHEME, popularity=popularity)
    if isinstance(policy, DeepScore):
        return Profiled(policy, world)
    if isinstance(policy, TasteAtHour) and policy.reads_content:
        policy.describe(features)
    return policy


def _result(cell: Cell, watched: Watched) -> dict[str, Any]:
    """Sums of the cell, as JSON."""
    by_day = {**watched.decided, **watched.came()}
    by_day |= {"reachable": watched.reachable, "alive": watched.alive}
    return {
        "preset": cell.preset,
        "policy": cell.entrant.name,
        "seed": cell.seed,
        "users": cell.users,
        "by_day": {name: array.tolist() for name, array in by_day.items()},
        "static": watched.static.tolist(),
        "sent_at": watched.sent_at.tolist(),
    }


def _shape(world: World, slates: Slates) -> PolicyShape:
    """Lengths of the world's requests."""
    seen = world.observe()
    if seen is None:
        raise BadInputError("expected somebody to decide for, got a world without living users")
    return PolicyShape(
        n_context=seen.context.shape[1],
        n_item_features=slates(seen).features.shape[2],
        n_slot_features=seen.slot_features.shape[2],
        n_users=len(world.users),
        n_items=world.ground.catalogue.n_items,
        n_slots=seen.grid.n_slots,
    )


def _shown_to(policy: Policy, world: World) -> ShownBehaviour | ShownVisits | None:
    """What shows the policy, or the one inside it, what users did, where it learns from that."""
    policy = getattr(policy, "inner", policy)
    if isinstance(policy, CountPolicy):
        return ShownBehaviour(world=world, policy=policy)
    return (
        ShownVisits(world=world, policy=policy) if isinstance(policy, SurvivalThreshold) else None
    )


def _list_width(policy: Policy, world: World) -> int:
    """How many items of a short list the policy asks to be told of, 0 for most."""
    return world.slates().shape[1] if getattr(policy, "reads_lists", False) else 0


def _popularity(ground: Ground) -> NDArray[np.float64]:
    """How well everybody likes each item, (I,): what a server counts easily."""
    return np.asarray(ground.catalogue.attraction, np.float64)


@lru_cache(maxsize=2)
def _ground(config: WorldConfig) -> Ground:
    """Shared tables, kept between the cells of one process."""
    return ground_of(config)
