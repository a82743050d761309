"""One peer, measured by the interpreter that has it.

``python policy_speed_peers.py NAME SEED REPEATS``, called by ``experiments.policy_speed``. Nothing
of this project is imported, and of others numpy and the peer. A context of 64 features and 100 arms
enter; the last line printed is JSON: decisions a second by one and by 256, and rows learned a
second, one by one.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np

_ARMS, _D, _LEARNED = 100, 64, 2000

Way = tuple[str, Callable[[Any], object], Callable[[int], object]]


def measure() -> None:
    """Measure every way of the named peer."""
    name, seed, repeats = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(_LEARNED, _D)) / 8
    a, r = rng.integers(0, _ARMS, _LEARNED), (rng.random(_LEARNED) < 0.05).astype(float)
    found = []
    for what, predict, learn in _WAYS[name](x, a, r, seed):
        speeds = [_speed(partial(predict, x[:n]), n, repeats) for n in (1, 256)]
        speeds.append(_speed(partial(learn, 7), 1, repeats))
        keys = ("batch 1 a second", "batch 256 a second", "one row learned, a second")
        found.append({"what": what} | dict(zip(keys, speeds, strict=True)))
    print(json.dumps(found))


def _speed(work: Callable[[], object], n: int, repeats: int) -> float:
    """Rows a second of processor time, of the fastest repeat."""
    work()
    started = time.process_time()
    work()
    calls = max(1, int(0.02 / max(time.process_time() - started, 1e-9)))
    taken = []
    for _ in range(repeats):
        started = time.process_time()
        for _ in range(calls):
            work()
        taken.append(time.process_time() - started)
    return n * calls / min(taken)


def _mabwiser(x: Any, a: Any, r: Any, seed: int) -> Iterator[Way]:
    mab = import_module("mabwiser.mab")
    for what, policy in (
        ("LinTS, disjoint", mab.LearningPolicy.LinTS(alpha=1.0)),
        ("LinUCB, disjoint", mab.LearningPolicy.LinUCB(alpha=1.0)),
    ):
        one = mab.MAB(list(range(_ARMS)), policy, seed=seed)
        one.fit(a, r, x)
        yield (
            what,
            one.predict,
            partial(_fit_one, one.partial_fit, (a, r, x)),
        )


def _fit_one(fit: Callable[..., object], columns: tuple[Any, ...], n: int) -> None:
    fit(*(column[n : n + 1] for column in columns))


def _update_one(agent: Any, columns: tuple[Any, Any, Any], n: int) -> None:
    x, a, r = columns
    agent.select_for_update(int(a[n])).update(x[n : n + 1], r[n : n + 1])


def _bayesianbandits(x: Any, a: Any, r: Any, seed: int) -> Iterator[Way]:
    bb = import_module("bayesianbandits")
    items = np.random.default_rng(seed).normal(size=(_ARMS, 32)) / 6

    def crossed(contexts: Any, tokens: Any) -> Any:
        """(n, 96, arms): context beside item features."""
        n = len(contexts)
        shared = np.broadcast_to(contexts[:, :, None], (n, _D, len(tokens)))
        own = np.broadcast_to(items[np.asarray(tokens)].T[None], (n, 32, len(tokens)))
        return np.concatenate([shared, own], axis=1)

    shared = bb.LipschitzContextualAgent(
        [bb.Arm(k) for k in range(_ARMS)],
        bb.ThompsonSampling(),
        bb.FunctionArmFeaturizer(crossed),
        bb.NormalRegressor(alpha=1.0, beta=1.0),
        random_seed=seed,
    )
    apart = bb.ContextualAgent(
        [bb.Arm(k, learner=bb.NormalRegressor(alpha=1.0, beta=1.0)) for k in range(_ARMS)],
        bb.ThompsonSampling(),
        random_seed=seed,
    )
    for what, agent in (
        ("Thompson, shared (no context turns it)", shared),
        ("Thompson, disjoint", apart),
    ):
        for n in range(0, 400):
            agent.select_for_update(int(a[n])).update(x[n : n + 1], r[n : n + 1])
        yield (
            what,
            agent.pull,
            partial(_update_one, agent, (x, a, r)),
        )


def _contextualbandits(x: Any, a: Any, r: Any, seed: int) -> Iterator[Way]:
    online = import_module("contextualbandits.online")
    for what, kind in (("LinTS, disjoint", online.LinTS), ("LinUCB, disjoint", online.LinUCB)):
        one = kind(_ARMS, random_state=seed)
        one.fit(x, a, r)
        yield (
            what,
            one.predict,
            partial(_fit_one, one.partial_fit, (x, a, r)),
        )


def _river(x: Any, a: Any, r: Any, seed: int) -> Iterator[Way]:
    bandit = import_module("river.bandit")
    one = bandit.LinUCBDisjoint(seed=seed)
    arms = list(range(_ARMS))
    told = [dict(enumerate(row.tolist())) for row in x[:400]]
    for n in range(400):
        one.update(int(a[n]), told[n], float(r[n]))

    def pull(rows: Any) -> None:
        for n in range(len(rows)):
            one.pull(arms, context=told[n])

    yield "LinUCB, disjoint", pull, lambda n: one.update(int(a[n]), told[n], float(r[n]))


def _vowpalwabbit(x: Any, a: Any, r: Any, seed: int) -> Iterator[Way]:
    vw = import_module("vowpalwabbit")
    items = np.random.default_rng(seed).normal(size=(_ARMS, 32)) / 6
    work = vw.Workspace(
        f"--cb_explore_adf --cb_type mtr --epsilon 0.05 -q ci --quiet --random_seed {seed}"
    )
    listed = [f"|i {_words(item)}" for item in items]

    def lines(row: Any, label: str = "", at: int = -1) -> list[str]:
        named = [f"{label if k == at else ''}{one}" for k, one in enumerate(listed)]
        return [f"shared |c {_words(row)}", *named]

    def learn(n: int) -> None:
        work.learn(lines(x[n], f"0:{-r[n]}:0.01 ", int(a[n])))

    for n in range(200):
        learn(n)
    yield "ε-greedy, text", lambda rows: [work.predict(lines(row)) for row in rows], learn
    made = [work.parse(lines(row), vw.LabelType.CONTEXTUAL_BANDIT) for row in x[:256]]
    yield (
        "ε-greedy, examples made before",
        lambda rows: [work.predict(made[n]) for n in range(len(rows))],
        learn,
    )


def _words(values: Any) -> str:
    return " ".join(f"{i}:{value:.6g}" for i, value in enumerate(values.tolist()))


_WAYS: dict[str, Callable[[Any, Any, Any, int], Iterator[Way]]] = {
    "mabwiser": _mabwiser,
    "bayesianbandits": _bayesianbandits,
    "contextualbandits": _contextualbandits,
    "river": _river,
    "vowpalwabbit": _vowpalwabbit,
}

if __name__ == "__main__":
    measure()
