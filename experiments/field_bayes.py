"""How near the default comes to all there is to learn: ``python -m experiments.field_bayes``.

The default, the Bayes reference and full knowledge walk the same seeds at their own volume, all
through the floor. For each day (a decision of every user) the true worth of what each decides less
that of silence leaves, level 1; around decision 50 the default's share of the reference's.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments.field import interval
from experiments.field_reference import Fitted, FullKnowledge, Reference, fitted_on, read_reference
from experiments.field_rows import Row, row_of
from experiments.field_walk import walk
from experiments.record import RESULTS, record
from policies.registry import DEFAULT
from simulator.world import World

__all__ = ["main", "share_at"]

_FIT_SEEDS = (2001, 2002)
_AROUND = 5  # decisions before and after the fiftieth
_TARGET = 0.85


def share_at(gaps: Sequence[float], decisions: Sequence[float], *, at: int) -> float:
    """Mean gap to silence a decision around decision ``at`` of a user."""
    days = slice(max(at - _AROUND, 0), at + _AROUND)
    return float(np.sum(gaps[days]) / max(np.sum(decisions[days]), 1.0))


def main(argv: Sequence[str] | None = None) -> None:
    """Fit, walk, and write the table; what is done already is not done again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--policies", nargs="*", default=[DEFAULT])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--users", type=int, default=600)
    parser.add_argument("--days", type=int, default=56)
    parser.add_argument("--at", type=int, default=50)
    parser.add_argument("--fit-users", type=int, default=1000)
    parser.add_argument("--walks", type=Path, default=RESULTS / "field_bayes.jsonl")
    parser.add_argument("--reference", type=Path, default=RESULTS / "field_bayes.npz")
    parser.add_argument("--out", type=Path, default=RESULTS)
    chosen = parser.parse_args(argv)
    size = {"users": chosen.users, "days": chosen.days}
    reference = _reference(chosen.reference, users=chosen.fit_users)
    makes: dict[str, Callable[[World], Any]] = {
        "full_knowledge": FullKnowledge,
        "bayes_reference": lambda world: Fitted(reference),
    }
    done = _done(chosen.walks, size)
    for seed in range(1, chosen.seeds + 1):
        for name in (*makes, *chosen.policies):
            if (name, seed) in done:
                continue
            made = makes.get(name)
            row = row_of(name) if made is None else Row(name=name, policy_id=name, price="told")
            told = walk(row, [0.0] * 5, seed=seed, **size, follows=True, make=made)
            done[name, seed] = {"row": name, "seed": seed, **size, **_sums(told)}
            chosen.walks.parent.mkdir(parents=True, exist_ok=True)
            with chosen.walks.open("a") as file:
                file.write(json.dumps(done[name, seed]) + "\n")
            print(f"{name} seed {seed}", flush=True)
    lines = [_line(name, done, at=chosen.at) for name in (*makes, *chosen.policies)]
    settings = {**size, "preset": "ecommerce", "decision": chosen.at, "price": 0}
    path = record(
        "field_bayes", lines, settings=settings, notes=_notes(reference), folder=chosen.out
    )
    print(path.read_text())


def _reference(path: Path, *, users: int) -> Reference:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        fitted_on(_FIT_SEEDS, users=users, days=28).save(path)
    return read_reference(path)


def _done(path: Path, size: dict[str, int]) -> dict[tuple[str, int], dict[str, Any]]:
    lines = path.read_text().splitlines() if path.exists() else []
    told = [json.loads(line) for line in lines]
    return {
        (one["row"], one["seed"]): one
        for one in told
        if all(one[name] == value for name, value in size.items())
    }


def _sums(told: dict[str, Any]) -> dict[str, Any]:
    """Gaps and decisions by day, and all sends."""
    kept = {name: told[name] for name in ("gap", "decisions")}
    return {**kept, "sends": float(np.sum(told["sends"]))}


def _line(name: str, done: dict[tuple[str, int], dict[str, Any]], *, at: int) -> dict[str, Any]:
    seeds = sorted(seed for row, seed in done if row == name)
    mine = [done[name, seed] for seed in seeds]
    gaps = np.array([share_at(one["gap"], one["decisions"], at=at) for one in mine])
    against = np.array(
        [
            share_at(
                done["bayes_reference", s]["gap"], done["bayes_reference", s]["decisions"], at=at
            )
            for s in seeds
        ]
    )
    mean, low, high = interval(gaps)
    whole = float(np.mean([np.sum(one["gap"]) / np.sum(one["decisions"]) for one in mine]))
    weeks = mine[0]["users"] * mine[0]["days"] / 7
    share = float(gaps.mean() / against.mean())
    return {
        "policy": name,
        "gap a decision, around it": mean,
        "95 %": f"[{low:+.6f}, {high:+.6f}]",
        "share of the reference": share,
        "at least .85": "yes" if share >= _TARGET else "no",
        "gap a decision, whole run": whole,
        "sends a user-week": float(np.mean([one["sends"] for one in mine])) / weeks,
        "seeds": len(seeds),
    }


def _notes(reference: Reference) -> list[str]:
    return [
        "Simulated, preset ecommerce. True worth (level 1, closed form) of what each decides, less "
        "that of silence, on the rows it brought about itself; everybody through the floor.",
        "The reference: the default's features (answers over every cross and an intercept an item, "
        f"worth by way of them) fitted to the true means of {reference.n_decisions:,} uniformly "
        "drawn actions instead of 10^7 sampled outcomes: what sampling would only approach.",
    ]


if __name__ == "__main__":
    main()
