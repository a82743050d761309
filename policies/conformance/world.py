"""A world small enough to be solved by hand, and the scheme that its days are paid by.

A table of what every push adds enters; users, short lists, outcomes and the truth of every action
leave. Identity asks for the item that the context names; tiny asks for silence as well.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit.actions import HOLD, ItemSet, Observation, SlotGrid
from bandit.currencies import no_currency
from bandit.decide import Decisions
from bandit.draws import Stream, uniforms
from bandit.outcomes import Component, Kind, Outcomes, RewardScheme
from bandit.slots import DAY_MS, HOUR_MS
from policies.shape import PolicyShape

__all__ = ["HITS", "StateWorld", "identity_world", "tiny_world"]

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


def identity_world(**changes: Any) -> StateWorld:
    """Four items, two slots: the context names the item that adds .5; others add nothing."""
    uplift = np.repeat(np.eye(4)[:, :, None] * 0.5, 2, axis=2)
    return StateWorld(base=np.full(4, 0.1), uplift=uplift, redraws=True, **changes)


def tiny_world(**changes: Any) -> StateWorld:
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
