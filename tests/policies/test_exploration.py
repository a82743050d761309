"""Exploration functions against published numbers and numbers worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from bandit.errors import BadInputError, BadShapeError
from policies.exploration import (
    best_action,
    epsilon_greedy,
    inverse_gap,
    softmax,
    uniform,
)

_ALL = np.ones((1, 4), np.bool_)


def test_epsilon_greedy_gives_the_published_probabilities() -> None:
    """Vowpal Wabbit's own test: ε = .4, best of four is the third."""
    pmf = epsilon_greedy(np.array([[0.0, 0.0, 1.0, 0.0]]), _ALL, epsilon=0.4)
    np.testing.assert_allclose(pmf, [[0.1, 0.1, 0.7, 0.1]], atol=1e-15)


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([1.0, 2.0, 3.0, 8.0], [0.128, 0.157, 0.192, 0.522]),
        ([1.0, 2.0, 3.0], [0.269, 0.328, 0.401]),
    ],
)
def test_softmax_gives_the_published_probabilities(
    scores: list[float], expected: list[float]
) -> None:
    """Vowpal Wabbit's own test at λ = .2, to its 1e-3."""
    row = np.array([scores])
    pmf = softmax(row, np.ones(row.shape, np.bool_), inverse_temperature=0.2)
    np.testing.assert_allclose(pmf[0], expected, atol=1e-3)


def test_softmax_survives_scores_that_overflow_an_exponential() -> None:
    pmf = softmax(np.array([[1e300, -1e300, 0.0, 1e300]]), _ALL, inverse_temperature=1.0)
    np.testing.assert_array_equal(pmf, [[0.5, 0.0, 0.0, 0.5]])


def test_inverse_gap_weights_by_hand() -> None:
    """A = 3, γ = 10, gaps 0, .1, .4: others get 1/(3 + 1) and 1/(3 + 4), the best the rest."""
    pmf = inverse_gap(np.array([[0.5, 0.4, 0.1]]), np.ones((1, 3), np.bool_), gamma=10.0)
    np.testing.assert_allclose(pmf[0], [1 - 1 / 4 - 1 / 7, 1 / 4, 1 / 7], atol=1e-15)


def test_inverse_gap_counts_only_unmasked_actions() -> None:
    mask = np.array([[True, False, True]])
    pmf = inverse_gap(np.array([[0.5, 9.0, 0.1]]), mask, gamma=10.0)
    np.testing.assert_allclose(pmf[0], [1 - 1 / 6, 0.0, 1 / 6], atol=1e-15)


def test_inverse_gap_is_uniform_without_gamma_and_greedy_with_a_huge_one() -> None:
    scores = np.array([[0.5, 0.4, 0.1, 0.2]])
    np.testing.assert_allclose(inverse_gap(scores, _ALL, gamma=0.0), np.full((1, 4), 0.25))
    np.testing.assert_allclose(inverse_gap(scores, _ALL, gamma=1e15), [[1, 0, 0, 0]], atol=1e-12)


def test_exact_ties_share_the_probability_of_the_best() -> None:
    scores = np.array([[2.0, 1.0, 2.0, 2.0]])
    mask = np.array([[True, True, True, False]])
    np.testing.assert_array_equal(best_action(scores, mask), [[0.5, 0.0, 0.5, 0.0]])


def test_uniform_spreads_over_unmasked_actions_only() -> None:
    mask = np.array([[True, False, True, True]])
    np.testing.assert_allclose(uniform(mask), [[1 / 3, 0.0, 1 / 3, 1 / 3]])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_are_refused(bad: float) -> None:
    with pytest.raises(BadInputError, match="expected finite scores"):
        best_action(np.array([[0.0, bad, 0.0, 0.0]]), _ALL)


def test_scores_that_are_not_finite_do_not_matter_where_masked() -> None:
    mask = np.array([[True, False, True, True]])
    pmf = best_action(np.array([[0.0, np.nan, 1.0, 0.0]]), mask)
    np.testing.assert_array_equal(pmf, [[0.0, 0.0, 1.0, 0.0]])


def test_a_forgotten_hold_column_is_named() -> None:
    with pytest.raises(BadShapeError, match="did you forget the hold column"):
        best_action(np.zeros((1, 3)), _ALL)


@pytest.mark.parametrize("bad", [-1.0, np.nan, np.array([[2.0], [-1.0]])])
def test_a_gamma_that_is_none_is_refused(bad: float) -> None:
    with pytest.raises(BadInputError, match=r"gamma of at least 0, got (-1|nan)"):
        inverse_gap(np.zeros((2, 4)), np.ones((2, 4), np.bool_), gamma=bad)


def test_every_row_may_have_a_gamma_of_its_own() -> None:
    scores = np.array([[0.5, 0.4, 0.1], [0.5, 0.4, 0.1]])
    mask = np.ones((2, 3), np.bool_)
    both = inverse_gap(scores, mask, gamma=np.array([[10.0], [20.0]]))
    for row, gamma in enumerate((10.0, 20.0)):
        np.testing.assert_array_equal(both[row], inverse_gap(scores, mask, gamma=gamma)[row])


def test_scores_are_not_written_to() -> None:
    scores = np.array([[2.0, 1.0, 2.0, 2.0]])
    inverse_gap(scores, _ALL, gamma=1.0)
    np.testing.assert_array_equal(scores, [[2.0, 1.0, 2.0, 2.0]])


@pytest.mark.parametrize("bad", [-0.1, 1.1, np.nan])
def test_an_epsilon_that_is_no_probability_is_refused(bad: float) -> None:
    with pytest.raises(BadInputError, match=r"expected epsilon in \[0, 1\]"):
        epsilon_greedy(np.zeros((1, 4)), _ALL, epsilon=bad)


def test_softmax_without_an_inverse_temperature_is_uniform_over_the_unmasked() -> None:
    mask = np.array([[True, False, True, True]])
    pmf = softmax(np.array([[0.0, 5.0, 1e12, -3.0]]), mask, inverse_temperature=0.0)
    np.testing.assert_allclose(pmf, [[1 / 3, 0.0, 1 / 3, 1 / 3]])
    for bad in (-1.0, np.nan, np.inf):
        with pytest.raises(BadInputError, match=f"inverse_temperature of at least 0, got {bad}"):
            softmax(np.zeros((1, 4)), _ALL, inverse_temperature=bad)
