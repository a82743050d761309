"""Search over many items by a graph of near neighbours, of the library Faiss.

Every item knows some others of large product with it on a few levels, and a query walks from one to
the next. Slow to build, and the surest where item vectors differ in length and lie in all
directions, as factors do. Reference: Malkov and Yashunin (2020), "Efficient and robust approximate
nearest neighbor search using hierarchical navigable small world graphs", alg. 1, 2 and 5; Morozov
and Babenko (2018) for inner products. Recall and speed are measured by ``python -m
experiments.retrieval_speed``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from bandit.errors import BadInputError

__all__ = ["GraphIndex"]

Array = NDArray[np.float64]
Whole = NDArray[np.int64]


@dataclass(slots=True)
class GraphIndex:
    """A navigable graph by inner product.

    Parameters
    ----------
    vectors : ndarray, (I, d)
        Item vectors; kept in single precision.
    n_neighbours : int
        Of each item on a level, twice as many on the lowest.
    n_built, n_searched : int
        Items held in sight while an item is put in, and while a query walks (at least as many as
        are asked for): more find more and take longer.
    n_threads : int
        Of both; more than one build another graph each time.

    Raises
    ------
    BadInputError
        For settings that cannot be.
    """

    vectors: NDArray[Any]
    n_neighbours: int = field(default=32, kw_only=True)
    n_built: int = field(default=100, kw_only=True)
    n_searched: int = field(default=200, kw_only=True)
    n_threads: int = field(default=1, kw_only=True)
    _index: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        settings = (self.n_neighbours, self.n_built, self.n_searched, self.n_threads)
        if self.n_neighbours < 2 or min(settings) < 1:
            raise BadInputError(
                "expected n_neighbours of at least 2, and n_built, n_searched and n_threads of at "
                f"least 1, got {settings}"
            )
        data = np.ascontiguousarray(self.vectors, np.float32)
        self._index = faiss.IndexHNSWFlat(
            data.shape[1], self.n_neighbours, faiss.METRIC_INNER_PRODUCT
        )
        self._index.hnsw.efConstruction = self.n_built
        faiss.omp_set_num_threads(self.n_threads)
        self._index.add(data)

    def search(self, query: Array, n: int) -> Whole:
        """Ids of about the n items of the largest product, (N, n), best first; −1 beyond."""
        faiss.omp_set_num_threads(self.n_threads)
        self._index.hnsw.efSearch = max(self.n_searched, n)
        _, found = self._index.search(np.ascontiguousarray(query, np.float32), n)
        return np.asarray(found, np.int64)
