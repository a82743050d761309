"""One log under two schemes: what a send adds, and what attribution says it earns.

A configuration enters; a table with a row a scheme leaves. Sends are decided by a coin, so the
difference of sends and holds is what a send does. Under ``uplift`` behaviour is counted by time,
for holds as for sends; under ``engagement`` clicks count, and the orders of those who clicked. In
the preset ``trap`` the first is nothing but the cost of the message, and the second is not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bandit.decide import Decisions
from bandit.draws import key_of
from bandit.errors import BadInputError
from bandit.floor import Floor
from bandit.join import Emission, Joiner
from bandit.loop import Loop
from bandit.ope.intervals import clustered
from bandit.outcomes import ENGAGEMENT, UPLIFT, Feedback, Outcomes, RewardScheme
from policies.registry import build
from policies.shape import PolicyShape
from simulator.config import WorldConfig
from simulator.guard import WorldGuard
from simulator.known import CONTEXT_NAMES, SLOT_NAMES
from simulator.offers import ITEM_NAMES, Slates
from simulator.world import World

__all__ = ["BEHAVIOUR", "scheme_lines", "two_schemes"]

Float = NDArray[np.float64]

COIN = Floor(hold=0.5, send=0.5)
"""A send on heads: whatever the policy would do, both have probability one half."""

BEHAVIOUR = replace(
    UPLIFT,
    name="uplift less the cost of sending",
    components=tuple(c for c in UPLIFT.components if c.measure != "send"),
)
"""What users do, weighed as under ``uplift``."""

_SCHEMES: Mapping[str, RewardScheme] = {s.name: s for s in (UPLIFT, BEHAVIOUR, ENGAGEMENT)}
_ALL = replace(
    ENGAGEMENT,
    name="all",
    components=tuple(
        {c.name: c for s in _SCHEMES.values() for c in s.without_attribution().components}.values()
    ),
)
"""Every component whose truth the world knows, each once."""


def two_schemes(
    config: WorldConfig,
    *,
    n_users: int,
    n_days: int,
    seed: int,
    advance: Callable[[], None] = lambda: None,
) -> pa.Table:
    """Decide by a coin, then credit the same outcomes under each scheme.

    Parameters
    ----------
    config : WorldConfig
        The population, such as ``load("trap")``.
    n_users, n_days : int
        How many are decided for, and how often.
    seed : int
        Of the lives and of the coin.
    advance : callable
        Told after each day.

    Returns
    -------
    pyarrow.Table
        A row a scheme: ``scheme``; ``difference`` (mean reward of a send less that of a hold),
        ``low`` and ``high`` (95 %, clustered by user), ``truth`` (mean level-1 uplift of the sends,
        behaviour less what it displaces; attribution plays no part in it), ``n_decisions`` where a
        send was possible, ``n_users``.

    Raises
    ------
    BadInputError
        For fewer than two users or no day, from which no interval can be made.
    """
    if n_users < 2 or n_days < 1:
        raise BadInputError(
            f"expected two users or more and a day or more, got {n_users} and {n_days}"
        )
    days = max(n_days, config.clock.horizon_days)
    clock = replace(config.clock, horizon_days=days)
    world = World(replace(config, clock=clock), n_users, seed, scheme=_ALL)
    joins = _Joins({name: _joiner(scheme) for name, scheme in _SCHEMES.items()})
    loop = _loop(world, joins, seed=seed)
    truth: list[Float] = []
    for _ in range(n_days):
        step = loop.turn()
        if step is None:
            break
        truth.append(_truth_of_sends(world, step.decisions))
        advance()
    last_ms = world.now_ms + max(joiner.horizon_ms for joiner in joins.of.values())
    reach_ms = max(c.window_ms for s in _SCHEMES.values() for c in s.components)
    while world.now_ms < last_ms + reach_ms:  # silence, until every window is over
        world.rest()
        joins.receive(world.arrived())
    of_sends = np.concatenate(truth)
    rows = [_row(name, joins, of_sends, now_ms=world.now_ms) for name in _SCHEMES]
    return pa.Table.from_pylist(rows)


def scheme_lines(table: pa.Table) -> list[str]:
    """The table as text, a line a scheme."""
    head = f"{'a send less a hold, under':<34}{'difference':>12}{'95 % interval':>20}{'truth':>10}"
    return [
        head,
        *(
            f"{row['scheme']:<34}{row['difference']:>12.4f}"
            f"{'[{:.4f}, {:.4f}]'.format(row['low'], row['high']):>20}{row['truth']:>10.4f}"
            for row in table.to_pylist()
        ),
    ]


class _Joins:
    """Joiners of several schemes that hear the same; the loop sees the first."""

    def __init__(self, of: Mapping[str, Joiner]) -> None:
        self.of = of
        self.scheme = next(iter(of.values())).scheme

    def add(self, decisions: Decisions) -> None:
        """Open decisions in every joiner."""
        for joiner in self.of.values():
            joiner.add(decisions)

    def receive(self, outcomes: Outcomes) -> None:
        """Tell every joiner."""
        for joiner in self.of.values():
            joiner.receive(outcomes)

    def advance(self, now_ms: int) -> tuple[Feedback, Feedback]:
        """Nothing is learned on the way: the coin does not learn."""
        return self.of[UPLIFT.name].advance(0)


def _joiner(scheme: RewardScheme) -> Joiner:
    return Joiner(scheme, emission=Emission.WHEN_FINAL)


def _loop(world: World, joins: _Joins, *, seed: int) -> Loop:
    shape = PolicyShape(
        n_context=len(CONTEXT_NAMES),
        n_item_features=len(ITEM_NAMES),
        n_slot_features=len(SLOT_NAMES),
        n_users=len(world.users),
        n_items=world.config.items.n_items,
        n_slots=len(world.population.offsets_h),
    )
    return Loop(
        world=world,
        policy=build("random", shape, scheme=UPLIFT),
        candidates=Slates(world=world),
        guard=WorldGuard(world),
        join=joins,
        floor=COIN,
        key=key_of("two schemes", seed),
        learns=False,
    )


def _truth_of_sends(world: World, decisions: Decisions) -> Float:
    """True uplift of what was sent, in the components of ``_ALL``, (M, R)."""
    _, uplift = world.expected_of(decisions.planned)
    return np.asarray(uplift[decisions.is_send])


def _row(name: str, joins: _Joins, truth: Float, *, now_ms: int) -> dict[str, object]:
    feedback, _ = joins.of[name].advance(now_ms)
    reward = _SCHEMES[name].reward(feedback.components)
    could = (feedback.p_send > 0) & (feedback.p_send < 1)
    reward, is_send, p_send = reward[could], feedback.is_send[could], feedback.p_send[could]
    weight = np.where(is_send, 1.0 / p_send, -1.0 / (1.0 - p_send))
    # The weights have mean 0, so what is taken off all rewards alike only narrows the interval.
    terms = weight * (reward - reward.mean())
    low, high = clustered(terms, feedback.user[could])
    weight_of = {c.name: c.weight for c in _SCHEMES[name].components}
    weights = np.array([weight_of.get(c.name, 0.0) for c in _ALL.components])
    return {
        "scheme": name,
        "difference": float(terms.mean()),
        "low": float(low),
        "high": float(high),
        "truth": float(truth.mean(axis=0) @ weights),
        "n_decisions": int(could.sum()),
        "n_users": len(np.unique(feedback.user[could])),
    }
