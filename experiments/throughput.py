"""How long each stage of one loop turn takes: ``python -m experiments.throughput``.

A made-up request of the main job's shape enters (60 items, 6 windows); milliseconds a batch and
decisions a second leave, each beside the floor and draw that every decision pays in the same
run, because machines are shared and only ratios carry over.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bandit.actions import ItemSet, Observation, Request, assemble
from bandit.decide import Decisions, Stamp, decide, decision_ids
from bandit.draws import Stream, generator
from bandit.floor import Floor
from bandit.join import Joiner
from bandit.log import LogWriter, read_log
from bandit.outcomes import UPLIFT, Kind, outcomes_of
from bandit.slots import DAY_MS, full_hours
from experiments.record import RESULTS, record
from policies.registry import build, policies
from policies.shape import PolicyShape

__all__ = ["main", "measure"]

N_ITEMS, N_SLOTS, N_ITEM_FEATURES, N_SLOT_FEATURES = 60, 6, 5, 5
_START_MS = 1_767_225_600_000


def measure(*, n_rows: int, repeats: int, seed: int) -> list[dict[str, Any]]:
    """Time every policy's pmf, then decide, log, join and replay, on one made-up batch.

    Parameters
    ----------
    n_rows : int
        Users a batch.
    repeats : int
        Times each stage is timed; the fastest counts, since others' work only slows.
    seed : int
        Makes the batch.
    """
    request = _request(n_rows, seed)
    shape = _shape(n_rows)
    found = []
    for entry in policies():
        policy = build(entry.policy_id, shape, scheme=UPLIFT)
        work = partial(policy.pmf, request, seed)
        found.append((f"pmf: {entry.policy_id}", _fastest(work, repeats)))
    pmf = build("random", shape, scheme=UPLIFT).pmf(request, seed)
    every_decision = _fastest(partial(_decided, pmf, request, seed), repeats)
    found.append(("floor and draw", every_decision))
    found += _stored(_decided(pmf, request, seed), repeats)
    found += _joined(_decided(pmf, request, seed), repeats)
    return [
        {
            "rows": n_rows,
            "stage": stage,
            "ms a batch": milliseconds,
            "decisions a second": round(n_rows / milliseconds * 1000),
            "times floor and draw": milliseconds / every_decision,
        }
        for stage, milliseconds in found
    ]


def main() -> None:
    """Measure batches of one user and of the main job's 2,469."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS)
    chosen = parser.parse_args()
    rows = [
        row
        for n_rows in (1, 2469)
        for row in measure(n_rows=n_rows, repeats=chosen.repeats, seed=chosen.seed)
    ]
    settings = {"items": N_ITEMS, "slots": N_SLOTS, "repeats": chosen.repeats, "seed": chosen.seed}
    notes = ("Fastest of the repeats; made-up features; fresh policies.",)
    print(record("throughput", rows, settings=settings, notes=notes, folder=chosen.out).read_text())


def _stored(decisions: Decisions, repeats: int) -> Iterator[tuple[str, float]]:
    with tempfile.TemporaryDirectory() as folder:
        writer = LogWriter(Path(folder))
        yield "log, durable", _fastest(lambda: writer.append(decisions), repeats)
        n_files = len(list(Path(folder).glob("*.parquet")))
        yield "log, read back", _fastest(lambda: read_log(Path(folder)), repeats) / n_files


def _joined(decisions: Decisions, repeats: int) -> Iterator[tuple[str, float]]:
    at_ms = decisions.request.at_ms
    buyers = np.flatnonzero(np.arange(decisions.n_rows) % 5 == 0)
    bought = outcomes_of(Kind.CONVERTED, buyers, user=buyers, at_ms=at_ms[buyers] + 1)

    def turn() -> None:
        join = Joiner(UPLIFT)
        join.add(decisions)
        join.receive(bought)
        join.advance(_START_MS + DAY_MS)

    yield "join", _fastest(turn, repeats)


def _decided(pmf: np.ndarray, request: Request, seed: int) -> Decisions:
    stamp = Stamp(policy="random", state_seq=0, floor=Floor())
    ids = decision_ids(request.at_ms)
    return decide(pmf, request, key=seed, stamp=stamp, decision_id=ids)


def _request(n_rows: int, seed: int) -> Request:
    rng = generator(seed, stream=Stream.WORLD)
    at_ms = np.full(n_rows, _START_MS)
    observation = Observation(
        user=np.arange(n_rows),
        at_ms=at_ms,
        zone=np.full(n_rows, "UTC"),
        context=rng.normal(size=(n_rows, 16)),
        slot_features=rng.random((n_rows, N_SLOTS, N_SLOT_FEATURES)),
        grid=full_hours(at_ms, ["UTC"] * n_rows, n_slots=N_SLOTS),
    )
    items = ItemSet(
        items=np.tile(np.arange(N_ITEMS), (n_rows, 1)),
        features=rng.random((n_rows, N_ITEMS, N_ITEM_FEATURES)),
    )
    return assemble(observation, items)


def _shape(n_rows: int) -> PolicyShape:
    return PolicyShape(
        n_context=16,
        n_item_features=N_ITEM_FEATURES,
        n_slot_features=N_SLOT_FEATURES,
        n_users=n_rows,
        n_items=N_ITEMS,
        n_slots=N_SLOTS,
    )


def _fastest(work: Callable[[], object], repeats: int) -> float:
    """Milliseconds of the fastest of several calls, after one that warms caches."""
    work()
    taken = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return 1000 * min(taken)


if __name__ == "__main__":
    main()
