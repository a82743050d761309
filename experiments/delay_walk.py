"""One simulated population, decided for by one learner, read by others as fast as each may hear.

A configuration, a learner and a seed enter; what every reader would have lost on the same rows,
and how well the join foresaw conversions, leave. All readers learn the same decisions of the same
walk: their final components the moment they are decided, as the join expects them, when they are
final, or what has come after a day as if that were all. So readers differ by delay alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit.actions import Observation
from bandit.decide import Decisions
from bandit.delays import DelayModel
from bandit.draws import key_of
from bandit.errors import StateError
from bandit.floor import Floor, apply_floor
from bandit.join import Emission, Joiner
from bandit.loop import Loop
from bandit.metric_math import best_worth, policy_worth
from bandit.outcomes import UPLIFT, Component, Feedback, Kind, Outcomes, RewardScheme, no_outcomes
from bandit.protocols import Policy
from bandit.slots import DAY_MS, HOUR_MS
from policies.shape import PolicyShape
from simulator.config import WorldConfig, load
from simulator.guard import WorldGuard
from simulator.kernel import Ground, Population
from simulator.offers import Slates
from simulator.truth import mean_reward, means_of
from simulator.world import World
from simulator.worth import Quantity, Worth

__all__ = [
    "AGES_H",
    "FINAL_DAYS",
    "SCHEMES",
    "Turn",
    "Walk",
    "considered",
    "foreseen",
    "lost",
    "open_shop",
    "readings",
    "shape_of",
    "walk",
]

Array = NDArray[np.float64]
Rows = tuple[Feedback, Feedback]  # to learn for the first time, and to revise

_WEEK_MS = 7 * DAY_MS
_COST = -0.0005  # of a message, as in the uplift scheme
_CHUNK = 256
_OPEN_DAYS = 30
_SHARES, _MEANS_H = (0.35, 0.10, 0.55), (0.25, 8.0, 232.8)  # display advertisements' orders
_UPLIFT = replace(
    UPLIFT,
    components=tuple(
        replace(c, window_ms=_WEEK_MS) if c.kinds == (Kind.CONVERTED,) else c
        for c in UPLIFT.components
    ),
)
_ATTRIBUTED = RewardScheme(
    name="attributed",
    objective="engagement",
    components=(
        Component(
            name="conversion",
            kinds=(Kind.CONVERTED,),
            measure="any",
            weight=1.0,
            window_ms=_WEEK_MS,
            is_attributed=True,
        ),
        Component(name="message", kinds=(), measure="send", weight=_COST),
    ),
)
SCHEMES: dict[str, RewardScheme] = {"uplift": _UPLIFT, "attributed": _ATTRIBUTED}
"""The uplift scheme with the week of considered purchases; and orders by the id of their push."""

AGES_H = (1, 24, 168)
FINAL_DAYS = 9
"""Days until every decision of a day is final: its slots, a week, and delivery after a night."""

_REST_DAYS = FINAL_DAYS + 1


def considered(*, days: int) -> WorldConfig:
    """The shop whose orders are considered purchases, and all of whose users have opted in."""
    config = load("ecommerce", clock={"horizon_days": _OPEN_DAYS + days})
    orders = replace(config.orders, delay_shares=_SHARES, delay_means_h=_MEANS_H)
    return replace(config, orders=orders, opt_out=replace(config.opt_out, opt_in_share=1.0))


def open_shop(ground: Ground, *, users: int, seed: int) -> World:
    """A world that has been open for thirty days: orders of earlier visits are on their way."""
    world = World(ground.config, users, seed, ground=ground)
    for _ in range(_OPEN_DAYS):
        world.rest()
    world.arrived()
    return world


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One day: what was decided and learned, what all would have been worth, and what came."""

    decisions: Decisions
    worth: NDArray[np.float32]  # (N, A) true worth of every action
    rows: Rows
    heard: Outcomes


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """All days, and what was heard on the days of rest afterwards."""

    turns: list[Turn]
    afterwards: list[Outcomes]
    start_ms: int
    scheme: RewardScheme


@dataclass(slots=True)
class _Judged:
    """A world that keeps the true worth of all actions, and what it tells."""

    world: World
    scheme: RewardScheme
    worth: NDArray[np.float32]
    heard: Outcomes = field(default_factory=no_outcomes)

    @property
    def now_ms(self) -> int:
        return self.world.now_ms

    def observe(self) -> Observation | None:
        return self.world.observe()

    def expected(self) -> tuple[Array, Array]:
        return self.world.expected()

    def step(self, decisions: Decisions) -> None:
        self.worth = _worth(self.world, self.scheme)[:, : decisions.request.n_actions]
        self.world.step(decisions)

    def arrived(self) -> Outcomes:
        self.heard = self.world.arrived()
        return self.heard


def shape_of(world: World) -> PolicyShape:
    """Lengths of a world's requests."""
    seen = world.observe()
    if seen is None:
        raise StateError("expected a world with living users, got one without")
    return PolicyShape(
        n_context=seen.context.shape[1],
        n_item_features=Slates(world=world)(seen).features.shape[2],
        n_slot_features=seen.slot_features.shape[2],
        n_users=len(world.users),
        n_items=world.ground.catalogue.n_items,
        n_slots=seen.grid.n_slots,
    )


def walk(world: World, policy: Policy, *, scheme: RewardScheme, key: int) -> Walk:
    """Let a delay-aware learner decide until the world ends, and wait for all outcomes."""
    judged, start_ms = _Judged(world, scheme, np.zeros((0, 0), np.float32)), world.now_ms
    loop = Loop(
        world=judged,
        policy=policy,
        candidates=Slates(world=world),
        join=Joiner(scheme),
        key=key,
        guard=WorldGuard(world),
    )
    turns = []
    for step in loop.run():
        rows = step.fresh, step.revised
        turns.append(
            Turn(decisions=step.decisions, worth=judged.worth, rows=rows, heard=judged.heard)
        )
    afterwards = []
    for _ in range(_REST_DAYS):
        world.rest()
        afterwards.append(world.arrived())
    return Walk(turns=turns, afterwards=afterwards, start_ms=start_ms, scheme=scheme)


def readings(walked: Walk) -> dict[str, list[Rows]]:
    """What each reader is told at the end of each day, by the name of the reader."""
    late, blind = Joiner(walked.scheme, emission=Emission.WHEN_FINAL), Joiner(walked.scheme)
    when_final, not_yet, final = [], [], []
    for day, turn in enumerate(walked.turns):
        now_ms = walked.start_ms + (day + 1) * DAY_MS
        for join in (late, blind):
            join.add(turn.decisions)
            join.receive(turn.heard)
        when_final.append(late.advance(now_ms))
        # A join that never learns of delays expects nothing beyond what is there.
        blind.delays = DelayModel(blind.delays.last_age_ms)
        seen, _ = blind.advance(now_ms)
        seen = replace(seen, maturity=np.ones_like(seen.maturity))
        not_yet.append((seen, some_rows(seen, np.zeros(seen.n_rows, np.bool_))))
    final += [fresh for fresh, _ in when_final]
    for day, heard in enumerate(walked.afterwards, start=len(walked.turns)):
        late.receive(heard)
        final.append(late.advance(walked.start_ms + (day + 1) * DAY_MS)[0])
    whole = _together(final)
    at_once = []
    for turn in walked.turns:
        of_day = some_rows(whole, np.isin(whole.decision_id, turn.decisions.decision_id))
        at_once.append((of_day, some_rows(of_day, np.zeros(of_day.n_rows, np.bool_))))
    return {
        "at once": at_once,
        "delay-aware": [turn.rows for turn in walked.turns],
        "when final": when_final,
        "not yet = 0": not_yet,
    }


def lost(policy: Policy, walked: Walk, told: Sequence[Rows] | None, *, key: int) -> Array:
    """True worth that a reader's floored pmf loses to each row's best action, by day, (T,).

    Parameters
    ----------
    policy : Policy
        With nothing learned.
    walked : Walk
        Whose rows are asked for.
    told : sequence of rows, or None
        What it learns at the end of each day; nothing at all without it.
    key : int
        Of the policy's own draws.
    """
    n_learned, losses = 0, []
    for day, turn in enumerate(walked.turns):
        request = turn.decisions.request
        pmf = policy.pmf(request, key_of(policy.policy_id, n_learned, key))
        floored = apply_floor(pmf, request.mask, n_slots=request.n_slots, floor=Floor())
        worth = turn.worth.astype(np.float64)
        losses.append((best_worth(worth, request.mask) - policy_worth(worth, floored)).sum())
        if told is not None:
            fresh, revised = told[day]
            policy.update(fresh)
            policy.revise(revised)
            n_learned += fresh.n_rows + revised.n_rows
    return np.array(losses)


def foreseen(walked: Walk) -> dict[int, Array]:
    """Conversions by age and day of decision: foreseen, held and what came, (T, 3) each.

    *Foreseen* is what the join says when asked at that age, *held* what it last told a learner.
    """
    n_days = len(walked.turns)
    found = {age_h: np.zeros((n_days, 3)) for age_h in AGES_H}
    conversion = [c.name for c in walked.scheme.components].index("conversion")
    join, held, came = Joiner(walked.scheme), dict[int, float](), dict[int, float]()
    told = [turn.heard for turn in walked.turns] + walked.afterwards

    def advance(now_ms: int, heard: Outcomes) -> Feedback:
        join.receive(_received(heard, now_ms))
        for rows in join.advance(now_ms):
            values = rows.components[:, conversion].tolist()
            held.update(zip(rows.decision_id.tolist(), values, strict=True))
            is_final = (rows.maturity >= 1).all(axis=1)
            ids = rows.decision_id[is_final].tolist()
            came.update((i, held[i]) for i in ids)
        return join.outlook(now_ms)

    asked: list[tuple[int, int, NDArray[np.int64], float, float]] = []

    def note(view: Feedback, day: int, age_h: int) -> None:
        if not 0 <= day < n_days:
            return
        rows = np.isin(view.decision_id, walked.turns[day].decisions.decision_id)
        ids = view.decision_id[rows]
        has = sum(held[i] for i in ids.tolist())
        asked.append((age_h, day, ids, float(view.components[rows, conversion].sum()), has))

    for day, heard in enumerate(told):
        now_ms = walked.start_ms + day * DAY_MS
        if day < n_days:
            join.add(walked.turns[day].decisions)
            note(advance(now_ms + HOUR_MS, heard), day, 1)
        view = advance(now_ms + DAY_MS, heard)
        note(view, day, 24)
        note(view, day - 6, 168)
    for age_h, day, ids, expected, has in asked:
        found[age_h][day] += expected, has, sum(came[i] for i in ids.tolist())
    return found


def _worth(world: World, scheme: RewardScheme) -> NDArray[np.float32]:
    """True worth of every action to the observed users, (N, A).

    Where orders are attributed, those that pushes bring count whole, be they displaced or not.
    """
    whole, parts = world.population, []
    for start in range(0, len(world.observed), _CHUNK):
        at = world.observed[start : start + _CHUNK]
        traits, state = whole.traits.take(at), whole.state.take(at)
        some = Population(ground=whole.ground, hours=whole.hours, traits=traits, state=state)
        if scheme.objective == "uplift":
            parts.append(mean_reward(some, Worth(scheme)))
        else:
            caused = means_of(some).caused
            order, send = caused[..., Quantity.ORDER], caused[..., Quantity.SEND]
            parts.append((order + _COST * send).astype(np.float32))
    return np.concatenate(parts)


def some_rows(feedback: Feedback, rows: NDArray[np.bool_]) -> Feedback:
    """Some rows of feedback."""
    names = [name for name in Feedback.__slots__ if name != "scheme"]
    return replace(feedback, **{name: getattr(feedback, name)[rows] for name in names})


def _received(heard: Outcomes, now_ms: int) -> Outcomes:
    """Outcomes received by a time; telling them twice does no harm."""
    rows = heard.received_ms <= now_ms
    return Outcomes(**{name: getattr(heard, name)[rows] for name in Outcomes.__slots__})


def _together(parts: Sequence[Feedback]) -> Feedback:
    names = [name for name in Feedback.__slots__ if name != "scheme"]
    columns: dict[str, NDArray[Any]] = {
        name: np.concatenate([getattr(part, name) for part in parts]) for name in names
    }
    return Feedback(**columns, scheme=parts[0].scheme)
