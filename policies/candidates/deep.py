"""Deep: an encoder's context vector against the item vectors it was trained with.

Both are given as numbers: no encoder is known here. The score is their product, the logit by which
a next-item head ranks. Reference: Hidasi, Karatzoglou, Baltrunas and Tikk (2016), "Session-based
recommendations with recurrent neural networks"; Kang and McAuley (2018), SASRec, eq. (6).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit.errors import BadShapeError
from policies.candidates.towers import History, checked_vectors
from policies.checks import check_state

__all__ = ["DeepTowers"]

Array = NDArray[np.float64]


class DeepTowers:
    """The context as query, an encoder's item vectors.

    Parameters
    ----------
    n_items : int
        Until :meth:`describe` tells their vectors, all items are alike.
    n_context : int
        D, the length of context and item vectors.

    Examples
    --------
    >>> towers = DeepTowers(2, n_context=1)
    >>> towers.describe(np.array([[1.0], [-1.0]]))
    >>> towers.chance(np.array([0.0])).tolist()
    [0.5]
    """

    name = "deep"

    def __init__(self, n_items: int, *, n_context: int) -> None:
        self.vectors: Array = np.zeros((n_items, n_context))

    def describe(self, vectors: NDArray[Any]) -> None:
        """Take the vector of every item, (I, D), in the basis of the context.

        Raises
        ------
        BadInputError
            If there is not a finite row of that length for each item.
        """
        told = checked_vectors(vectors, len(self.vectors))
        if told.shape != self.vectors.shape:
            raise BadShapeError(
                f"expected item vectors of the context's length {self.vectors.shape[1]}, got "
                f"{told.shape[1]}: are they of another encoder?"
            )
        self.vectors = told

    def rotate(self, basis: Array, kept: float) -> None:
        """Follow the encoder's new basis, in which the context is ``basis`` · c."""
        self.vectors = self.vectors @ basis.T

    def query(self, history: History, context: Array) -> Array:
        """The context, (N, D)."""
        return context

    def chance(self, score: Array) -> Array:
        """Logistic of the score: rises with it, and is no calibrated chance."""
        return np.asarray(0.5 * (1.0 + np.tanh(0.5 * score)))

    def fit(self, history: History) -> None:
        """Learn nothing: the encoder has."""

    def state(self) -> dict[str, NDArray[Any]]:
        """Return the item vectors."""
        return {"towers.vectors": self.vectors.copy()}

    def load(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Restore what :meth:`state` returned."""
        check_state(state, {"towers.vectors": self.vectors.shape})
        self.vectors = np.array(state["towers.vectors"], np.float64)
