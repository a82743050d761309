"""One policy of the field through one seed of the world: what each group of users came to.

A row, five prices and a seed enter; reward and sends of each group leave. Reward is told twice: as
it came, outcome by outcome, and in the mean of each step given the state it began in
(:func:`simulator.truth.mean_paid`), which has the same expectation and a fraction of the noise.
The loop, the guardrails and the exploration floor are those of every simulation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit.actions import Observation, item_position, slot_position
from bandit.decide import Decisions
from bandit.draws import key_of
from bandit.join import Joiner
from bandit.loop import Loop
from bandit.outcomes import UPLIFT, Outcomes, RewardScheme
from experiments.field_prices import N_GROUPS, ByGroup, group_of
from experiments.field_rows import Row
from experiments.field_scored import ScoredSlates
from experiments.field_templates import AsTemplates
from policies.baselines.count_policy import CountPolicy
from policies.baselines.survival import SurvivalThreshold
from policies.baselines.taste_at_hour import TasteAtHour
from policies.registry import build, entry
from policies.shape import PolicyShape
from service.jobs.shown_behaviour import ShownBehaviour
from service.jobs.shown_visits import ShownVisits
from service.jobs.simulated_walk import floor_of
from simulator.config import load
from simulator.guard import WorldGuard
from simulator.kernel import Ground, Population, ground_of
from simulator.offers import ITEM_NAMES, Slates
from simulator.truth import mean_paid, mean_reward
from simulator.world import World
from simulator.worth import Worth

__all__ = ["Paid", "candidates_of", "policy_for", "taken", "walk", "world_of"]

Float = NDArray[np.float64]

_N_KINDS = 256
_REST_DAYS = 3  # afterwards, until nearly all that happened has been heard of
_SCHEME = UPLIFT


@dataclass(slots=True, kw_only=True)
class Paid:
    """A world that keeps account; implements :class:`bandit.protocols.World`."""

    world: World
    worth: Worth = field(default_factory=lambda: Worth(_SCHEME))
    mean: Float = field(init=False)  # (U,) reward in the mean of each step
    sends: Float = field(init=False)  # (U,)
    gap: Float = field(init=False)  # (days,) level 1: worth of pmfs less that of silence
    decisions: Float = field(init=False)  # (days,)
    follows: bool = False  # whether gaps are told
    _heard: list[Outcomes] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.mean, self.sends = np.zeros((2, len(self.world.users)))
        self.gap, self.decisions = np.zeros((2, self.world.config.clock.horizon_days))

    @property
    def now_ms(self) -> int:
        """The world's clock."""
        return self.world.now_ms

    def observe(self) -> Observation | None:
        """What the world shows."""
        return self.world.observe()

    def expected(self) -> tuple[Float, Float]:
        """The world's truth."""
        return self.world.expected()

    def step(self, decisions: Decisions) -> None:
        """Keep account of what is carried out, then let the world do so."""
        rows, n_slots = self.world.observed, decisions.request.n_slots
        place = item_position(decisions.executed, n_slots=n_slots)
        slot = np.maximum(slot_position(decisions.executed, n_slots=n_slots), 0)
        population = taken(self.world, rows)
        self.mean[rows] += mean_paid(population, self.worth, place, slot)
        self.sends[rows] += place >= 0
        if self.follows:
            worth = mean_reward(population, self.worth).astype(np.float64)
            day = self.world.hour // 24
            self.gap[day] += ((decisions.pmf * worth).sum(axis=1) - worth[:, 0]).sum()
            self.decisions[day] += len(rows)
        self.world.step(decisions)

    def arrived(self) -> Outcomes:
        """What the world tells, kept."""
        outcomes = self.world.arrived()
        self._heard.append(outcomes)
        return outcomes

    def came(self) -> Float:
        """Reward of each user as it came within the horizon, each outcome once, (U,)."""
        of = np.zeros(_N_KINDS)
        for component in self.worth.scheme.components:
            of[list(component.kinds)] += component.weight
        parts = [
            np.stack([o.outcome_id, o.user, o.at_ms, o.kind.astype(np.int64)]) for o in self._heard
        ]
        ids, user, at_ms, kind = np.concatenate(parts, axis=1)
        _, once = np.unique(ids, return_index=True)
        end_ms = self.world.ground.calendar.start_ms + 86_400_000 * len(self.gap)
        once = once[at_ms[once] < end_ms]
        found = np.bincount(user[once], weights=of[kind[once]], minlength=len(self.sends))
        return np.asarray(found + self.worth.of_send * self.sends)


def walk(
    row: Row,
    prices: Sequence[float],
    *,
    seed: int,
    users: int,
    days: int,
    preset: str = "ecommerce",
    follows: bool = False,
    make: Callable[[World], Any] | None = None,
) -> dict[str, Any]:
    """Walk one row through one seed.

    Parameters
    ----------
    row : Row
        What decides.
    prices : sequence of float
        One a group of users.
    seed : int
        Who lives, by which chances.
    users, days : int
        Size of the world.
    follows : bool
        Whether the true gap to silence is told day by day.
    make : callable, optional
        Makes another policy for the world than the row's.

    Returns
    -------
    dict
        ``mean``, ``came`` and ``sends`` of each group, summed over users and days; ``users`` of
        each; with ``follows``, ``gap`` and ``decisions`` by day.
    """
    events = make is None and _reads_events(row)
    world = world_of(preset, seed=seed, users=users, days=days, events=events)
    candidates = candidates_of(row, world)
    inner = policy_for(row, world, candidates) if make is None else make(world)
    scheme = _scheme_of(row)
    policy = ByGroup(inner, row.price, prices)
    paid, shown = Paid(world=world, follows=follows), _shown(inner, world)
    if isinstance(candidates, ScoredSlates):
        shown = candidates
    width = world.slates().shape[1] if policy.reads_lists else 0
    loop = Loop(
        world=paid,
        policy=policy,  # type: ignore[arg-type]
        candidates=candidates,
        join=Joiner(scheme, list_width=width),
        floor=floor_of(24),
        key=key_of("field", row.name, seed),
        guard=WorldGuard(world),
    )
    for _ in loop.run():
        if shown is not None:
            shown.show()
    for _ in range(_REST_DAYS):
        world.rest()
    paid.arrived()
    return _told(paid)


def world_of(preset: str, *, seed: int, users: int, days: int, events: bool = False) -> World:
    """The world of one seed; with events, for who learns from what users do."""
    ground = _ground(preset, days)
    return World(ground.config, users, seed, scheme=_SCHEME, events=events, ground=ground)


def candidates_of(row: Row, world: World) -> Slates | ScoredSlates:
    """Short lists of a row: the world's, with a score where it is to be told one."""
    return ScoredSlates(world) if row.view == "scored" else Slates(world=world)


def policy_for(row: Row, world: World, candidates: Slates | ScoredSlates) -> Any:
    """Build a row's policy for a world, and tell it of the items where it reads them."""
    seen = world.observe()
    if seen is None:
        raise AssertionError("a world begins with somebody in it")
    catalogue, is_templates = world.ground.catalogue, row.view == "templates"
    n_lists = world.slates().shape[1]
    shape = PolicyShape(
        n_context=seen.context.shape[1],
        n_item_features=candidates(seen).features.shape[2],
        n_slot_features=seen.slot_features.shape[2],
        n_users=len(world.users),
        n_items=catalogue.n_items if not is_templates else world.config.items.n_templates + n_lists,
        n_slots=seen.grid.n_slots,
    )
    policy: Any = build(row.policy_id, shape, scheme=_scheme_of(row), options=row.options)
    if isinstance(policy, TasteAtHour) and policy.reads_content:
        policy.describe(catalogue.features)
    if is_templates:
        match_at = ITEM_NAMES.index("match")
        return AsTemplates(policy, catalogue.template.astype(np.int64), match_at)
    return policy


def taken(world: World, rows: NDArray[np.int64]) -> Population:
    """Some users of a world at this moment."""
    whole = world.population
    return Population(
        ground=whole.ground,
        hours=whole.hours,
        traits=whole.traits.take(rows),
        state=whole.state.take(rows),
    )


def _scheme_of(row: Row) -> RewardScheme:
    """What a row learns from: rewards of the table, or clicks first where clicks are its aim."""
    parts = _SCHEME.components
    if row.view == "templates":  # reminders are judged by whether they are answered
        return replace(_SCHEME, components=tuple(sorted(parts, key=lambda c: c.name != "click")))
    if row.price == "click":
        of_clicks = tuple(replace(c, weight=float(c.name == "click")) for c in parts)
        return replace(_SCHEME, name="clicks", objective="engagement", components=of_clicks)
    return _SCHEME


def _reads_events(row: Row) -> bool:
    chosen = entry(row.policy_id)
    return row.view == "scored" or chosen.reads_visits or "always_sends" in chosen.options


def _shown(policy: Any, world: World) -> ShownBehaviour | ShownVisits | ScoredSlates | None:
    if isinstance(policy, CountPolicy):
        return ShownBehaviour(world=world, policy=policy)
    if isinstance(policy, SurvivalThreshold):
        return ShownVisits(world=world, policy=policy)
    return None


def _told(paid: Paid) -> dict[str, Any]:
    group = group_of(paid.world.users)
    sums = {
        name: np.bincount(group, weights=of, minlength=N_GROUPS).tolist()
        for name, of in (("mean", paid.mean), ("came", paid.came()), ("sends", paid.sends))
    }
    told: dict[str, Any] = sums | {"users": np.bincount(group, minlength=N_GROUPS).tolist()}
    if paid.follows:
        told |= {"gap": paid.gap.tolist(), "decisions": paid.decisions.tolist()}
    return told


@lru_cache(maxsize=2)
def _ground(preset: str, days: int) -> Ground:
    return ground_of(load(preset, clock={"horizon_days": days}))
