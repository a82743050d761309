"""Search over millions of items: an inverted file of the library Faiss.

Item vectors are gathered around a few thousand centres, and a query looks into the lists of the
centres nearest to it. Quick to build, and good where vectors gather; where they lie in all
directions and differ in length, :mod:`policies.candidates.graph_index` finds more. Recall and speed
are measured by ``python -m experiments.retrieval_speed``. Reference: Jégou, Douze and Schmid
(2011), "Product quantization for nearest neighbor search", §IV (the inverted file; vectors are kept
whole here); Douze et al. (2024), "The Faiss library".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from bandit.errors import BadInputError

__all__ = ["IvfIndex"]

Array = NDArray[np.float64]
Whole = NDArray[np.int64]

_POINTS_A_CENTRE = 64  # enough for centres, says the library
_ROUNDS = 10


@dataclass(slots=True)
class IvfIndex:
    """An inverted file by inner product.

    Parameters
    ----------
    vectors : ndarray, (I, d)
        Item vectors; kept in single precision.
    n_lists : int, optional
        Centres; 2·√I, at most one for every 64 items, without it.
    n_probes : int
        Lists that a query looks into: more find more and take longer.
    seed : int
        Of the sample and the centres.
    n_threads : int
        One gives the same bytes each time, and leaves the other cores to others.

    Raises
    ------
    BadInputError
        For settings that cannot be.
    """

    vectors: NDArray[Any]
    n_lists: int | None = field(default=None, kw_only=True)
    n_probes: int = field(default=32, kw_only=True)
    seed: int = field(default=1, kw_only=True)
    n_threads: int = field(default=1, kw_only=True)
    _index: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        data = np.ascontiguousarray(self.vectors, np.float32)
        n_items, length = data.shape
        usual = max(1, min(round(2 * n_items**0.5), n_items // _POINTS_A_CENTRE))
        n_lists = usual if self.n_lists is None else self.n_lists
        if not (1 <= n_lists <= max(n_items, 1) and self.n_probes >= 1 and self.n_threads >= 1):
            raise BadInputError(
                f"expected 1 to {n_items} lists, and probes and threads of at least 1, got "
                f"{n_lists}, {self.n_probes}, {self.n_threads}"
            )
        faiss.omp_set_num_threads(self.n_threads)
        self._index = faiss.index_factory(length, f"IVF{n_lists},Flat", faiss.METRIC_INNER_PRODUCT)
        self._index.cp.niter = _ROUNDS
        self._index.cp.seed = self.seed
        self._index.cp.min_points_per_centroid = 1  # few items are no reason to warn
        rng = np.random.default_rng(self.seed)
        n_points = min(n_items, _POINTS_A_CENTRE * n_lists)
        self._index.train(data[np.sort(rng.choice(n_items, n_points, replace=False))])
        self._index.add(data)

    def search(self, query: Array, n: int) -> Whole:
        """Ids of about the n items of the largest product, (N, n), best first; −1 beyond."""
        faiss.omp_set_num_threads(self.n_threads)
        self._index.nprobe = self.n_probes
        _, found = self._index.search(np.ascontiguousarray(query, np.float32), n)
        return np.asarray(found, np.int64)
