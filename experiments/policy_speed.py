"""What a decision and a row learned cost: ``python -m experiments.policy_speed``.

Made-up decisions enter: a context of 64 features, 100 items of 32 each, one slot or 24; decisions
a second leave, of a pmf alone and with floor and draw (``bandit.decide``), by batches of 256 and
one by one, and rows a second of learning. How far 64 draws are from 100,000 is told as well. Peers
are measured in the same run by interpreters of their own (``--peer NAME=PYTHON``), never imported.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit.decide import Stamp, decide, decision_ids
from bandit.errors import BadInputError
from bandit.floor import Floor
from bandit.outcomes import Feedback
from experiments.policy_speed_task import CLICKS, Task
from experiments.record import RESULTS, half_width, record
from policies.explored import Explored
from policies.explorers.thompson import Thompson
from policies.registry import build

__all__ = ["apart", "bare", "learning", "main", "peers", "speeds", "taught", "turns"]

Array = NDArray[np.float64]

DRAWN: Mapping[str, Any] = {"explorer": {"n_draws": 64}}
POLICIES: Mapping[str, Mapping[str, Any]] = {
    "hybrid_ts": DRAWN,
    "hybrid_lints": DRAWN,
    "disjoint_lints": DRAWN,
    "diagonal_ts": DRAWN,
    "diagonal_ucb": {},
    "hybrid_squarecb": {},
    "disjoint_linucb": {},
    "disjoint_igw": {},
    "lints": DRAWN,
    "linucb": {},
    "squarecb": {},
    "fastcb": {},
}
_DRAWS_AT_ONCE = 64  # measured: tables of coefficients that stay in the cache
_LEAST_S = 0.02  # what one repeat takes at least, so that a clock can tell
_PEERS = Path(__file__).with_name("policy_speed_peers.py")
_STAMP = Stamp(policy="timed", state_seq=0, floor=Floor())


def taught(policy_id: str, task: Task, *, n_rows: int, seed: int) -> Explored:
    """A policy after some rows, learned in batches of 500."""
    policy = build(policy_id, task.shape, scheme=CLICKS, options=POLICIES[policy_id])
    if not isinstance(policy, Explored):
        raise BadInputError(f"expected a model with an explorer, got {policy_id!r}")
    feedback = task.feedback(n_rows, seed)
    for start in range(0, n_rows, 500):
        policy.update(_rows(feedback, slice(start, start + 500)))
    return policy


def turns(policy: Explored, task: Task, seed: int) -> bool:
    """Whether contexts have different best items, out of the same list and at the same slots."""
    asked = task.request(64, seed, is_shared=True)
    asked.slot_features[:] = asked.slot_features[0]
    best = policy.model.values(asked)[:, 1:].argmax(axis=1)
    return len(np.unique(best)) > 1


def speeds(
    policy: Explored, task: Task, *, batch: int, repeats: int, seed: int, is_shared: bool
) -> dict[str, Any]:
    """Decisions a second: the pmf alone, and with floor, draw and propensities."""
    asked = task.request(batch, seed, is_shared=is_shared)
    key = seed

    def decided() -> None:
        ids = decision_ids(asked.at_ms)
        decide(policy.pmf(asked, key), asked, key=key, stamp=_STAMP, decision_id=ids)

    alone, whole = (
        _timed(work, batch, repeats) for work in (lambda: policy.pmf(asked, key), decided)
    )
    return {
        "pmf, a second": alone.fastest,
        "slowest repeat": alone.slowest,
        "with decide, a second": whole.fastest,
        "pmf, on the wall": alone.on_the_wall,
        "with decide, on the wall": whole.on_the_wall,
    }


def bare(task: Task, *, batch: int, repeats: int, seed: int, n_draws: int) -> dict[str, Any]:
    """The product u = cᵀWx in single precision and an argmax, nothing checked: what is least."""
    rng = np.random.default_rng(seed)
    context = rng.normal(size=(batch, task.n_context)).astype(np.float32)
    items = rng.normal(size=(batch, task.n_items, task.n_item_features)).astype(np.float32)
    table = rng.normal(size=(task.n_context, n_draws * task.n_item_features)).astype(np.float32)

    def work() -> None:
        worth = (context @ table).reshape(batch, n_draws, task.n_item_features)
        (worth @ items.transpose(0, 2, 1)).argmax(axis=2)

    timed = _timed(work, batch, repeats)
    return {
        "pmf, a second": timed.fastest,
        "slowest repeat": timed.slowest,
        "with decide, a second": "",
        "pmf, on the wall": timed.on_the_wall,
        "with decide, on the wall": "",
    }


def apart(
    policy: Explored, task: Task, *, few: Sequence[int], many: int, n_rows: int, seed: int
) -> dict[int, Array]:
    """|pmf of each row's top action by few draws, less its share of many|, (N,) each."""
    asked = task.request(n_rows, seed + 1)
    explorer = policy.explorer
    if not isinstance(explorer, Thompson):
        raise BadInputError(f"expected Thompson sampling, got {explorer}")
    times = max(1, many // _DRAWS_AT_ONCE)
    share = np.zeros((n_rows, asked.n_actions))
    for key in range(times):
        share += _with_draws(policy, _DRAWS_AT_ONCE).pmf(asked, 10_000 + key)
    share /= times
    found = {}
    for n_draws in few:
        pmf = _with_draws(policy, n_draws).pmf(asked, seed)
        rows, top = np.arange(n_rows), pmf.argmax(axis=1)
        found[n_draws] = np.abs(pmf[rows, top] - share[rows, top])
    return found


def _with_draws(policy: Explored, n_draws: int) -> Explored:
    """The same belief, asked with another number of draws."""
    return Explored(policy.model, replace(policy.explorer, n_draws=n_draws))  # type: ignore[type-var]


def learning(
    policy_id: str, task: Task, *, batch: int, n_rows: int, repeats: int, seed: int
) -> dict[str, Any]:
    """Rows a second through ``policy.update``; making :class:`Feedback` is the caller's."""
    feedback = task.feedback(n_rows, seed)
    parts = [_rows(feedback, rows) for rows in _slices(n_rows, batch)]
    policy = build(policy_id, task.shape, scheme=CLICKS)

    def work() -> None:
        for part in parts:
            policy.update(part)

    timed = _timed(work, n_rows, repeats)
    return {
        "rows a second": timed.fastest,
        "slowest repeat": timed.slowest,
        "on the wall": timed.on_the_wall,
    }


def least_learning(d: int, *, batch: int, repeats: int, seed: int) -> dict[str, Any]:
    """Sums of outer products of d features, nothing checked: rank-one, or one product a batch."""
    rng = np.random.default_rng(seed)
    features, total, outer = rng.normal(size=(batch, d)), np.zeros((d, d)), np.empty((d, d))

    def work() -> None:
        if batch > 1:
            np.add(total, features.T @ features, out=total)
        else:
            np.add(total, np.multiply.outer(features[0], features[0], out=outer), out=total)

    timed = _timed(work, batch, repeats)
    return {
        "rows a second": timed.fastest,
        "slowest repeat": timed.slowest,
        "on the wall": timed.on_the_wall,
    }


def peers(interpreters: Mapping[str, str], *, seed: int, repeats: int) -> list[dict[str, Any]]:
    """Peers by interpreters that have them, one thread each; *not run* where none is given."""
    rows = []
    for name in ("mabwiser", "bayesianbandits", "contextualbandits", "river", "vowpalwabbit"):
        if name not in interpreters:
            rows.append({"peer": name, "what": "not run", **dict.fromkeys(_PEER_SPEEDS, "")})
            continue
        command = [interpreters[name], str(_PEERS), name, str(seed), str(repeats)]
        done = subprocess.run(  # noqa: S603
            command, capture_output=True, text=True, check=True, env=_ONE_THREAD
        )
        rows += [{"peer": name, **row} for row in json.loads(done.stdout.splitlines()[-1])]
    return rows


_PEER_SPEEDS = ("batch 1 a second", "batch 256 a second", "one row learned, a second")
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


@dataclass(frozen=True, slots=True)
class _Speed:
    """Rows a second of processor time, and of the wall's."""

    fastest: float
    slowest: float
    on_the_wall: float


def _timed(work: Callable[[], object], n_rows: int, repeats: int) -> _Speed:
    """Speed of some work, after one call that warms caches."""
    work()
    started = time.perf_counter()
    work()
    calls = max(1, int(_LEAST_S / max(time.perf_counter() - started, 1e-9)))
    wall, processor = [], []
    for _ in range(repeats):
        began, spent = time.perf_counter(), time.process_time()
        for _ in range(calls):
            work()
        processor.append(time.process_time() - spent)
        wall.append(time.perf_counter() - began)
    rows = float(n_rows * calls)
    return _Speed(rows / min(processor), rows / max(processor), rows / min(wall))


def _rows(feedback: Feedback, rows: slice) -> Feedback:
    names = [name for name in Feedback.__slots__ if name != "scheme"]
    return replace(feedback, **{name: getattr(feedback, name)[rows] for name in names})


def _slices(n_rows: int, step: int) -> list[slice]:
    return [slice(start, min(start + step, n_rows)) for start in range(0, n_rows, step)]


def _decisions(n_learned: int, repeats: int, seed: int) -> list[dict[str, Any]]:
    """Every policy at one slot, features fresh and shared; samplers at 24 slots as well."""
    rows = []
    for n_slots in (1, 24):
        task = Task(n_slots=n_slots)
        for policy_id in POLICIES:
            policy = taught(policy_id, task, n_rows=n_learned, seed=seed)
            does_turn = turns(policy, task, seed)
            for is_shared in (False, True) if n_slots == 1 else (False,):
                for batch in (1, 256) if n_slots == 1 else (1, 64):
                    found = speeds(
                        policy,
                        task,
                        batch=batch,
                        repeats=repeats,
                        seed=seed,
                        is_shared=is_shared,
                    )
                    rows.append(
                        {
                            "policy": policy_id,
                            "actions": task.n_items * n_slots,
                            "item features": "shared" if is_shared else "fresh",
                            "context turns the ranking": does_turn,
                            "batch": batch,
                            **found,
                        }
                    )
    for n_draws in (1, 64):
        for batch in (1, 256):
            found = bare(Task(), batch=batch, repeats=repeats, seed=seed, n_draws=n_draws)
            rows.append(
                {
                    "policy": f"bare product and argmax, {n_draws} draws",
                    "actions": 100,
                    "item features": "fresh",
                    "context turns the ranking": True,
                    "batch": batch,
                    **found,
                }
            )
    return rows


def _updates(repeats: int, seed: int) -> list[dict[str, Any]]:
    """Learning at d = 128 where a model is of that width, and what the others take."""
    wide = Task(n_context=95)  # φ = [1, c, item]: 128 features
    arms = Task(n_context=126)  # x = [1, c, slot]: 128 features an arm
    asked = (
        ("lints, d = 128", "lints", wide),
        ("disjoint_lints, d = 128 an arm", "disjoint_lints", arms),
        ("disjoint_lints, 64 of context", "disjoint_lints", Task()),
        ("diagonal_ts, 2,307 features", "diagonal_ts", Task()),
    )
    rows = []
    for batch, n_rows in ((1, 2_000), (256, 25_600)):
        for what, policy_id, task in asked:
            found = learning(
                policy_id, task, batch=batch, n_rows=n_rows, repeats=repeats, seed=seed
            )
            rows.append({"what": what, "batch": batch, **found})
        found = least_learning(128, batch=batch, repeats=repeats, seed=seed)
        rows.append({"what": "outer products alone, d = 128", "batch": batch, **found})
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure decisions, draws, learning and peers; write a table of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--learned", type=int, default=500, help="rows before the first decision")
    parser.add_argument("--rows", type=int, default=2_000, help="decisions for the error of draws")
    parser.add_argument("--draws", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON")
    parser.add_argument("--part", action="append", choices=list(_PARTS), help="all without it")
    parser.add_argument("--out", type=Path, default=RESULTS)
    chosen = parser.parse_args(arguments)
    for part in chosen.part or tuple(_PARTS):
        rows, settings, note = _PARTS[part](chosen)
        told = {"repeats": chosen.repeats, "seed": chosen.seed} | settings
        table = record(part, rows, settings=told, notes=(*note, _NOTE), folder=chosen.out)
        print(table.read_text())


_Part = tuple[list[dict[str, Any]], dict[str, Any], tuple[str, ...]]
_NOTE = (
    "One thread. A second is one of the processor, of the fastest repeat, where the wall is not "
    "named: the machine is shared with other work, which takes most of the wall's."
)


def _decided(chosen: argparse.Namespace) -> _Part:
    settings = {"context": 64, "items": 100, "item features": 32, "rows learned": chosen.learned}
    note = ("Made-up features. Policies whose ranking no context turns are here for comparison.",)
    return _decisions(chosen.learned, chosen.repeats, chosen.seed), settings, note


def _learned(chosen: argparse.Namespace) -> _Part:
    note = ("Through `policy.update`, validation included; feedback is made before.",)
    return _updates(chosen.repeats, chosen.seed), {}, note


def _compared(chosen: argparse.Namespace) -> _Part:
    interpreters = dict(one.split("=", 1) for one in chosen.peer)
    note = ("Most are disjoint models that read no item features; each draws or picks one action.",)
    found = peers(interpreters, seed=chosen.seed, repeats=chosen.repeats)
    return found, {"context": 64, "arms": 100}, note


def _drawn(chosen: argparse.Namespace) -> _Part:
    note = ("|pmf of a decision's top action by few draws, less its share of many|.",)
    found = _errors(chosen.learned, chosen.rows, chosen.draws, chosen.seed)
    return found, {"many draws": chosen.draws}, note


_PARTS: dict[str, Callable[[argparse.Namespace], _Part]] = {
    "policy_speed_updates": _learned,
    "policy_speed_peers": _compared,
    "policy_speed": _decided,
    "policy_speed_draws": _drawn,
}


def _errors(n_learned: int, n_rows: int, many: int, seed: int) -> list[dict[str, Any]]:
    """How exact few draws are, for the default and for a sampler of exact covariances."""
    rows = []
    for policy_id in ("hybrid_ts", "disjoint_lints"):
        policy = taught(policy_id, Task(), n_rows=n_learned, seed=seed)
        errors = apart(policy, Task(), few=(64, 128, 256), many=many, n_rows=n_rows, seed=seed)
        rows += [
            {
                "policy": policy_id,
                "draws": few,
                "rows learned": n_learned,
                "decisions": n_rows,
                "mean error": float(error.mean()),
                "95 %": half_width(error),
            }
            for few, error in errors.items()
        ]
    return rows


if __name__ == "__main__":
    main()
