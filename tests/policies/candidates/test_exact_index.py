from __future__ import annotations

import doctest

import numpy as np

from policies.candidates import exact_index as module
from policies.candidates.exact_index import ExactIndex, Index


def test_the_example_runs() -> None:
    assert doctest.testmod(module).failed == 0


def test_it_finds_what_sorting_all_products_finds() -> None:
    """Over several blocks of rows."""
    rng = np.random.default_rng(1)
    vectors, query = rng.normal(size=(3000, 6)), rng.normal(size=(2000, 6))
    index = ExactIndex(vectors)
    assert isinstance(index, Index)
    expected = np.argsort(-(query @ vectors.T), axis=1)[:, :10]
    np.testing.assert_array_equal(index.search(query, 10), expected)


def test_where_more_is_asked_than_there_is_places_stay_empty() -> None:
    found = ExactIndex(np.ones((2, 1))).search(np.ones((3, 1)), 4)
    np.testing.assert_array_equal(found, [[0, 1, -1, -1]] * 3)
    assert ExactIndex(np.ones((2, 1))).search(np.ones((0, 1)), 4).shape == (0, 4)
