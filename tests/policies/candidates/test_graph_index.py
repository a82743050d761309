from __future__ import annotations

import numpy as np
import pytest

from bandit.errors import BadInputError
from policies.candidates.exact_index import ExactIndex, Index
from policies.candidates.graph_index import GraphIndex
from policies.candidates.ivf_index import IvfIndex


def _factors(n: int, *, seed: int) -> np.ndarray:
    """Vectors in all directions whose lengths differ as those of factors of purchases do."""
    rng = np.random.default_rng(seed)
    return np.asarray(rng.normal(size=(n, 32)) * np.exp(0.8 * rng.normal(size=(n, 1))))


def _recall(found: np.ndarray, exact: np.ndarray) -> float:
    return float(np.mean([np.isin(b, f).mean() for b, f in zip(exact, found, strict=True)]))


def test_it_finds_nearly_all_among_factors_where_lists_do_not() -> None:
    """The reason why it is here: 9 in 10 of the best 20, an inverted file far fewer."""
    vectors, query = _factors(5000, seed=1), _factors(100, seed=2)
    exact = ExactIndex(vectors).search(query, 20)
    graph = GraphIndex(vectors)
    assert isinstance(graph, Index)
    assert _recall(graph.search(query, 20), exact) > 0.95
    assert _recall(IvfIndex(vectors, n_probes=8).search(query, 20), exact) < 0.9


def test_a_longer_search_finds_more() -> None:
    vectors, query = _factors(5000, seed=1), _factors(100, seed=2)
    exact = ExactIndex(vectors).search(query, 5)
    graph = GraphIndex(vectors, n_neighbours=4, n_built=20)
    recalls = []
    for graph.n_searched in (5, 50, 500):
        recalls.append(_recall(graph.search(query, 5), exact))
    assert recalls == sorted(recalls)
    assert recalls[-1] > recalls[0] + 0.05


def test_the_same_vectors_give_the_same_answers() -> None:
    vectors, query = _factors(2000, seed=1), _factors(20, seed=2)
    one, other = (GraphIndex(vectors).search(query, 10) for _ in range(2))
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("n_items", [1, 3, 100])
def test_few_items_are_all_found_and_the_rest_stays_empty(n_items: int) -> None:
    found = GraphIndex(_factors(n_items, seed=1)).search(_factors(2, seed=2), n_items + 1)
    np.testing.assert_array_equal(np.sort(found), [range(-1, n_items)] * 2)


@pytest.mark.parametrize("wrong", [{"n_neighbours": 1}, {"n_searched": 0}, {"n_threads": 0}])
def test_settings_that_cannot_be_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(BadInputError, match="expected n_neighbours of at least 2"):
        GraphIndex(_factors(8, seed=1), **wrong)
