"""A reward model whose scores are given, so that an explorer is tested alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from bandit.actions import Request
from bandit.outcomes import RewardScheme
from policies.models.linear import LinearModel
from policies.shape import PolicyShape

Array = NDArray[np.float64]


class KnownModel(LinearModel):
    """Believes what it was told: the same scores, spreads and draws for every row."""

    def __init__(
        self,
        scheme: RewardScheme,
        scores: list[float],
        *,
        spreads: list[float] | None = None,
        drawn: Array | None = None,
    ) -> None:
        shape = PolicyShape(
            n_context=3, n_item_features=4, n_slot_features=3, n_users=7, n_items=5, n_slots=4
        )
        super().__init__(shape, scheme)
        self._scores = np.array(scores)
        self._spreads = np.array(spreads or [0.0] * len(scores))
        self._draws = drawn

    def values(self, request: Request) -> Array:
        """Return the given scores, (N, A)."""
        return np.tile(self._scores, (request.n_rows, 1))

    def spreads(self, request: Request) -> Array:
        """Return the given spreads, (N, A)."""
        return np.tile(self._spreads, (request.n_rows, 1))

    def contrast_spreads(self, request: Request, reference: NDArray[np.int64]) -> Array:
        """Return spreads of differences of independent actions, (N, A)."""
        spreads = np.sqrt(self._spreads**2 + self._spreads[reference][:, None] ** 2)
        spreads[np.arange(request.n_rows), reference] = 0.0
        return spreads

    def draws(
        self, request: Request, key: int, *, n_draws: int, scale: float
    ) -> Iterator[tuple[slice, Array]]:
        """Return the given draws (M, A), whatever is asked."""
        assert self._draws is not None
        yield slice(0, request.n_rows), np.tile(self._draws, (request.n_rows, 1, 1))


@pytest.fixture
def known(hits: RewardScheme) -> Callable[..., KnownModel]:
    """Make a model of given scores."""

    def make(scores: list[float], **beliefs: object) -> KnownModel:
        return KnownModel(hits, scores, **beliefs)  # type: ignore[arg-type]

    return make


@pytest.fixture
def ask(request_of: Callable[..., Request]) -> Callable[..., Request]:
    """Make a request of A = 1 + K actions at one slot."""

    def make(n_actions: int, *, n: int = 1, mask: list[bool] | None = None) -> Request:
        shape = PolicyShape(
            n_context=3,
            n_item_features=4,
            n_slot_features=3,
            n_users=7,
            n_items=n_actions - 1,
            n_slots=1,
        )
        return request_of(shape, n, mask=None if mask is None else np.tile(mask, (n, 1)))

    return make
