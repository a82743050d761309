"""Reliable at low click rates? ``python -m experiments.gauntlet``: T1 and T1b, twenty seeds each.

Policies by id enter, the default first; their mean true rates on T1 and their shares of the way
from random to the best on T1b leave, seed by seed, with the bars beside them. Every policy goes
through the same item and slot floors. A run that was cut off goes on where it stopped.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import UTC, datetime
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from experiments.gauntlet_run import policy_for, run
from experiments.gauntlet_scores import Scores
from experiments.gauntlet_tasks import Task, TwoArms, Wide
from experiments.record import RESULTS, half_width, markdown
from policies.registry import DEFAULT
from service.jobs.provenance import provenance
from service.jobs.steps import write_json

__all__ = ["BARS", "main", "scored", "summary"]

BARS = {"T1": (0.0390, 0.0375, 0.95), "T1b": (0.70, 0.60, 0.0)}
"""Least of a seed (T1) or of the mean (T1b), least of the worst seed, and share of seeds above."""

_TASKS: dict[str, Callable[..., Task]] = {"T1": TwoArms, "T1b": Wide}
_PEERS = ("hybrid_lints", "hybrid_ucb", "vw_egreedy", "vw_squarecb", "vw_regcb", "vw_bag")


def scored(name: str, policy_id: str, seed: int, *, n_decisions: int | None = None) -> float:
    """Score of one policy and seed: mean true rate (T1) or share of the gap (T1b).

    Parameters
    ----------
    name : str
        ``"T1"`` or ``"T1b"``.
    policy_id : str
        See :func:`experiments.gauntlet_run.policy_for`.
    seed : int
        Of task and policy.
    n_decisions : int, optional
        Fewer than the task has, for a quick look.
    """
    changes = {} if n_decisions is None else {"n_decisions": n_decisions}
    task = _TASKS[name](seed=seed, **changes)
    score = run(task, policy_for(policy_id, task.shape), seed=seed)
    return score.policy if name == "T1" else score.share


def summary(name: str, policy_id: str, scores: Sequence[float]) -> dict[str, Any]:
    """One line of the table: mean with a 95 % interval over seeds, worst, and whether it passes."""
    found = np.array(scores)
    bar, worst, share = BARS[name]
    mean, half = float(found.mean()), half_width(found)
    passes = found.min() >= worst and (
        (found >= bar).mean() >= share if share else found.mean() >= bar
    )
    return {
        "task": name,
        "policy": policy_id,
        "seeds": len(found),
        "mean": mean,
        "95 %": f"[{mean - half:.4f}, {mean + half:.4f}]",
        "worst": float(found.min()),
        "seeds at the bar": int((found >= bar).sum()),
        "passes": "yes" if passes and len(found) == 20 else "no",
    }


def main(argv: Sequence[str] | None = None) -> None:
    """Run what is asked for, and write JSON and table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--policies", nargs="*", default=[DEFAULT, *_PEERS], metavar="ID")
    parser.add_argument("--tasks", nargs="*", default=list(_TASKS), choices=list(_TASKS))
    parser.add_argument("--seeds", type=int, default=20, help="run the first so many of the 20")
    parser.add_argument("--decisions", type=int, help="fewer than the tasks have: a quick look")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=RESULTS)
    chosen = parser.parse_args(argv)
    path = chosen.out / "gauntlet.json"
    found = Scores.read(path, decisions=chosen.decisions or "all")
    asked = [
        (name, policy_id, seed)
        for name in chosen.tasks
        for policy_id in chosen.policies
        for seed in range(chosen.seeds)
        if not found.has(name, policy_id, seed)
    ]
    chosen.out.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(chosen.workers, mp_context=get_context("spawn")) as pool:
        work = partial(scored, n_decisions=chosen.decisions)
        waits = {pool.submit(work, *one): one for one in asked}
        for done in as_completed(waits):
            name, policy_id, seed = waits[done]
            found.put(name, policy_id, seed, done.result())
            print(f"{name} {policy_id} seed {seed}: {done.result():.4f}", flush=True)
            _write(path, found)
    _write(path, found)
    print((chosen.out / "gauntlet.md").read_text())


def _write(path: Path, found: Scores) -> None:
    """JSON with a list of scores a policy, and the table beside it."""
    where = provenance() | {"finished": datetime.now(UTC).isoformat(timespec="seconds")}
    write_json(path, {"default": DEFAULT, **found.told(), "provenance": where})
    rows = [
        summary(name, policy_id, found.known(name, policy_id))
        | {"commit": found.commits[name][policy_id]}
        for name, by_policy in found.scores.items()
        for policy_id in by_policy
    ]
    lines = [
        "# gauntlet",
        "",
        "T1: mean true click rate of the second half, item floor included; at least .0390 on 19 of "
        "20 seeds and .0375 on the worst.  ",
        "T1b: share of the way from random to the best, both floors included; mean at least .70 "
        "and worst .60.  ",
        "Settings of what is not an id: `experiments/gauntlet_peers.toml`.  ",
        "",
        f"Default: `{DEFAULT}`. {where['machine']}; threads {where['threads']}; "
        f"{where['finished']}; decisions: {found.decisions}.",
        "",
        *markdown(rows),
    ]
    path.with_suffix(".md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
