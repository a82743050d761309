"""What a generator proposes: items with their scores and where each came from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from bandit.actions import Observation
from bandit.errors import expect_shape

__all__ = ["NO_ITEM", "Generator", "Proposals"]

Array = NDArray[np.float64]
Whole = NDArray[np.int64]

NO_ITEM = -1
"""Fills places where nothing is proposed; the score there is minus infinity, the source -1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposals:
    """L proposed items a row, each once, with score and source.

    Parameters
    ----------
    items : ndarray of int, (N, L)
        Item ids, best first within a source.
    scores : ndarray, (N, L)
        In the units of the source: scores of two sources are not comparable.
    source : ndarray of int, (N, L)
        Position in ``sources``.
    sources : tuple of str
        Names of generators.
    """

    items: Whole
    scores: Array
    source: Whole
    sources: tuple[str, ...]

    def __post_init__(self) -> None:
        expect_shape("items", self.items, (-1, -1), "a row a user, a column a proposal")
        expect_shape("scores", self.scores, self.items.shape, "a score a proposal")
        expect_shape("source", self.source, self.items.shape, "a source a proposal")

    @property
    def n_rows(self) -> int:
        """Number of rows N."""
        return len(self.items)


@runtime_checkable
class Generator(Protocol):
    """**Protocol:** proposes items for observed users, and scores any items for them."""

    @property
    def name(self) -> str:
        """What tables and columns call it."""
        ...

    def propose(self, observation: Observation, *, n_items: int) -> Proposals:
        """Its best L = ``n_items`` items a row, (N, L); :data:`NO_ITEM` where it has fewer."""
        ...

    def scores(self, observation: Observation, items: Whole) -> Array:
        """Scores of given items, (N, K)."""
        ...
