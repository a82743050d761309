"""Rows that are learned one by one and added to a head's moments together.

Features, targets and weights of single rows enter; a block of them leaves when it is full. Sixty-
four rank-one updates are one product of matrices (Golub and Van Loan 2013, §1.3): they cost one
pass over P² numbers instead of sixty-four. A belief that is asked for before adds the block to
its copy of the moments, so when moments are added hangs on what was learned, never on who asks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from policies.checks import check_state

__all__ = ["LateRows"]

Array = NDArray[np.float64]

_MOST = 64  # rows; measured: more gain nothing


class LateRows:
    """A block of rows that waits to be added.

    Parameters
    ----------
    n_features, n_components : int
        P and R'.

    Examples
    --------
    >>> late = LateRows(2, 1)
    >>> late.room()[:] = 1.0
    >>> late.add([0.5], [1.0])
    >>> late.n_rows, late.is_full, late.features.tolist()
    (1, False, [[1.0, 1.0]])
    """

    def __init__(self, n_features: int, n_components: int) -> None:
        self._features = np.zeros((_MOST, n_features))
        self._target, self._weight = np.zeros((2, _MOST, n_components))
        self.n_rows = 0

    @property
    def is_full(self) -> bool:
        """Whether no further row may be added."""
        return self.n_rows == _MOST

    @property
    def features(self) -> Array:
        """φ of the rows, (n, P)."""
        return self._features[: self.n_rows]

    @property
    def target(self) -> Array:
        """What they brought, (n, R')."""
        return self._target[: self.n_rows]

    @property
    def weight(self) -> Array:
        """How surely that is known, (n, R')."""
        return self._weight[: self.n_rows]

    def room(self) -> Array:
        """Where φ of the next row is to be written, (P,), before :meth:`add`."""
        return np.asarray(self._features[self.n_rows])

    def add(self, target: Any, weight: Any) -> None:
        """Take the row in :meth:`room`, with its R' targets and weights."""
        self._target[self.n_rows] = target
        self._weight[self.n_rows] = weight
        self.n_rows += 1

    def clear(self) -> None:
        """Forget them: they have been added."""
        self.n_rows = 0

    def state(self) -> dict[str, NDArray[Any]]:
        """Return a copy of the rows, as named arrays."""
        return {f"late.{name}": getattr(self, name).copy() for name in _COLUMNS}

    def load(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Restore what :meth:`state` returned."""
        check_state(state, {"late.features": (-1, self._features.shape[1])})
        n = len(state["late.features"])
        r = self._target.shape[1]
        check_state(state, {"late.target": (n, r), "late.weight": (n, r)})
        self.n_rows = n
        for name in _COLUMNS:
            getattr(self, name)[:] = state[f"late.{name}"]


_COLUMNS = ("features", "target", "weight")
