"""A belief that never changes, and feedback of what was decided: budgets by themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from bandit.actions import Request, SlotGrid
from bandit.decide import Decisions
from bandit.outcomes import Feedback
from bandit.slots import HOUR_MS
from policies.conformance.world import HITS

Array = NDArray[np.float64]
DAY_0 = 20_000  # days since the epoch


@dataclass
class Known:
    """A reward model that knows what every action of a request is worth."""

    table: Array  # (N, A), hold at 0
    noise: float = 0.0
    scheme: Any = HITS
    cannot: ClassVar[Mapping[str, str]] = {}

    def check(self, request: Request) -> None:
        """Take anything."""

    def values(self, request: Request) -> Array:
        return self.table[request.user]

    def draws(
        self, request: Request, key: int, *, n_draws: int, scale: float
    ) -> Iterator[tuple[slice, Array]]:
        drawn = self.values(request)[:, None] + self.noise * np.random.default_rng(key).normal(
            size=(1, n_draws, self.table.shape[1])
        )
        drawn[:, :, 0] = 0.0
        yield slice(0, request.n_rows), drawn

    def update(self, feedback: Feedback) -> None:
        """Know already."""

    revise = update

    def state(self) -> Mapping[str, Array]:
        return {}

    def load(self, state: Mapping[str, Array]) -> None:
        """Know already."""


@dataclass(frozen=True)
class Desk:
    """Requests of users 0 … N − 1 and feedback of what was decided for them."""

    @staticmethod
    def request(n: int, *, k: int = 2, s: int = 1, day: int = 0, hour: int = 0) -> Request:
        at_ms = np.full(n, ((DAY_0 + day) * 24 + hour) * HOUR_MS)
        start = at_ms[:, None] + np.arange(s) * HOUR_MS
        return Request(
            user=np.arange(n),
            at_ms=at_ms,
            zone=np.full(n, "UTC"),
            context=np.zeros((n, 1)),
            items=np.tile(np.arange(k), (n, 1)),
            item_features=np.zeros((n, k, 1)),
            slot_features=np.zeros((n, s, 1)),
            grid=SlotGrid(start_ms=start, end_ms=start + HOUR_MS),
            reasons=np.zeros((n, 1 + k * s), np.uint16),
        )

    @staticmethod
    def feedback(done: Decisions) -> Feedback:
        n = done.n_rows
        return Feedback(
            decision_id=done.decision_id,
            user=done.request.user,
            at_ms=done.request.at_ms,
            is_send=done.is_send,
            item=done.item,
            slot=done.slot,
            propensity=done.propensity,
            p_send=done.p_send,
            context=done.request.context,
            item_features=done.item_features,
            slot_features=done.slot_features,
            components=np.zeros((n, len(HITS))),
            maturity=np.ones((n, len(HITS))),
            scheme=HITS,
        )


@pytest.fixture
def desk() -> Desk:
    """Requests and feedback."""
    return Desk()


@pytest.fixture
def known() -> Callable[..., Known]:
    """Make a belief that never changes."""
    return Known
