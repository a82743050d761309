from __future__ import annotations

import numpy as np
import pytest

from bandit.errors import BadInputError
from policies.candidates.exact_index import ExactIndex, Index
from policies.candidates.ivf_index import IvfIndex


def _gathered(n: int, *, seed: int) -> np.ndarray:
    """Vectors around fifty centres."""
    centres = np.random.default_rng(9).normal(size=(50, 16))
    rng = np.random.default_rng(seed)
    return np.asarray(centres[rng.integers(0, 50, n)] + 0.5 * rng.normal(size=(n, 16)))


def _recall(found: np.ndarray, exact: np.ndarray) -> float:
    return float(np.mean([len(set(a) & set(b)) for a, b in zip(found, exact, strict=True)])) / 10


def test_looking_into_every_list_is_exact() -> None:
    vectors, query = _gathered(2000, seed=1), _gathered(50, seed=2)
    index = IvfIndex(vectors, n_lists=20, n_probes=20)
    assert isinstance(index, Index)
    exact = ExactIndex(vectors).search(query, 10)
    assert _recall(index.search(query, 10), exact) > 0.999


def test_more_probes_find_more() -> None:
    vectors, query = _gathered(5000, seed=1), _gathered(100, seed=2)
    exact = ExactIndex(vectors).search(query, 10)
    recalls = [
        _recall(IvfIndex(vectors, n_lists=64, n_probes=n).search(query, 10), exact)
        for n in (1, 4, 16)
    ]
    assert recalls == sorted(recalls)
    assert recalls[-1] > 0.95


def test_the_same_vectors_give_the_same_answers() -> None:
    vectors, query = _gathered(3000, seed=1), _gathered(20, seed=2)
    one, other = (IvfIndex(vectors, n_probes=2).search(query, 10) for _ in range(2))
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("n_items", [1, 3, 100])
def test_few_items_are_all_found_and_the_rest_stays_empty(n_items: int) -> None:
    found = IvfIndex(_gathered(n_items, seed=1)).search(_gathered(2, seed=2), n_items + 1)
    np.testing.assert_array_equal(np.sort(found), [range(-1, n_items)] * 2)


@pytest.mark.parametrize("wrong", [{"n_lists": 0}, {"n_lists": 9}, {"n_probes": 0}])
def test_settings_that_cannot_be_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(BadInputError, match="expected 1 to 8 lists, and probes"):
        IvfIndex(_gathered(8, seed=1), **wrong)
