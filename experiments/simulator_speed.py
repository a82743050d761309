"""How many decisions of one user a second: ``python -m experiments.simulator_speed``.

What is timed is what a user gets from ``gymnasium.make_vec``; beside it, in the same run, the
bare kernel of draw, gather, dot product and sigmoid that any such simulator must do, and the
slow way through ``SyncVectorEnv`` of the single env. Rates by process time, since machines are
shared; the target is beside each row, met or not.
"""

from __future__ import annotations

import argparse
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import gymnasium
import numpy as np

from bandit.draws import Stream, generator
from bandit.outcomes import UPLIFT
from experiments.record import RESULTS, record
from simulator.streams import Draw, life_keys, uniforms
from simulator.truth import mean_reward
from simulator.vector_env import PushVectorEnv
from simulator.worth import Worth

__all__ = ["bare_kernel", "main", "measure", "vector_env"]

HOURLY, DAILY = "simulator.register:PushHourly-v0", "simulator.register:PushDaily-v0"
RECSIM_STEPS = 3_800.0  # its random agent, the better of two runs on such a machine
_N_ITEMS, _D = 2000, 16
_NO_TARGET = {"target": "", "met": ""}
_N_SYNC = 64
_SHARED = {"clock": {"has_shared_slate": True}}


def vector_env(face: str, n_envs: int, **options: Any) -> gymnasium.vector.VectorEnv[Any, Any, Any]:
    """Make the env that is timed; ``options`` are its keyword arguments."""
    chosen: dict[str, Any] = {"preset": "ecommerce", "n_candidates": 20, "truth": False}
    chosen |= options
    return gymnasium.make_vec(
        face, num_envs=n_envs, vectorization_mode="vector_entry_point", **chosen
    )


def bare_kernel(n_envs: int, k: int) -> Callable[[], object]:
    """Draw, gather K items of 16 features, dot product and sigmoid for each user: the least."""
    rng = generator(1, stream=Stream.WORLD)
    features = rng.normal(size=(_N_ITEMS, _D)).astype(np.float32)
    taste = rng.normal(size=(n_envs, _D)).astype(np.float32)
    slates = rng.integers(0, _N_ITEMS, (4096, k)).astype(np.int32)
    keys, hour = life_keys(1, np.arange(n_envs)), np.zeros(n_envs, np.int64)

    def step() -> object:
        hour[:] += 1
        which = (uniforms(keys, hour, Draw.SLATE) * len(slates)).astype(np.int64)
        items = features.take(slates.take(which, axis=0), axis=0)
        chance = 1.0 / (1.0 + np.exp(-np.einsum("nd,nkd->nk", taste, items)))
        return chance > uniforms(keys, hour, Draw.RESPONSE)[:, None]

    return step


def measure(*, repeats: int, steps: int, sweeps: bool) -> list[dict[str, Any]]:
    """Time every face beside the bare kernel.

    Parameters
    ----------
    repeats : int
        Timings of each; the median counts.
    steps : int
        Steps of the hourly face in each timing; the daily one takes a tenth.
    sweeps : bool
        Whether to show how speed falls with K and N as well.
    """
    n, few = 4096, max(steps // 10, 2)
    bare = _rate(bare_kernel(n, 20), n, steps=steps, repeats=repeats)
    hourly = _env_rate(HOURLY, n, steps=steps, repeats=repeats)
    shared = _env_rate(HOURLY, n, steps=steps, repeats=repeats, changes=_SHARED)
    daily = _env_rate(DAILY, n, steps=few, repeats=repeats)
    means = _truth_rate(n, steps=few, repeats=repeats)
    told = _env_rate(DAILY, n, steps=max(few // 4, 2), repeats=repeats, truth=True)
    sync = _sync_rate(_N_SYNC, steps=max(steps // 4, 2), repeats=repeats)
    found: list[tuple[str, float, float | None]] = [
        ("bare kernel", bare, None),
        ("PushHourly", hourly, 500_000.0),
        ("PushHourly against the bare kernel", hourly, 0.5 * bare),
        ("PushHourly, shared slate", shared, 1_000_000.0),
        ("PushDaily, 24 slots", daily, 150_000.0),
        ("PushDaily, means of all 481 actions", means, 80_000.0),
        ("PushDaily, truth=True: means and outcomes", told, None),
        (f"SyncVectorEnv of {_N_SYNC} single envs", sync, None),
        ("PushHourly against SyncVectorEnv", hourly, 50.0 * sync),
        ("PushHourly against RecSim's random agent", hourly, 100.0 * RECSIM_STEPS),
    ]
    rows = [
        _row(what, n=n, k=20, rate=rate, bare=bare) | _against(rate, target)
        for what, rate, target in found
    ]
    if sweeps:
        rows += _sweeps(steps=steps, repeats=repeats)
    return rows


def memory_per_user(n_envs: int) -> float:
    """Bytes that one more user costs, by the difference of two sizes."""
    held = []
    for size in (n_envs, 2 * n_envs):
        tracemalloc.start()
        env = vector_env(HOURLY, size)
        env.reset(seed=1)
        _turn(env, 50, generator(1, stream=Stream.WORLD))()
        held.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
        env.close()
    return float(held[1] - held[0]) / n_envs


def main() -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--no-sweeps", action="store_true")
    parser.add_argument("--out", type=Path, default=RESULTS)
    chosen = parser.parse_args()
    rows = measure(repeats=chosen.repeats, steps=chosen.steps, sweeps=not chosen.no_sweeps)
    settings = {"repeats": chosen.repeats, "steps": chosen.steps, "seed": 1, "preset": "ecommerce"}
    notes = (
        "Median of the repeats, by process time on one core; a user-step is one decision of one "
        "user, drawn uniformly over all actions; caps and quiet hours suppress what they forbid.",
        f"Memory: {memory_per_user(20_000):.0f} bytes a user (target: 4,096 at most).",
        "RecSim's rate is its random agent's, 1,700 to 3,800 steps/s, measured on such a machine; "
        "it cannot be installed beside these versions.",
    )
    table = record("simulator_speed", rows, settings=settings, notes=notes, folder=chosen.out)
    print(table.read_text())


def _sweeps(*, steps: int, repeats: int) -> list[dict[str, Any]]:
    rows = []
    for k in (10, 20, 50, 100, 200, 500, 1000):
        few = max(steps * 20 // (20 + k), 3)
        bare = _rate(bare_kernel(4096, k), 4096, steps=few, repeats=3)
        rate = _env_rate(HOURLY, 4096, steps=few, repeats=3, n_candidates=k)
        rows.append(_row("PushHourly by K", n=4096, k=k, rate=rate, bare=bare) | _NO_TARGET)
    for n in (1, 10, 100, 1_000, 10_000, 100_000, 1_000_000):
        few = min(max(steps * 4096 // n, 2), 10 * steps)
        bare = _rate(bare_kernel(n, 20), n, steps=few, repeats=min(repeats, 3))
        rate = _env_rate(HOURLY, n, steps=few, repeats=min(repeats, 3))
        rows.append(_row("PushHourly by N", n=n, k=20, rate=rate, bare=bare) | _NO_TARGET)
    return rows


def _row(what: str, *, n: int, k: int, rate: float, bare: float) -> dict[str, Any]:
    return {
        "what": what,
        "N": n,
        "K": k,
        "user-steps a second": round(rate),
        "of the bare kernel": rate / bare,
    }


def _against(rate: float, target: float | None) -> dict[str, str]:
    if target is None:
        return _NO_TARGET
    return {"target": f"{round(target):,}", "met": "yes" if rate >= target else "no"}


def _env_rate(face: str, n: int, *, steps: int, repeats: int, **changes: Any) -> float:
    env = vector_env(face, n, **changes)
    env.reset(seed=1)
    rate = _rate(_turn(env, 1, generator(2, stream=Stream.WORLD)), n, steps=steps, repeats=repeats)
    env.close()
    return rate


def _truth_rate(n: int, *, steps: int, repeats: int) -> float:
    """The daily face with the mean of all 481 actions asked before each step."""
    env = cast(PushVectorEnv, vector_env(DAILY, n))
    env.reset(seed=1)
    turn = _turn(env, 1, generator(2, stream=Stream.WORLD))
    population, worth = env.lives.population, Worth(UPLIFT)

    def both() -> None:
        mean_reward(population, worth)
        turn()

    rate = _rate(both, n, steps=steps, repeats=repeats)
    env.close()
    return rate


def _sync_rate(n: int, *, steps: int, repeats: int) -> float:
    env = gymnasium.make_vec(
        HOURLY, num_envs=n, vectorization_mode="sync", preset="ecommerce", n_candidates=20
    )
    env.reset(seed=1)
    rate = _rate(_turn(env, 1, generator(2, stream=Stream.WORLD)), n, steps=steps, repeats=repeats)
    env.close()
    return rate


def _turn(
    env: gymnasium.vector.VectorEnv[Any, Any, Any], steps: int, rng: np.random.Generator
) -> Callable[[], None]:
    n_actions = int(cast(gymnasium.spaces.Discrete[Any], env.single_action_space).n)
    drawn = rng.integers(0, n_actions, (64, env.num_envs))  # drawn ahead: not the env's time
    at = iter(range(10**9))

    def turn() -> None:
        for _ in range(steps):
            env.step(drawn[next(at) % 64])

    return turn


def _rate(work: Callable[[], object], n: int, *, steps: int, repeats: int) -> float:
    """User-steps a second of process time: the median of the repeats, after a warm-up."""
    for _ in range(min(steps, 5)):
        work()
    taken = []
    for _ in range(repeats):
        started = time.process_time()
        for _ in range(steps):
            work()
        taken.append(time.process_time() - started)
    return n * steps / max(float(np.median(taken)), 1e-9)


if __name__ == "__main__":
    main()
