"""Popular: what everybody deals with most, the list that never runs dry.

The same for all users, as towers of one dimension; a merge fills up with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from policies.candidates.towers import History
from policies.checks import check_state

__all__ = ["PopularTowers"]

Array = NDArray[np.float64]


class PopularTowers:
    """Share of all behaviour that each item has.

    Parameters
    ----------
    n_items : int
        I.
    """

    name = "popular"

    def __init__(self, n_items: int) -> None:
        self.vectors: Array = np.zeros((n_items, 1))

    def query(self, history: History, context: Array) -> Array:
        """One for everybody, (N, 1)."""
        return np.ones((history.n_rows, 1))

    def chance(self, score: Array) -> Array:
        """The share itself."""
        return score

    def fit(self, history: History) -> None:
        """Sum what everybody did."""
        told = np.bincount(history.item, history.weight, len(self.vectors))
        total = told.sum()
        self.vectors = (told / (total if total > 0 else 1.0))[:, None]

    def state(self) -> dict[str, NDArray[Any]]:
        """Return the shares."""
        return {"towers.vectors": self.vectors.copy()}

    def load(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Restore what :meth:`state` returned."""
        check_state(state, {"towers.vectors": self.vectors.shape})
        self.vectors = np.array(state["towers.vectors"], np.float64)
