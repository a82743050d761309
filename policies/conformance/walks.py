"""Laws of a policy at work in a small world: repeatable, idle days, and something is learned.

A case enters each; the reason leaves if the policy declares that it cannot, ``None`` if it obeys.
What is learned is held against perfect knowledge and uniform choice under the same floor.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bandit.floor import Floor, apply_floor
from bandit.join import Emission, Joiner
from bandit.loop import Loop, Step
from bandit.protocols import Policy
from bandit.slots import HOUR_MS
from policies.conformance.case import Case, expect
from policies.conformance.world import HITS, StateWorld, identity_world, tiny_world

__all__ = ["LAWS", "loop_of", "walk"]

Array = NDArray[np.float64]
_LAST = 10  # days that are judged


def loop_of(world: StateWorld, policy: Policy, *, seed: int = 1) -> Loop:
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


def walk(world: StateWorld, policy: Policy, *, seed: int = 1) -> Iterator[tuple[Step, float]]:
    """Turn the one loop, and say what each step's pmf was truly worth above silence."""
    loop = loop_of(world, policy, seed=seed)
    while world.day < world.n_days:
        worth = HITS.reward(world.expected()[1])  # (N, A), before the day passes
        step = loop.turn()
        expect(step is not None, "expected the loop to decide every day of the world")
        if step is not None:
            yield step, float((step.decisions.pmf * worth).sum()) / max(world.n_users, 1)


def the_same_seed_gives_the_same_log(case: Case) -> None:
    """Two fresh worlds and policies: the same plans, propensities and pmfs, in bytes."""
    logs = []
    for seed in (5, 5, 6):
        world = tiny_world(n_days=6)
        log = b""
        for step, _ in walk(world, case.fresh(world.shape), seed=seed):
            decided = step.decisions
            log += decided.planned.tobytes() + decided.pmf.tobytes() + decided.propensity.tobytes()
        logs.append(log)
    expect(logs[0] == logs[1], "expected the same log, in bytes, from the same seed")
    expect(logs[0] != logs[2], "expected another seed to draw another log")


def days_on_which_nobody_is_observed_pass(case: Case) -> None:
    """No rows are asked for and none are learned."""
    world = tiny_world(n_users=0, n_days=3)
    shape = replace(world.shape, n_users=1)
    decided = [step.decisions.n_rows for step, _ in walk(world, case.fresh(shape))]
    expect(decided == [0, 0, 0], f"expected three days without decisions, got {decided}")


def it_learns_the_item_that_the_context_names(case: Case) -> str | None:
    """Four fifths of what perfect knowledge gains under the same floor, in the last ten days."""
    world = identity_world()
    value = _late_value(world, case.fresh(world.shape))
    perfect, _ = _yardsticks(world)
    return case.obeys(
        "learns_identity",
        is_met=value >= 0.8 * perfect,
        words=f"expected {0.8 * perfect:.4f} a decision or more in the last ten of sixty days, "
        f"where the context names the best item, got {value:.4f}",
    )


def it_beats_uniform_on_tiny(case: Case) -> str | None:
    """At least half of the way from uniform to perfect under the same floor, in the last days."""
    world = tiny_world()
    value = _late_value(world, case.fresh(world.shape))
    perfect, uniform = _yardsticks(world)
    wanted = uniform + 0.5 * (perfect - uniform)
    return case.obeys(
        "beats_uniform_on_tiny",
        is_met=value >= wanted,
        words=f"expected {wanted:.4f} a decision or more in the last ten of sixty days, where "
        f"uniform gets {uniform:.4f} and the best {perfect:.4f}, got {value:.4f}",
    )


def _late_value(world: StateWorld, policy: Policy) -> float:
    """True value a decision of the last ten days."""
    return float(np.mean([value for _, value in walk(world, policy)][-_LAST:]))


def _yardsticks(world: StateWorld) -> tuple[float, float]:
    """True value a decision of perfect knowledge and of uniform choice in the last ten days."""
    values = []
    for day in range(world.n_days - _LAST, world.n_days):
        worth = HITS.reward(replace(world, day=day).expected()[1])  # (N, A)
        best = np.eye(worth.shape[1])[worth.argmax(axis=1)]
        values.append([_floored_value(pmf, worth, world) for pmf in (best, _uniform(worth))])
    perfect, uniform = np.mean(values, axis=0)
    return float(perfect), float(uniform)


def _floored_value(pmf: Array, worth: Array, world: StateWorld) -> float:
    mask = np.ones(worth.shape, np.bool_)
    drawn_from = apply_floor(pmf, mask, n_slots=world.uplift.shape[2], floor=Floor())
    return float((drawn_from * worth).sum()) / len(worth)


def _uniform(worth: Array) -> Array:
    return np.full(worth.shape, 1.0 / worth.shape[1])


LAWS = (
    the_same_seed_gives_the_same_log,
    days_on_which_nobody_is_observed_pass,
    it_learns_the_item_that_the_context_names,
    it_beats_uniform_on_tiny,
)
