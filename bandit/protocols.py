"""The roles of the house, as protocols: who may be asked what.

Everything is columnar and batch-first. A new policy, encoder, world or guard is any object
with these methods; what it must pass is its suite in ``tests/conformance/``, and for a policy
the laws of ``policies/conformance/``, which run on anybody's from an installed distribution.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from bandit.actions import ItemSet, Observation, Request
from bandit.decide import Decisions
from bandit.events import Histories
from bandit.outcomes import Feedback, Outcomes, RewardScheme

__all__ = [
    "Candidates",
    "Encoder",
    "Estimate",
    "Guard",
    "Join",
    "Policy",
    "State",
    "Store",
    "World",
]

State = Mapping[str, NDArray[Any]]
"""A policy's or encoder's state: named arrays, nothing else; safe to store anywhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a policy believes: base and uplift apart, a mean and a standard deviation each."""

    base_mean: NDArray[np.float64]  # (N, R) what the user does without a push
    base_sd: NDArray[np.float64]  # (N, R)
    uplift_mean: NDArray[np.float64]  # (N, A, R) what an action adds; zero for hold
    uplift_sd: NDArray[np.float64]  # (N, A, R)

    @property
    def mean(self) -> NDArray[np.float64]:
        """Value of every action, (N, A, R)."""
        return np.asarray(self.base_mean[:, None, :] + self.uplift_mean)


@runtime_checkable
class Policy(Protocol):
    """**Protocol:** probabilities over actions, learned from feedback.

    A policy never samples an action, never logs and never computes a propensity. Weights of
    the scheme are applied inside :meth:`pmf` and :meth:`estimate`, so they can change without
    a reset.
    """

    policy_id: str

    @property
    def cannot(self) -> Mapping[str, str]:
        """Conformance laws that this policy cannot meet, each with the reason."""
        ...

    def pmf(self, request: Request, key: int) -> NDArray[np.float64]:
        """Return probabilities over unmasked actions, (N, A).

        ``key`` seeds whatever the policy draws of its own, such as posterior parameters; it is
        made of the policy's id and ``state_seq``, so that the same state draws the same.
        """
        ...

    def estimate(self, request: Request) -> Estimate:
        """Return means and standard deviations of base and uplift."""
        ...

    def update(self, feedback: Feedback) -> None:
        """Learn from rows seen for the first time."""
        ...

    def revise(self, feedback: Feedback) -> None:
        """Replace what was learned from rows seen before, by their decision id."""
        ...

    def state(self) -> State:
        """Return everything learned, as named arrays."""
        ...

    def load(self, state: State) -> None:
        """Restore what :meth:`state` returned, bit by bit."""
        ...


@runtime_checkable
class Encoder(Protocol):
    """**Protocol:** histories to context vectors at any time."""

    encoder_id: str

    @property
    def n_features(self) -> int:
        """Length D of a context vector."""
        ...

    def encode(self, histories: Histories, at_ms: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return context vectors (N, T, D) of N histories at times ``at_ms`` (N, T)."""
        ...


@runtime_checkable
class World(Protocol):
    """**Protocol:** where decisions meet users, real or simulated."""

    def observe(self) -> Observation | None:
        """Return the users to decide for now, or ``None`` when the world has ended."""
        ...

    def step(self, decisions: Decisions) -> None:
        """Carry out what was executed and move the clock."""
        ...

    def arrived(self) -> Outcomes:
        """Return the outcomes that were received since the last call."""
        ...

    @property
    def now_ms(self) -> int:
        """Return the world's clock, ms since the epoch."""
        ...

    def expected(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return true base (N, R) and uplift (N, A, R) of the rows last observed.

        A world whose truth is not known raises :class:`bandit.errors.StateError`.
        """
        ...


@runtime_checkable
class Candidates(Protocol):
    """**Protocol:** the short list of items for each observed user."""

    def __call__(self, observation: Observation) -> ItemSet:
        """Return K items a row, with features, scores as features, and their source."""
        ...


@runtime_checkable
class Guard(Protocol):
    """**Protocol:** guardrails, asked when planning and again at dispatch."""

    def plan(self, observation: Observation, items: ItemSet) -> NDArray[np.uint16]:
        """Return the reasons against each action, (N, A); zero where it may be taken."""
        ...

    def dispatch(self, decisions: Decisions) -> NDArray[np.uint16]:
        """Return the reasons against each executed send at its slot, (N,); zero to go on."""
        ...

    def record(self, decisions: Decisions) -> None:
        """Count what was sent, so that gaps and caps hold from now on."""
        ...


@runtime_checkable
class Store(Protocol):
    """**Protocol:** where decisions are appended before anything is carried out."""

    def append(self, decisions: Decisions) -> None:
        """Make the decisions durable; on return they survive a crash."""
        ...


@runtime_checkable
class Join(Protocol):
    """**Protocol:** decisions and outcomes in, feedback out, by event time."""

    scheme: RewardScheme

    def add(self, decisions: Decisions) -> None:
        """Open decisions to outcomes."""
        ...

    def receive(self, outcomes: Outcomes) -> None:
        """Take outcomes in any order, any number of times."""
        ...

    def advance(self, now_ms: int) -> tuple[Feedback, Feedback]:
        """Return rows to learn for the first time, and rows to revise."""
        ...
