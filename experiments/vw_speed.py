"""Vowpal Wabbit three ways, and what each costs: ``python -m experiments.vw_speed``.

Made-up decisions enter (64 context features, 100 items of 32, one slot); decisions a second leave,
asked as text, by examples that are filled again, and as products over its table of weights.
Every item has features of its own in every decision, or the catalogue stays the same.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bandit.actions import ItemSet, Observation, Request, assemble
from bandit.outcomes import ENGAGEMENT, Feedback
from bandit.slots import full_hours
from experiments.record import RESULTS, record
from policies.shape import PolicyShape
from policies.vw.adf import VowpalWabbit
from policies.vw.explorations import EpsilonGreedy
from policies.vw.params import VWParams

__all__ = ["measure"]

_START_MS = 1_767_225_600_000


def measure(*, n_items: int, n_rows: int, repeats: int, seed: int) -> list[dict[str, Any]]:
    """Decisions a second of each way, and rows a second of learning.

    Parameters
    ----------
    n_items, n_rows : int
        Items of a decision, and decisions of a batch.
    repeats : int
        Times each is timed; the fastest counts, since others' work only slows.
    seed : int
        Makes the features.
    """
    shape = PolicyShape(
        n_context=64, n_item_features=32, n_slot_features=1, n_users=1, n_items=n_items, n_slots=1
    )
    policy = VowpalWabbit(
        shape, ENGAGEMENT, model=VWParams(interactions="ci"), explorer=EpsilonGreedy()
    )
    policy.update(_feedback(shape, 500, seed))
    fresh = _request(shape, n_rows, seed)
    same = replace(fresh, item_features=np.repeat(fresh.item_features[:1], n_rows, axis=0))
    ways: dict[str, Callable[[], object]] = {
        "text": lambda: _as_text(policy, fresh),
        "examples filled again": lambda: policy.asked(fresh),
        "examples, the same catalogue": lambda: policy.asked(same),
        "products, a batch": lambda: policy.pmf(fresh, 0),
    }
    rows = [
        {"what": f"pmf: {way}", "a second": n_rows / _fastest(work, repeats)}
        for way, work in ways.items()
    ]
    batches = iter([_feedback(shape, n_rows, seed, first_id=10_000 * n) for n in range(1, 99)])
    taken = _fastest(lambda: policy.update(next(batches)), repeats)
    return [*rows, {"what": "learn", "a second": n_rows / taken}]


def _as_text(policy: VowpalWabbit, request: Request) -> None:
    with policy.workspaces.reading() as learner:
        for context, items in zip(request.context, request.item_features, strict=True):
            sends = [f"{_words('i', item)} |s 0:1" for item in items]
            learner.workspace.predict([f"shared {_words('c', context)}", "|h 0:1", *sends])


def _words(name: str, values: np.ndarray) -> str:
    return f"|{name} " + " ".join(f"{i}:{value:.6g}" for i, value in enumerate(values.tolist()))


def _request(shape: PolicyShape, n_rows: int, seed: int) -> Request:
    rng = np.random.default_rng(seed)
    at_ms = np.full(n_rows, _START_MS)
    zones = np.full(n_rows, "UTC")
    observation = Observation(
        user=np.zeros(n_rows, np.int64),
        at_ms=at_ms,
        zone=zones,
        context=rng.normal(size=(n_rows, shape.n_context)),
        slot_features=np.ones((n_rows, 1, 1)),
        grid=full_hours(at_ms, zones.tolist(), n_slots=1),
    )
    items = ItemSet(
        items=np.tile(np.arange(shape.n_items), (n_rows, 1)),
        features=rng.normal(size=(n_rows, shape.n_items, shape.n_item_features)),
    )
    return assemble(observation, items)


def _feedback(shape: PolicyShape, n_rows: int, seed: int, *, first_id: int = 0) -> Feedback:
    rng = np.random.default_rng([seed, first_id])
    zeros, ones = np.zeros(n_rows, np.int64), np.ones((n_rows, len(ENGAGEMENT)))
    return Feedback(
        decision_id=first_id + np.arange(n_rows),
        user=zeros,
        at_ms=zeros + _START_MS,
        is_send=zeros == 0,
        item=zeros,
        slot=zeros,
        propensity=np.full(n_rows, 0.1),
        p_send=np.ones(n_rows),
        context=rng.normal(size=(n_rows, shape.n_context)),
        item_features=rng.normal(size=(n_rows, shape.n_item_features)),
        slot_features=np.ones((n_rows, 1)),
        components=ones * (rng.random((n_rows, 1)) < 0.05),
        maturity=ones,
        scheme=ENGAGEMENT,
    )


def _fastest(work: Callable[[], object], repeats: int) -> float:
    taken = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return min(taken)


def main() -> None:
    """Measure batches of 256 decisions over 100 items."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=100)
    parser.add_argument("--rows", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS)
    chosen = parser.parse_args()
    settings = {"items": chosen.items, "rows": chosen.rows, "repeats": chosen.repeats}
    rows = measure(
        n_items=chosen.items, n_rows=chosen.rows, repeats=chosen.repeats, seed=chosen.seed
    )
    notes = (
        "Fastest of the repeats, on a machine shared with other work: ratios carry over.",
        "Made-up features, 64 of context and 32 an item, all pairs of them.",
    )
    settings |= {"seed": chosen.seed}
    print(record("vw_speed", rows, settings=settings, notes=notes, folder=chosen.out).read_text())


if __name__ == "__main__":
    main()
