"""Content-based: items like those a user has dealt with.

A user's profile is the weighted sum of the unit vectors of their items, an item's score the
cosine between the two. Who has no history wants nothing in particular: items near the mean profile
are near nobody's (on real purchases they found a third of what popular items find, and less).
References: Salton, Wong and Yang (1975), "A vector space model for automatic indexing"; Lops, de
Gemmis and Semeraro (2011), "Content-based recommender systems", §3.3.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from policies.candidates.towers import History, checked_vectors
from policies.checks import check_state

__all__ = ["ContentTowers"]

Array = NDArray[np.float64]


class ContentTowers:
    """Unit vectors of profiles and items.

    Parameters
    ----------
    n_items : int
        Until :meth:`describe` tells their features, all items are alike.

    Examples
    --------
    >>> towers = ContentTowers(2)
    >>> towers.describe(np.array([[3.0, 4.0], [0.0, 2.0]]))
    >>> towers.vectors.tolist()
    [[0.6, 0.8], [0.0, 1.0]]
    """

    name = "content"

    def __init__(self, n_items: int) -> None:
        self.vectors: Array = np.zeros((n_items, 1))

    def describe(self, features: NDArray[Any]) -> None:
        """Take the features of every item, (I, d), in whatever scale makes them comparable.

        Raises
        ------
        BadInputError
            If there is not a finite row for each item.
        """
        self.vectors = _unit(checked_vectors(features, len(self.vectors)))

    def query(self, history: History, context: Array) -> Array:
        """Unit profile of each user, (N, d); zeros where there is no history."""
        profile = np.zeros((history.n_rows, self.vectors.shape[1]))
        np.add.at(profile, history.row, history.weight[:, None] * self.vectors[history.item])
        return _unit(profile)

    def chance(self, score: Array) -> Array:
        """(1 + cosine) / 2."""
        return (1.0 + np.clip(score, -1.0, 1.0)) / 2.0

    def fit(self, history: History) -> None:
        """Learn nothing: a profile is its own user's."""

    def state(self) -> dict[str, NDArray[Any]]:
        """Return the item vectors."""
        return {"towers.vectors": self.vectors.copy()}

    def load(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Restore what :meth:`state` returned."""
        check_state(state, {"towers.vectors": (len(self.vectors), -1)})
        self.vectors = np.array(state["towers.vectors"], np.float64)


def _unit(vectors: Array) -> Array:
    """Rows of length 1; zeros stay zeros."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(length > 0, length, 1.0))
