"""Two tasks at low click rates whose true rates are known: the gauntlets T1 and T1b.

A seed enters; batches of requests, the true click rate of every action, and clicks leave. There is
no hold arm. T1 is two contexts and two actions at .04 against .03; T1b is wide: 50 items in five
categories at six slots, whose rates lie between .003 and .015. Source: the project's anchors on
bandit engines, 4.2, which give both generators draw by draw.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bandit.actions import Reason, Request, SlotGrid
from bandit.outcomes import Component, Kind, RewardScheme
from bandit.slots import HOUR_MS
from policies.shape import PolicyShape

__all__ = ["CLICKS", "Batch", "Task", "TwoArms", "Wide", "request_of"]

Array = NDArray[np.float64]

CLICKS = RewardScheme(
    name="clicks",
    objective="engagement",
    components=(Component(name="click", kinds=(Kind.CLICKED,), measure="any", weight=1.0),),
)
_START_MS = 1_767_225_600_000
_SIGNAL = 0.012  # what the true rate of the wide task moves by
_LEAST = 0.003


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Decisions that are made before the next feedback comes."""

    request: Request
    rates: Array  # (N, A) true click rate; hold is masked and its entry 0
    uniform: Array  # (N,) decides whether the chosen action is clicked


class Task(Protocol):
    """**Protocol:** a task with a seed."""

    @property
    def shape(self) -> PolicyShape:
        """Lengths of its requests."""
        ...

    @property
    def n_decisions(self) -> int:
        """How many there are."""
        ...

    def batches(self) -> Iterator[Batch]:
        """Its decisions, in order."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoArms:
    """T1: the matching action is clicked at .04, the other at .03.

    Parameters
    ----------
    seed : int
        Of contexts and clicks.
    n_decisions : int
        Events in all.
    batch : int
        Decisions between two pieces of feedback.
    """

    seed: int
    n_decisions: int = 100_000
    batch: int = 100

    @property
    def shape(self) -> PolicyShape:
        """Context and item one-hot, one slot."""
        return PolicyShape(
            n_context=2, n_item_features=2, n_slot_features=1, n_users=1, n_items=2, n_slots=1
        )

    def batches(self) -> Iterator[Batch]:
        """Contexts drawn evenly."""
        rng = np.random.default_rng(self.seed)
        for start in range(0, self.n_decisions, self.batch):
            n = min(self.batch, self.n_decisions - start)
            state = rng.integers(0, 2, n)
            rates = np.where(state[:, None] == np.arange(2), 0.04, 0.03)
            yield Batch(
                request=request_of(np.eye(2)[state], np.eye(2), np.ones((1, 1))),
                rates=np.concatenate([np.zeros((n, 1)), rates], axis=1),
                uniform=rng.random(n),
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Wide:
    """T1b: rates of 300 actions by category, item, slot and a context of sixteen numbers.

    Parameters
    ----------
    seed : int
        Of the map; contexts come from seed + 1000.
    n_decisions : int
        Decisions in all.
    batch : int
        Decisions between two pieces of feedback.
    """

    seed: int
    n_decisions: int = 300_000
    batch: int = 250
    _map: tuple[Array, Array, Array, Array] = field(init=False)

    def __post_init__(self) -> None:
        rg = np.random.default_rng(self.seed)
        drawn = (
            rg.normal(size=(5, 16)) * 2.5 / 4,  # C of categories
            rg.normal(size=(6, 16)) * 2 / 4,  # V of slots
            rg.normal(size=50) * 0.7,  # b of items
            rg.normal(size=6) * 0.35,  # e of slots
        )
        object.__setattr__(self, "_map", drawn)

    @property
    def shape(self) -> PolicyShape:
        """The context; category and slot one-hot; items by their ids."""
        return PolicyShape(
            n_context=16, n_item_features=5, n_slot_features=6, n_users=1, n_items=50, n_slots=6
        )

    def rates(self, context: Array) -> Array:
        """True rate of every send, (N, K, S)."""
        of_category, of_slot, own, slot = self._map
        z = (context @ of_category.T)[:, np.arange(50) % 5, None] + own[:, None]
        z = z + (context @ of_slot.T)[:, None, :] + slot
        return np.asarray(_LEAST + _SIGNAL / (1.0 + np.exp(-z)))

    def batches(self) -> Iterator[Batch]:
        """Contexts standard normal."""
        contexts = np.random.default_rng(1000 + self.seed).normal(size=(self.n_decisions, 16))
        clicks = np.random.default_rng([self.seed, 1])
        category = np.eye(5)[np.arange(50) % 5]
        for start in range(0, self.n_decisions, self.batch):
            context = contexts[start : start + self.batch]
            n = len(context)
            rates = self.rates(context).reshape(n, 300)
            yield Batch(
                request=request_of(context, category, np.eye(6)),
                rates=np.concatenate([np.zeros((n, 1)), rates], axis=1),
                uniform=clicks.random(n),
            )


def request_of(context: Array, items: Array, slots: Array) -> Request:
    """Everybody may be sent every item at every slot, and nobody may be left alone."""
    n, (k, di), (s, ds) = len(context), items.shape, slots.shape
    start = _START_MS + np.arange(s) * HOUR_MS + np.zeros((n, 1), np.int64)
    reasons = np.zeros((n, 1 + k * s), np.uint16)
    reasons[:, 0] = Reason.TASK
    return Request(
        user=np.zeros(n, np.int64),
        at_ms=np.full(n, _START_MS),
        zone=np.full(n, "UTC"),
        context=context,
        items=np.tile(np.arange(k), (n, 1)),
        item_features=np.broadcast_to(items, (n, k, di)),
        slot_features=np.broadcast_to(slots, (n, s, ds)),
        grid=SlotGrid(start_ms=start, end_ms=start + HOUR_MS),
        reasons=reasons,
    )
