from __future__ import annotations

import doctest

import numpy as np
import pytest

from bandit.errors import BadShapeError
from policies.candidates import deep as module
from policies.candidates.deep import DeepTowers
from policies.candidates.interactions import Interactions
from policies.candidates.towers import Towers, scores_of


def test_the_example_runs() -> None:
    assert doctest.testmod(module).failed == 0


def test_a_score_is_the_context_times_the_item() -> None:
    towers = DeepTowers(3, n_context=2)
    assert isinstance(towers, Towers)
    towers.describe(np.array([[1.0, 0.0], [0.0, 1.0], [2.0, -1.0]]))
    context = np.array([[3.0, 5.0]])
    history = Interactions.none(n_items=3).history(np.array([0]))
    score = scores_of(towers.query(history, context), towers.vectors, np.array([[0, 1, 2]]))
    np.testing.assert_array_equal(score, [[3.0, 5.0, 1.0]])
    np.testing.assert_allclose(towers.chance(score), 1 / (1 + np.exp(-score)))
    np.testing.assert_array_equal(towers.chance(np.array([-1e300, 1e300])), [0.0, 1.0])


def test_scores_stay_when_items_turn_with_the_context() -> None:
    rng = np.random.default_rng(3)
    towers, context = DeepTowers(5, n_context=4), rng.normal(size=(2, 4))
    towers.describe(rng.normal(size=(5, 4)))
    items = np.tile(np.arange(5), (2, 1))
    before = scores_of(context, towers.vectors, items)
    basis, _ = np.linalg.qr(rng.normal(size=(4, 4)))
    towers.rotate(basis, 1.0)
    np.testing.assert_allclose(scores_of(context @ basis.T, towers.vectors, items), before)


def test_a_state_comes_back_and_another_is_refused() -> None:
    towers, other = DeepTowers(3, n_context=2), DeepTowers(3, n_context=2)
    towers.describe(np.random.default_rng(1).normal(size=(3, 2)))
    other.load(towers.state())
    assert other.vectors.tobytes() == towers.vectors.tobytes()
    with pytest.raises(BadShapeError, match=r"expected saved towers\.vectors"):
        DeepTowers(3, n_context=4).load(towers.state())


def test_vectors_of_another_encoder_are_refused() -> None:
    with pytest.raises(BadShapeError, match="of the context's length 2, got 3"):
        DeepTowers(4, n_context=2).describe(np.ones((4, 3)))
