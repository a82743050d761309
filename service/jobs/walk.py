"""One contender's walk through the days, over the one loop.

A policy, the days' features and a key enter; what it sent, what it hit and what its
probabilities were truly worth leave, household by household and day by day.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bandit.actions import HOLD, Request
from bandit.draws import key_of
from bandit.floor import Floor
from bandit.join import Emission, Joiner
from bandit.log import LogWriter
from bandit.loop import Loop
from bandit.outcomes import Feedback
from bandit.protocols import Estimate, Policy, State
from service.jobs.contenders import Contender, observe_day
from service.jobs.purchase_features import DayFeatures
from service.jobs.purchase_world import HITS, SEND_COST, AllCategories, PurchaseWorld
from service.jobs.purchases import Purchases
from service.jobs.steps import read_arrays

__all__ = ["FLOOR", "Walk", "load_state", "save_state", "walk"]

FLOOR = Floor()
"""One floor for every contender, baselines included: what is compared is what is drawn."""

_BATCHES_A_FILE = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """What a contender did: households H by days T."""

    name: str
    seed: int
    slot: NDArray[np.int8]  # (H, T) slot sent to, −1 for hold
    is_hit: NDArray[np.bool_]  # (H, T)
    expected: NDArray[np.float32]  # (H, T) true value of the pmf it drew from
    unfloored: NDArray[np.float32]  # (H, T) true value of the pmf before the floor

    @property
    def value(self) -> NDArray[np.float64]:
        """Reward of each decision: hit less the cost of a send, (H, T)."""
        return self.is_hit - SEND_COST * (self.slot >= 0)


def walk(
    contender: Contender,
    policy: Policy,
    *,
    shop: Purchases,
    days: Sequence[DayFeatures],
    seed: int,
    log_folder: Path | None = None,
    after_day: Callable[[int, Policy], None] | None = None,
) -> Walk:
    """Walk every day once, deciding and learning.

    Parameters
    ----------
    contender : Contender
        Says which features are shown.
    policy : Policy
        Ready to start.
    shop, days : Purchases, sequence of DayFeatures
        The world.
    seed : int
        Keys every draw, with the contender's name.
    log_folder : Path, optional
        Where the decision log goes.
    after_day : callable, optional
        Told the number of days walked and the policy, after each day.
    """
    n, n_days = shop.n_users, len(days)
    world = PurchaseWorld(shop=shop, days=days, is_time_aware=contender.is_time_aware)
    watched = _Watched(policy)
    store = None
    if log_folder is not None:
        store = LogWriter(log_folder, keeps_pmf=False, batches_a_file=_BATCHES_A_FILE)
    loop = Loop(
        world=world,
        policy=watched,
        candidates=AllCategories(world=world),
        join=Joiner(HITS, emission=Emission.WHEN_FINAL),
        floor=FLOOR,
        key=key_of("walk", contender.name, seed),
        store=store,
    )
    slot = np.empty((n, n_days), np.int8)
    is_hit = np.zeros((n, n_days), np.bool_)
    expected = np.empty((n, n_days), np.float32)
    unfloored = np.empty((n, n_days), np.float32)
    for t, step in enumerate(loop.run()):
        decisions = step.decisions
        truth = shop.hits(days[t].day).reshape(n, -1)
        sent = decisions.is_send
        slot[:, t] = decisions.slot
        is_hit[sent, t] = truth[sent, decisions.planned[sent] - 1]
        expected[:, t] = _worth(decisions.pmf, truth)
        unfloored[:, t] = _worth(watched.last_pmf, truth)
        observe_day(policy, shop, days[t].day)
        if after_day is not None:
            after_day(t + 1, policy)
    if store is not None:
        store.flush()
    return Walk(
        name=contender.name,
        seed=seed,
        slot=slot,
        is_hit=is_hit,
        expected=expected,
        unfloored=unfloored,
    )


def save_state(path: Path, policy: Policy) -> None:
    """Store a policy's state as named arrays, never as a pickle."""
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = {name: np.asarray(array) for name, array in policy.state().items()}
    np.savez(path, allow_pickle=False, **arrays)


def load_state(path: Path, policy: Policy) -> None:
    """Restore a policy from what :func:`save_state` wrote.

    Raises
    ------
    ForeignFileError
        If the file is truncated or of another kind.
    """
    policy.load(read_arrays(path, step=path.parents[1]))


def _worth(pmf: NDArray[np.float64], truth: NDArray[np.bool_]) -> NDArray[np.float64]:
    """True value of a pmf: its chance of a hit less the cost of its sends, (H,)."""
    hit = np.einsum("na,na->n", pmf[:, 1:], truth)
    return np.asarray(hit - SEND_COST * (1.0 - pmf[:, HOLD]))


class _Watched:
    """A policy whose last pmf is kept, so that its worth before the floor can be told."""

    cannot: ClassVar[Mapping[str, str]] = {}

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.policy_id = policy.policy_id
        self.last_pmf = np.zeros((0, 0))

    def pmf(self, request: Request, key: int) -> NDArray[np.float64]:
        """Return the policy's pmf, and keep it."""
        self.last_pmf = self.policy.pmf(request, key)
        return self.last_pmf

    def estimate(self, request: Request) -> Estimate:
        """Return the policy's estimate."""
        return self.policy.estimate(request)

    def update(self, feedback: Feedback) -> None:
        """Let the policy learn."""
        self.policy.update(feedback)

    def revise(self, feedback: Feedback) -> None:
        """Let the policy revise."""
        self.policy.revise(feedback)

    def state(self) -> State:
        """Return the policy's state."""
        return self.policy.state()

    def load(self, state: State) -> None:
        """Restore the policy."""
        self.policy.load(state)
