from __future__ import annotations

import doctest

import numpy as np
import pytest
from sklearn.metrics.pairwise import cosine_similarity

from bandit.errors import BadInputError, BadShapeError
from policies.candidates import content as module
from policies.candidates.content import ContentTowers
from policies.candidates.interactions import Interactions
from policies.candidates.towers import Towers, scores_of

_NO_CONTEXT = np.zeros((4, 0))


def test_the_example_runs() -> None:
    assert doctest.testmod(module).failed == 0


def test_scores_are_the_cosines_of_scikit_learn() -> None:
    """Of the sum of weighted unit vectors with every item."""
    rng = np.random.default_rng(2)
    features = rng.normal(size=(9, 5))
    user, item = rng.integers(0, 4, 30), rng.integers(0, 9, 30)
    some = Interactions.none(n_items=9).plus(user, item)
    towers = ContentTowers(9)
    towers.describe(features)
    assert isinstance(towers, Towers)
    query = towers.query(some.history(np.arange(4)), _NO_CONTEXT)
    counts = np.zeros((4, 9))
    np.add.at(counts, (user, item), 1.0)
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    items = np.tile(np.arange(9), (4, 1))
    np.testing.assert_allclose(
        scores_of(query, towers.vectors, items), cosine_similarity(counts @ unit, features)
    )


def test_a_profile_worked_by_hand() -> None:
    """Two of (1, 0), one of (0, 2): (2, 1)/√5; the cosine with (3, 4) is 10/(5·√5)."""
    towers = ContentTowers(3)
    towers.describe(np.array([[1.0, 0.0], [0.0, 2.0], [3.0, 4.0]]))
    some = Interactions.none(n_items=3).plus(np.array([0, 0, 0]), np.array([0, 0, 1]))
    query = towers.query(some.history(np.array([0])), np.zeros((1, 0)))
    np.testing.assert_allclose(query, [[2 / 5**0.5, 1 / 5**0.5]])
    score = scores_of(query, towers.vectors, np.array([[2]]))
    np.testing.assert_allclose(score, [[2 / 5**0.5]])
    np.testing.assert_allclose(towers.chance(score), [[0.5 + 1 / 5**0.5]])


def test_strangers_want_nothing_in_particular() -> None:
    towers = ContentTowers(2)
    towers.describe(np.eye(2))
    some = Interactions.none(n_items=2).plus(np.array([1, 2]), np.array([0, 0]))
    towers.fit(some.everybody())
    np.testing.assert_array_equal(towers.query(some.history(np.array([9])), np.zeros((1, 0))), 0.0)


def test_an_item_without_features_is_like_none() -> None:
    towers = ContentTowers(2)
    towers.describe(np.array([[0.0, 0.0], [0.0, 5.0]]))
    np.testing.assert_array_equal(towers.vectors, [[0.0, 0.0], [0.0, 1.0]])


def test_a_state_comes_back_and_another_is_refused() -> None:
    towers, other = ContentTowers(3), ContentTowers(3)
    towers.describe(np.random.default_rng(1).normal(size=(3, 4)))
    other.load(towers.state())
    for name, array in towers.state().items():
        assert other.state()[name].tobytes() == array.tobytes()
    with pytest.raises(BadShapeError, match=r"expected saved towers\.vectors"):
        ContentTowers(4).load(towers.state())


def test_vectors_that_do_not_fit_are_refused() -> None:
    with pytest.raises(BadShapeError, match="one row an item"):
        ContentTowers(3).describe(np.ones((2, 4)))
    with pytest.raises(BadInputError, match="expected finite item vectors"):
        ContentTowers(1).describe(np.array([[np.nan]]))
