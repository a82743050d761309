"""Collaborative: what users of like behaviour deal with, by implicit-feedback factorisation.

Everybody's history enters; factors of the items are fitted by alternating least squares in the
library ``implicit``. Users' factors are not kept: they are solved from the items' and the user's
own history when asked (eq. 4 of the paper), so that new behaviour and new users count at once.
Reference: Hu, Koren and Volinsky (2008), "Collaborative filtering for implicit feedback datasets".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from policies.candidates.factor_params import FactorParams
from policies.candidates.towers import History
from policies.checks import check_state

__all__ = ["CollaborativeTowers"]

Array = NDArray[np.float64]


class CollaborativeTowers:
    """Factors of users and items, whose product predicts a preference of 0 or 1.

    Parameters
    ----------
    n_items : int
        I.
    params : FactorParams, optional
        Size and weights.

    Notes
    -----
    One thread and a seed of its own: the same history gives the same bytes. Factors are single
    precision, as the library computes them.
    """

    name = "collaborative"

    def __init__(self, n_items: int, params: FactorParams | None = None) -> None:
        self.params = params or FactorParams()
        self.vectors: NDArray[np.float32] = np.zeros((n_items, self.params.n_factors), np.float32)
        self._solves: Any = None

    def query(self, history: History, context: Array) -> Array:
        """Solve for each user's factors, (N, d); zeros where there is no history."""
        query = np.zeros((history.n_rows, self.params.n_factors))
        if len(history.row):
            users = np.arange(history.n_rows)
            query[:] = self._solver().recalculate_user(users, self._confidences(history))
        return query

    def chance(self, score: Array) -> Array:
        """The predicted preference, cut to [0, 1]."""
        return np.clip(score, 0.0, 1.0)

    def fit(self, history: History) -> None:
        """Factorise anew, from the same start each time; nothing is fitted to nothing."""
        if not len(history.row):
            return
        with threadpool_limits(1, "blas"):
            model = self._model()
            model.fit(self._confidences(history), show_progress=False)
        self.vectors, self._solves = np.array(model.item_factors, np.float32), None

    def state(self) -> dict[str, NDArray[Any]]:
        """Return the item factors."""
        return {"towers.vectors": self.vectors.copy()}

    def load(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Restore what :meth:`state` returned."""
        check_state(state, {"towers.vectors": self.vectors.shape})
        self.vectors, self._solves = np.array(state["towers.vectors"], np.float32), None

    def _solver(self) -> Any:
        """A model of the present item factors, made once: their products are kept in it."""
        if self._solves is None:
            # Limits take two milliseconds to set; solving one user is not worth that.
            with threadpool_limits(1, "blas"):
                model = self._model()
                model.item_factors = self.vectors
                _ = model.YtY  # computed and kept
            self._solves = model
        return self._solves

    def _model(self) -> Any:
        return AlternatingLeastSquares(
            factors=self.params.n_factors,
            regularization=self.params.ridge,
            alpha=1.0,  # confidences are given whole
            iterations=self.params.n_rounds,
            num_threads=1,
            random_state=self.params.seed,
        )

    def _confidences(self, history: History) -> Any:
        """1 + α·r of every pair, (N, I) sparse."""
        value = (1.0 + self.params.confidence * history.weight).astype(np.float32)
        shape = (history.n_rows, len(self.vectors))
        return csr_matrix((value, (history.row, history.item)), shape=shape)
