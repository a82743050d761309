"""How well and how fast candidates are found: ``python -m experiments.retrieval_speed``.

Made-up vectors of a million items and of users enter; for every index and number of probes,
recall@K against looking at every item, and queries a second on one thread, leave. Recall hangs on
how vectors lie, so there are two worlds: items gathered around many tastes, all of about one
length, and items in all directions whose lengths differ as those of factors do (standard deviation
.8 of their logarithm, as in factors of real grocery purchases). Graphs of a million items take a
quarter of an hour to build, so they are measured over fewer.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit.draws import Stream, generator
from experiments.record import RESULTS, record
from policies.candidates.exact_index import ExactIndex, Index
from policies.candidates.graph_index import GraphIndex
from policies.candidates.ivf_index import IvfIndex

__all__ = ["main", "measure"]

Array = NDArray[np.float64]

LAYOUTS = ("gathered", "like factors")
_TASTES = 2000
_PROBES = (8, 32, 128)
_SEARCHED = (100, 200, 400)


def measure(
    *, n_items: int, n_queries: int, length: int, n_found: int, seed: int, has_graph: bool = True
) -> list[dict[str, Any]]:
    """Build each index over each world's items, and ask it for the best of every query.

    Parameters
    ----------
    n_items, n_queries : int
        Items, and users who ask.
    length : int
        d of the vectors.
    n_found : int
        K, candidates a user.
    seed : int
        Makes the vectors.
    has_graph : bool
        Whether graphs are built as well.
    """
    return [
        {"items": n_items, "items lie": layout} | row
        for layout in LAYOUTS
        for row in _of_layout(
            *_vectors(layout, n_items, n_queries, length=length, seed=seed),
            n_found,
            has_graph=has_graph,
        )
    ]


def main() -> None:
    """Measure a million items, and graphs over a fifth of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS)
    chosen = parser.parse_args()
    length, n_found = 64, 100
    rows = [
        row
        for n_items, has_graph in ((chosen.items, False), (chosen.items // 5, True))
        for row in measure(
            n_items=n_items,
            n_queries=chosen.queries,
            length=length,
            n_found=n_found,
            seed=chosen.seed,
            has_graph=has_graph,
        )
    ]
    settings = {
        "items": chosen.items,
        "queries": chosen.queries,
        "length": length,
        "K": n_found,
        "seed": chosen.seed,
    }
    notes = (
        "Made-up vectors; one thread; recall is the mean share of the exact K that is found, "
        "± 1.96 standard errors over queries.",
        "Queries come in one batch, and one by one.",
    )
    table = record("retrieval_speed", rows, settings=settings, notes=notes, folder=chosen.out)
    print(table.read_text())


def _of_layout(
    items: NDArray[np.float32], query: Array, n_found: int, *, has_graph: bool
) -> Iterator[dict[str, Any]]:
    started = time.perf_counter()
    exact = ExactIndex(items)
    built = time.perf_counter() - started
    best, asked = _timed(exact, query, n_found)
    yield {"index": "exact"} | _row(built, asked, best, best)
    started = time.perf_counter()
    index = IvfIndex(items)
    built = time.perf_counter() - started
    for n_probes in _PROBES:
        index.n_probes = n_probes
        found, asked = _timed(index, query, n_found)
        name = f"inverted file, {n_probes} probes"
        yield {"index": name} | _row(built, asked, found, best)
    if not has_graph:
        return
    started = time.perf_counter()
    graph = GraphIndex(items)
    built = time.perf_counter() - started
    for n_searched in _SEARCHED:
        graph.n_searched = n_searched
        found, asked = _timed(graph, query, n_found)
        name = f"graph, {n_searched} in sight"
        yield {"index": name} | _row(built, asked, found, best)


def _vectors(
    layout: str, n_items: int, n_queries: int, *, length: int, seed: int
) -> tuple[NDArray[np.float32], Array]:
    """Items in single precision, as indexes keep them, and queries."""
    rng = generator(seed, stream=Stream.WORLD)
    tastes = rng.normal(size=(_TASTES, length))

    def drawn(n: int) -> NDArray[np.float32]:
        noise = rng.standard_normal(size=(n, length), dtype=np.float32)
        if layout == "like factors":
            return noise
        return np.asarray(tastes[rng.integers(0, _TASTES, n)] + 0.7 * noise, np.float32)

    spread = 0.8 if layout == "like factors" else 0.3
    norms = np.exp(spread * rng.standard_normal(size=(n_items, 1), dtype=np.float32))
    return drawn(n_items) * norms, drawn(n_queries).astype(np.float64)


def _timed(index: Index, query: Array, n: int) -> tuple[NDArray[np.int64], tuple[float, float]]:
    """What is found, and queries a second: in one batch, and one by one for a tenth of them."""
    index.search(query[:1], n)
    started = time.perf_counter()
    found = index.search(query, n)
    batch = len(query) / (time.perf_counter() - started)
    some = query[: max(1, len(query) // 10)]
    started = time.perf_counter()
    for row in range(len(some)):
        index.search(some[row : row + 1], n)
    return found, (batch, len(some) / (time.perf_counter() - started))


def _row(
    built: float,
    asked: tuple[float, float],
    found: NDArray[np.int64],
    best: NDArray[np.int64],
) -> dict[str, Any]:
    shares = np.array([np.isin(b, f).mean() for b, f in zip(best, found, strict=True)])
    error = 1.96 * shares.std() / len(shares) ** 0.5
    return {
        "built in s": built,
        "recall@K": float(shares.mean()),
        "±": float(error),
        "queries a second": asked[0],
        "one by one": asked[1],
    }


if __name__ == "__main__":
    main()
