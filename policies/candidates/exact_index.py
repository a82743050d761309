"""Search by looking at every item: exact, and fast enough for some ten thousands of them."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

__all__ = ["ExactIndex", "Index"]

Array = NDArray[np.float64]
Whole = NDArray[np.int64]

_BLOCK_CELLS = 2**22  # scores held at a time


@runtime_checkable
class Index(Protocol):
    """**Protocol:** finds the item vectors of the largest product with a query."""

    def search(self, query: Array, n: int) -> Whole:
        """Ids of n items a row, (N, n), best first; −1 where fewer are found."""
        ...


class ExactIndex:
    """All products, block by block.

    Parameters
    ----------
    vectors : ndarray, (I, d)
        Item vectors.

    Examples
    --------
    >>> ExactIndex(np.array([[1.0], [3.0], [2.0]])).search(np.array([[1.0]]), 1).tolist()
    [[1]]
    """

    def __init__(self, vectors: NDArray[Any]) -> None:
        self.vectors = vectors

    def search(self, query: Array, n: int) -> Whole:
        """Ids of the n items of the largest product, (N, n), best first."""
        n_items = len(self.vectors)
        # Mixed precisions would copy every vector at every call.
        asked = query.astype(self.vectors.dtype, copy=False)
        found = np.full((len(query), n), -1, np.int64)
        step = max(1, _BLOCK_CELLS // max(n_items, 1))
        for start in range(0, len(query), step):
            losses = -(asked[start : start + step] @ self.vectors.T)
            best = np.broadcast_to(np.arange(n_items), losses.shape)
            if n < n_items:
                best = np.argpartition(losses, n, axis=1)[:, :n]
            order = np.argsort(np.take_along_axis(losses, best, axis=1), axis=1, kind="stable")
            found[start : start + step, : best.shape[1]] = np.take_along_axis(best, order, axis=1)
        return found
