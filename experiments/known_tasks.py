"""Two tasks that Vowpal Wabbit is known by: ``python -m experiments.known_tasks``.

T19 is its tutorial: two users, two times of day, three kinds of news; a click where they match.
T25 turns a labelled data set into a bandit: name the class, be told only whether it was right.
Policies enter, the default first; the tutorial's click rate over 2,000 rounds and the progressive
loss on the digits leave, seed by seed, both scored before any floor. Sources: Vowpal Wabbit's
tutorial of contextual bandits; Bietti, Agarwal and Langford (2021), "A contextual bandit bake-off".
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from bandit.floor import NO_FLOOR
from bandit.protocols import Policy
from experiments.gauntlet_run import policy_for, turns
from experiments.gauntlet_tasks import Batch, request_of
from experiments.record import RESULTS, half_width, record
from policies.registry import DEFAULT
from policies.shape import PolicyShape

__all__ = ["Digits", "Tutorial", "main", "reward"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tutorial:
    """T19: Tom reads politics in the morning and music later, Anna sports, then politics."""

    seed: int
    n_rounds: int = 2000

    @property
    def shape(self) -> PolicyShape:
        """User and time crossed, one-hot; three items by id and one-hot; one slot."""
        return PolicyShape(
            n_context=4, n_item_features=3, n_slot_features=1, n_users=1, n_items=3, n_slots=1
        )

    def batches(self) -> Iterator[Batch]:
        """One decision at a time."""
        rng = np.random.default_rng(self.seed)
        liked = np.array([0, 2, 1, 0])  # politics, music; sports, politics
        for _ in range(self.n_rounds):
            state = rng.integers(0, 4, 1)
            rates = np.zeros((1, 4))
            rates[0, 1 + liked[state]] = 1.0
            request = request_of(np.eye(4)[state], np.eye(3), np.ones((1, 1)))
            yield Batch(request=request, rates=rates, uniform=np.full(1, 0.5))


@dataclass(frozen=True, slots=True, kw_only=True)
class Digits:
    """T25: 1,797 handwritten digits of 64 pixels, shuffled by the seed.

    Parameters
    ----------
    seed : int
        Of the order.
    n_rounds : int
        How many of them.
    batch : int
        Named before the next feedback.
    """

    seed: int
    n_rounds: int = 1797
    batch: int = 1

    @property
    def shape(self) -> PolicyShape:
        """Pixels; ten items by id and one-hot; one slot."""
        return PolicyShape(
            n_context=64, n_item_features=10, n_slot_features=1, n_users=1, n_items=10, n_slots=1
        )

    def batches(self) -> Iterator[Batch]:
        """Pixels divided by the largest, as the data set's own."""
        told = load_digits()
        order = np.random.default_rng(self.seed).permutation(len(told.target))[: self.n_rounds]
        for start in range(0, len(order), self.batch):
            rows = order[start : start + self.batch]
            rates = np.zeros((len(rows), 11))
            rates[np.arange(len(rows)), 1 + told.target[rows]] = 1.0
            request = request_of(told.data[rows] / 16.0, np.eye(10), np.ones((1, 1)))
            yield Batch(request=request, rates=rates, uniform=np.full(len(rows), 0.5))


def reward(task: Tutorial | Digits, policy: Policy, *, seed: int) -> float:
    """Mean true reward of the policy's own pmf over all rounds; it learns after every batch."""
    total, n_done = 0.0, 0
    for _, batch, decisions in turns(task.batches(), policy, seed=seed, floor=NO_FLOOR):
        total += float((decisions.pmf * batch.rates).sum())
        n_done += decisions.n_rows
    return total / n_done


def main(argv: Sequence[str] | None = None) -> None:
    """Run every policy on both tasks, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--policies", nargs="*", default=[DEFAULT], metavar="ID")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--rounds", type=int, help="fewer than the tasks have: a quick look")
    parser.add_argument("--out", type=Path, default=RESULTS)
    chosen = parser.parse_args(argv)
    changes = {} if chosen.rounds is None else {"n_rounds": chosen.rounds}
    rows = []
    for name, make in (("T19 tutorial", Tutorial), ("T25 digits", Digits)):
        for policy_id in chosen.policies:
            found = [
                reward(task, policy_for(policy_id, task.shape), seed=seed)
                for seed in range(chosen.seeds)
                for task in [make(seed=seed, **changes)]
            ]
            rows.append(_row(name, policy_id, np.array(found)))
            print(rows[-1], flush=True)
    settings = {"seeds": chosen.seeds, "rounds": chosen.rounds or "all"}
    notes = (
        "Mean true reward of the policy's own pmf, before any floor, from the first round on; the "
        "progressive loss of T25 is 1 less it.",
        "T19: at least .70 is asked for; T25: within .02 of the best Vowpal Wabbit row.",
    )
    print(
        record("known_tasks", rows, settings=settings, notes=notes, folder=chosen.out).read_text()
    )


def _row(name: str, policy_id: str, found: Array) -> dict[str, Any]:
    return {
        "task": name,
        "policy": policy_id,
        "mean": float(found.mean()),
        "± 95 %": half_width(found),
        "worst": float(found.min()),
        "seeds": len(found),
    }


if __name__ == "__main__":
    main()
