"""Two small worlds, and every registered policy taught a little: what the suite runs on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bandit.actions import HOLD, ItemSet, Observation, Request, SlotGrid, assemble
from bandit.currencies import no_currency
from bandit.decide import Decisions
from bandit.draws import Stream, uniforms
from bandit.floor import Floor
from bandit.join import Emission, Joiner
from bandit.loop import Loop, Step
from bandit.outcomes import Component, Feedback, Kind, Outcomes, RewardScheme
from bandit.protocols import Policy
from bandit.slots import DAY_MS, HOUR_MS
from policies.registry import Entry, build, policies
from policies.shape import PolicyShape

Array = NDArray[np.float64]

HITS = RewardScheme(
    name="hits less cost",
    objective="uplift",
    components=(
        Component(
            name="hit", kinds=(Kind.CONVERTED,), measure="count", weight=1.0, window_ms=HOUR_MS
        ),
        Component(name="message", kinds=(), measure="send", weight=-0.01, window_ms=HOUR_MS),
        Component(
            name="click", kinds=(Kind.CLICKED,), measure="any", weight=0.0, window_ms=HOUR_MS
        ),
    ),
)


@dataclass(slots=True, kw_only=True)
class StateWorld:
    """Users in a state each; a table says what every push adds to their chance of a hit.

    The context is the state, one-hot. A day passes a step and outcomes are heard at its end.
    """

    base: Array  # (states,) chance of a hit without a push
    uplift: Array  # (states, K, S) what a push adds
    n_users: int = 40
    n_days: int = 60
    seed: int = 1
    redraws: bool = False  # whether users change state every day
    p_click: float = 0.0  # chance that a send is clicked, whatever it does
    day: int = 0
    heard: list[Outcomes] = field(default_factory=list)

    @property
    def now_ms(self) -> int:
        """Midnight of the day about to be decided."""
        return 1_700_006_400_000 + self.day * DAY_MS

    @property
    def state(self) -> NDArray[np.int64]:
        """State of every user today, (N,)."""
        users = np.arange(self.n_users)
        if not self.redraws:
            return users % len(self.base)
        drawn = uniforms(self.seed, users + self.day * self.n_users, stream=Stream.INITIAL)
        return (drawn * len(self.base)).astype(np.int64)

    def observe(self) -> Observation | None:
        """Everybody, every day."""
        if self.day == self.n_days:
            return None
        n_slots = self.uplift.shape[2]
        start = self.now_ms + np.arange(n_slots) * HOUR_MS + np.zeros((self.n_users, 1), np.int64)
        return Observation(
            user=np.arange(self.n_users),
            at_ms=np.full(self.n_users, self.now_ms),
            zone=np.full(self.n_users, "UTC"),
            context=np.eye(len(self.base))[self.state],
            slot_features=np.tile(np.eye(n_slots), (self.n_users, 1, 1)),
            grid=SlotGrid(start_ms=start, end_ms=start + HOUR_MS),
        )

    def candidates(self, observation: Observation) -> ItemSet:
        """All items, each crossed with the context, so that a linear head can tell who likes it."""
        n_items = self.uplift.shape[1]
        crossed = np.einsum("ki,nd->nkid", np.eye(n_items), observation.context)
        return ItemSet(
            items=np.tile(np.arange(n_items), (self.n_users, 1)),
            features=crossed.reshape(self.n_users, n_items, self.shape.n_item_features),
        )

    def step(self, decisions: Decisions) -> None:
        """Draw hits by the table, clicks at their own rate, and let the day pass."""
        chance = self.base[self.state] + self.added[np.arange(self.n_users), decisions.executed]
        counters = 2 * decisions.decision_id
        hit = uniforms(self.seed, counters, stream=Stream.WORLD) < chance
        click = uniforms(self.seed, counters + 1, stream=Stream.WORLD) < self.p_click
        click &= decisions.executed != HOLD
        kinds = ((hit, Kind.CONVERTED), (click, Kind.CLICKED))
        self.heard = [_outcomes(decisions, where, kind) for where, kind in kinds]
        self.day += 1

    def arrived(self) -> Outcomes:
        """What happened yesterday."""
        columns = Outcomes.__slots__
        return Outcomes(
            **{name: np.concatenate([getattr(o, name) for o in self.heard]) for name in columns}
        )

    def expected(self) -> tuple[Array, Array]:
        """Base (N, R) and uplift (N, A, R) of today's users, hits and sends."""
        base = np.zeros((self.n_users, len(HITS)))
        base[:, 0] = self.base[self.state]
        uplift = np.zeros((*self.added.shape, len(HITS)))
        uplift[..., 0] = self.added
        uplift[:, 1:, 1] = 1.0
        return base, uplift

    @property
    def added(self) -> Array:
        """What every action adds to every user's chance today, (N, A)."""
        sends = self.uplift[self.state].reshape(self.n_users, self.uplift[0].size)
        return np.concatenate([np.zeros((self.n_users, 1)), sends], axis=1)

    @property
    def shape(self) -> PolicyShape:
        """Lengths of what this world's requests carry."""
        n_states, n_items, n_slots = self.uplift.shape
        return PolicyShape(
            n_context=n_states,
            n_item_features=n_states * n_items,
            n_slot_features=n_slots,
            n_users=self.n_users,
            n_items=n_items,
            n_slots=n_slots,
        )


def _identity_world(**changes: Any) -> StateWorld:
    """Four items, two slots: the context names the item that adds .5; others add nothing."""
    uplift = np.repeat(np.eye(4)[:, :, None] * 0.5, 2, axis=2)
    return StateWorld(base=np.full(4, 0.1), uplift=uplift, redraws=True, **changes)


def _tiny_world(**changes: Any) -> StateWorld:
    """Two states solved by hand.

    In state 0 item 0 at slot 0 adds .40 and is best; in state 1 every push harms, so hold is
    best. Less .01 a send: optimum (.39 + 0) / 2 = .195; the best fixed pair (.39 − .11) / 2 =
    .14; uniform over five actions (.60 − .30) / 10 − .8 · .01 = .022; silence 0.
    """
    uplift = np.array([[[0.40, 0.10], [0.10, 0.00]], [[-0.10, -0.05], [-0.05, -0.10]]])
    return StateWorld(base=np.array([0.3, 0.2]), uplift=uplift, **changes)


def _outcomes(decisions: Decisions, where: NDArray[np.bool_], kind: Kind) -> Outcomes:
    ids = decisions.decision_id[where]
    at_ms = decisions.slot_start_ms[where] + 60_000
    return Outcomes(
        outcome_id=2 * ids + (kind == Kind.CLICKED),
        kind=np.full(len(ids), kind, np.uint8),
        user=decisions.request.user[where],
        at_ms=at_ms,
        received_ms=at_ms,
        value=np.ones(len(ids)),
        decision_id=ids if kind.is_response else np.full(len(ids), -1),
        corrects=np.full(len(ids), -1),
        currency=no_currency(len(ids)),
    )


def _loop(world: StateWorld, policy: Policy, *, seed: int = 1) -> Loop:
    """Put a policy to work in a world; every row is learned when it is final."""
    horizon_ms = world.uplift.shape[2] * HOUR_MS
    return Loop(
        world=world,
        policy=policy,
        candidates=world.candidates,
        join=Joiner(
            HITS,
            horizon_ms=horizon_ms,
            emission=Emission.WHEN_FINAL,
            list_width=world.uplift.shape[1],
        ),
        floor=Floor(),
        key=seed,
    )


def _run(world: StateWorld, policy: Policy, *, seed: int = 1) -> Iterator[tuple[Step, float]]:
    """Turn the one loop, and say what each step's pmf was truly worth above silence."""
    loop = _loop(world, policy, seed=seed)
    while world.day < world.n_days:
        worth = HITS.reward(world.expected()[1])  # (N, A), before the day passes
        step = loop.turn()
        assert step is not None
        yield step, float((step.decisions.pmf * worth).sum()) / max(world.n_users, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A registered policy, and how to make, teach and question it."""

    entry: Entry
    shape: PolicyShape

    def fresh(self, shape: PolicyShape | None = None, scheme: RewardScheme = HITS) -> Policy:
        """Return the policy as built from its id, with nothing learned."""
        return build(self.entry.policy_id, shape or self.shape, scheme=scheme)

    def taught(self, shape: PolicyShape | None = None) -> Policy:
        """Return the policy after fifty decisions, and a week of behaviour where it counts."""
        shape = shape or self.shape
        policy = self.fresh(shape)
        policy.update(feedback_of(shape, 50))
        if hasattr(policy, "counts"):
            rng = np.random.default_rng(11)
            for _ in range(7):
                user = rng.integers(0, shape.n_users, 30)
                policy.counts.observe(
                    item_user=user,
                    item=rng.integers(0, shape.n_items, 30),
                    slot_user=user,
                    slot=rng.integers(0, shape.n_slots, 30),
                )
        return policy

    def cannot(self, law: str) -> str | None:
        """Why the policy declares that it cannot meet a law; ``None`` if it can."""
        return self.fresh().cannot.get(law)


def request_of(
    shape: PolicyShape,
    n: int,
    *,
    seed: int = 0,
    n_items: int | None = None,
    scale: float = 1.0,
    mask: NDArray[np.bool_] | None = None,
) -> Request:
    """Make a request of random features, distinct items and an optional mask."""
    rng = np.random.default_rng(seed)
    k, s = n_items or shape.n_items, shape.n_slots
    start = 1_700_000_000_000 + np.arange(s) * HOUR_MS + np.zeros((n, 1), np.int64)
    observation = Observation(
        user=rng.integers(0, shape.n_users, n),
        at_ms=start[:, 0],
        zone=np.full(n, "UTC"),
        context=scale * rng.normal(size=(n, shape.n_context)),
        slot_features=scale * rng.normal(size=(n, s, shape.n_slot_features)),
        grid=SlotGrid(start_ms=start, end_ms=start + HOUR_MS),
    )
    items = ItemSet(
        items=np.argsort(rng.random((n, shape.n_items)), axis=1)[:, :k],
        features=scale * rng.normal(size=(n, k, shape.n_item_features)),
    )
    reasons = None if mask is None else np.where(mask, 0, 2048).astype(np.uint16)
    return assemble(observation, items, reasons=reasons)


def feedback_of(
    shape: PolicyShape, n: int, *, seed: int = 0, first_id: int = 0, share: float = 1.0
) -> Feedback:
    """Make feedback of random features, whose components have arrived by ``share``."""
    rng = np.random.default_rng(seed)
    is_send = rng.random(n) < 0.8
    components = rng.normal(size=(n, len(HITS)))
    components[:, 1] = is_send
    components[:, 2] = components[:, 2] > 1.0  # a click comes or not
    user, item = (rng.integers(0, limit, n) for limit in (shape.n_users, shape.n_items))
    return Feedback(
        decision_id=first_id + np.arange(n, dtype=np.int64),
        user=user,
        at_ms=np.full(n, 1_700_000_000_000),
        is_send=is_send,
        item=np.where(is_send, item, -1),
        slot=np.where(is_send, rng.integers(0, shape.n_slots, n), -1),
        propensity=np.full(n, 0.1),
        p_send=np.full(n, 0.8),
        context=rng.normal(size=(n, shape.n_context)),
        item_features=rng.normal(size=(n, shape.n_item_features)) * is_send[:, None],
        slot_features=rng.normal(size=(n, shape.n_slot_features)) * is_send[:, None],
        components=components,
        maturity=np.full((n, len(HITS)), share),
        scheme=HITS,
        short_list=np.stack([item, (item + 1) % shape.n_items], axis=1),
        p_items=np.tile([0.2, 0.6], (n, 1)),
    )


def rows_of(feedback: Feedback, rows: NDArray[np.int64]) -> Feedback:
    """Return chosen rows of feedback, in the chosen order."""
    names = [name for name in Feedback.__slots__ if name != "scheme"]
    return replace(feedback, **{name: getattr(feedback, name)[rows] for name in names})


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What the suite works with, in one fixture."""

    scheme: RewardScheme = HITS
    identity: Callable[..., StateWorld] = _identity_world
    tiny: Callable[..., StateWorld] = _tiny_world
    loop: Callable[..., Loop] = _loop
    run: Callable[..., Iterator[tuple[Step, float]]] = _run
    request_of: Callable[..., Request] = request_of
    feedback_of: Callable[..., Feedback] = feedback_of
    rows_of: Callable[..., Feedback] = rows_of
    assembled: Callable[..., Request] = assemble


@pytest.fixture(scope="session")
def bench() -> Bench:
    """Worlds, requests and feedback."""
    return Bench()


@pytest.fixture(scope="session")
def case_of() -> Callable[[Entry], Case]:
    """Make the case of one entry."""
    return _case


@pytest.fixture(params=policies(), ids=lambda entry: entry.policy_id)
def case(request: pytest.FixtureRequest) -> Case:
    """Every registered policy in turn: nothing is skipped."""
    return _case(request.param)


def _case(entry: Entry) -> Case:
    return Case(
        entry=entry,
        shape=PolicyShape(
            n_context=3, n_item_features=4, n_slot_features=3, n_users=7, n_items=5, n_slots=4
        ),
    )
