"""One policy through one gauntlet: decide, see clicks, learn, and be scored in true rates.

A task and a policy enter; the mean true rate of what the floored pmf chooses leaves, in the second
half, beside the rates of a random choice and of the best. Decisions are drawn by
:mod:`bandit.decide`, as everywhere.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from bandit.actions import item_position, slot_position
from bandit.decide import Decisions, Stamp, decide
from bandit.draws import key_of
from bandit.floor import Floor
from bandit.outcomes import Feedback
from bandit.protocols import Policy
from experiments.gauntlet_tasks import CLICKS, Batch, Task
from policies.registry import build
from policies.shape import PolicyShape

__all__ = ["Score", "policy_for", "run", "turns"]

_FLOOR = Floor(hold=0.0, send=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Mean true rates of the second half."""

    policy: float
    random: float
    best: float

    @property
    def share(self) -> float:
        """Share of the way from random to best."""
        return (self.policy - self.random) / (self.best - self.random)


def policy_for(name: str, shape: PolicyShape) -> Policy:
    """A policy by its id, with its own defaults, or one of ``gauntlet_peers.toml`` by its name.

    Peers are told more than their defaults: Vowpal Wabbit crosses context, item and slot, as its
    tutorial does (``-q UA``); without crosses it could not rank by context at all.
    """
    peer = _peers().get(name, {"policy": name})
    options = {key: value for key, value in peer.items() if key != "policy"}
    return build(peer["policy"], shape, scheme=CLICKS, options=options)


@cache
def _peers() -> dict[str, dict[str, Any]]:
    return tomllib.loads(Path(__file__).with_name("gauntlet_peers.toml").read_text())


def run(task: Task, policy: Policy, *, seed: int) -> Score:
    """Put a policy through a task; it learns after every batch.

    Parameters
    ----------
    task : Task
        Decisions and their true rates.
    policy : Policy
        With nothing learned.
    seed : int
        Of the policy's draws and of the actions drawn from its pmf.
    """
    totals, n_scored = np.zeros(3), 0
    for first, batch, decisions in turns(task.batches(), policy, seed=seed, floor=_FLOOR):
        if 2 * first >= task.n_decisions:
            sends = batch.rates[:, 1:]
            chosen = float((decisions.pmf * batch.rates).sum())
            totals += chosen, float(sends.mean(axis=1).sum()), float(sends.max(axis=1).sum())
            n_scored += decisions.n_rows
    means = totals / n_scored
    return Score(policy=float(means[0]), random=float(means[1]), best=float(means[2]))


def turns(
    batches: Iterable[Batch], policy: Policy, *, seed: int, floor: Floor
) -> Iterator[tuple[int, Batch, Decisions]]:
    """Decide batch by batch, and learn the clicks of each before the next.

    Yields the number of decisions made before, the batch, and its decisions.
    """
    first = 0
    for batch in batches:
        stamp = Stamp(policy=policy.policy_id, scheme=CLICKS.name, state_seq=first, floor=floor)
        pmf = policy.pmf(batch.request, key_of(policy.policy_id, seed, first))
        ids = first + np.arange(batch.request.n_rows, dtype=np.int64)
        decisions = decide(pmf, batch.request, key=seed, stamp=stamp, decision_id=ids)
        yield first, batch, decisions
        policy.update(_feedback(batch, decisions))
        first += decisions.n_rows


def _feedback(batch: Batch, decisions: Decisions) -> Feedback:
    """Clicks of a batch, final at once."""
    request, action, n = batch.request, decisions.planned, decisions.n_rows
    row = np.arange(n)
    item = item_position(action, n_slots=request.n_slots)
    slot = slot_position(action, n_slots=request.n_slots)
    clicked = batch.uniform < batch.rates[row, action]
    return Feedback(
        decision_id=decisions.decision_id,
        user=request.user,
        at_ms=request.at_ms,
        is_send=np.ones(n, np.bool_),
        item=request.items[row, item],
        slot=slot,
        propensity=decisions.propensity,
        p_send=decisions.p_send,
        context=request.context,
        item_features=request.item_features[row, item],
        slot_features=request.slot_features[row, slot],
        components=clicked[:, None].astype(np.float64),
        maturity=np.ones((n, 1)),
        scheme=CLICKS,
    )
