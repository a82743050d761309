"""Two towers: a vector of what a user wants, a vector of each item, and their product as score.

What users did and an encoder's context enter; queries (N, d) and item vectors (I, d) leave. The
three classic strategies (content, collaborative, deep) are such towers, so one retrieval finds
candidates for all of them and one policy ranks by any. Reference: Covington, Adams and Sargin
(2016), "Deep neural networks for YouTube recommendations", §3, candidate generation as a search
for the nearest vectors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from bandit.errors import BadInputError, expect_shape

__all__ = ["History", "Towers", "checked_vectors", "scores_of"]

Array = NDArray[np.float64]
Whole = NDArray[np.int64]

_CELLS = 2**21  # numbers of item vectors that are laid out at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What N users did, as M entries in order of their rows: how much of which item.

    Parameters
    ----------
    n_rows : int
        N; a row without entries is a user of whom nothing is known.
    row : ndarray of int, (M,)
        Ascending.
    item : ndarray of int, (M,)
        Item ids, each once a row.
    weight : ndarray, (M,)
        Above 0: how often, how much or how long ago.
    """

    n_rows: int
    row: Whole
    item: Whole
    weight: Array


@runtime_checkable
class Towers(Protocol):
    """**Protocol:** queries of users and vectors of items; a score is their product."""

    name: str

    @property
    def vectors(self) -> NDArray[Any]:
        """Vector of each item, (I, d)."""
        ...

    def query(self, history: History, context: Array) -> Array:
        """What each of N users wants, (N, d); zeros for nothing in particular."""
        ...

    def chance(self, score: Array) -> Array:
        """A score as a number of at least 0 that stands for a chance; never falls with it."""
        ...

    def fit(self, history: History) -> None:
        """Learn from what everybody did."""
        ...

    def state(self) -> Mapping[str, NDArray[Any]]:
        """Return everything learned or told."""
        ...

    def load(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Restore what :meth:`state` returned."""
        ...


def scores_of(query: Array, vectors: NDArray[Any], items: Whole) -> Array:
    """Product of each row's query with the vectors of its items, (N, K), in double precision."""
    scores = np.empty(items.shape)
    step = max(1, _CELLS // max(items.shape[1] * vectors.shape[1], 1))
    for start in range(0, len(items), step):
        rows = slice(start, start + step)
        theirs = vectors[items[rows]].astype(np.float64)
        scores[rows] = np.einsum("nd,nkd->nk", query[rows], theirs)
    return scores


def checked_vectors(vectors: NDArray[Any], n_items: int) -> Array:
    """Return a copy of item vectors (I, d), refused unless finite and one an item."""
    expect_shape("item vectors", vectors, (n_items, -1), "one row an item, in order of ids")
    if not np.isfinite(vectors).all():
        raise BadInputError("expected finite item vectors, got NaN or infinity")
    return np.array(vectors, np.float64)
