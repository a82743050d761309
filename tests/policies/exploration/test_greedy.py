"""Greedy explorations against published numbers and numbers worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from bandit.errors import BadInputError, BadPmfError, BadShapeError
from policies.exploration import at_least, best_action, epsilon_greedy, softmax, uniform, votes

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


def test_a_vote_of_everybody_is_all_the_mass() -> None:
    """Vowpal Wabbit's own test of bagging."""
    scores = np.zeros((1, 5, 3))
    scores[:, :, 0] = 1.0
    np.testing.assert_array_equal(votes(scores, np.ones((1, 3), np.bool_)), [[1.0, 0.0, 0.0]])


def test_votes_are_counted_and_normalised() -> None:
    """Vowpal Wabbit's own test of normalising: 1, 2, 3, 4 and 5 votes out of 15."""
    scores = np.eye(5)[np.repeat(np.arange(5), np.arange(1, 6))][None]  # (1, 15, 5)
    shares = votes(scores, np.ones((1, 5), np.bool_))
    np.testing.assert_allclose(shares, [[0.0667, 0.1333, 0.2, 0.2667, 0.3333]], atol=1e-4)


def test_a_voter_who_is_undecided_splits_the_vote_between_unmasked_actions() -> None:
    scores = np.array([[[1.0, 1.0, 1.0], [0.0, 2.0, 0.0]]])
    mask = np.array([[True, True, False]])
    np.testing.assert_allclose(votes(scores, mask), [[0.25, 0.75, 0.0]])
    with pytest.raises(BadShapeError, match="one voter or more"):
        votes(np.zeros((1, 0, 3)), mask)
    with pytest.raises(BadShapeError, match=r"on actions \(1, 3\), got \(1, 2, 4\)"):
        votes(np.zeros((1, 2, 4)), mask)


@pytest.mark.parametrize(
    ("pmf", "total", "raises_zeros", "expected"),
    [
        ([1.0, 0.0, 0.0], 0.3, True, [0.8, 0.1, 0.1]),
        ([0.9, 0.1, 0.0], 0.6, False, [0.7, 0.3, 0.0]),
        ([0.9, 0.1, 0.0], 1.0, False, [0.5, 0.5, 0.0]),
        ([0.9, 0.1, 0.0], 1.0, True, [1 / 3, 1 / 3, 1 / 3]),
        ([0.2, 0.3, 0.5], 0.0, True, [0.2, 0.3, 0.5]),
    ],
)
def test_least_probabilities_are_the_published_ones(
    pmf: list[float], total: float, raises_zeros: bool, expected: list[float]
) -> None:
    """The first two are Vowpal Wabbit's own tests; the others by hand."""
    row = np.array([pmf])
    got = at_least(row, np.ones((1, 3), np.bool_), total=total, raises_zeros=raises_zeros)
    np.testing.assert_allclose(got, [expected], atol=1e-15)


def test_what_falls_below_the_least_while_others_rise_is_raised_as_well() -> None:
    """Least .2 of four: raising the zeros would leave .21 · .6 = .126 < .2, so .2 it is."""
    got = at_least(np.array([[0.79, 0.21, 0.0, 0.0]]), _ALL, total=0.8)
    np.testing.assert_allclose(got, [[0.4, 0.2, 0.2, 0.2]], atol=1e-15)


def test_every_row_may_have_a_least_of_its_own_and_masks_do_not_count() -> None:
    mask = np.array([[True, True, False, False]] * 2)
    pmf = np.array([[1.0, 0.0, 0.0, 0.0]] * 2)
    got = at_least(pmf, mask, total=np.array([[0.2], [0.5]]))
    np.testing.assert_allclose(got, [[0.9, 0.1, 0.0, 0.0], [0.75, 0.25, 0.0, 0.0]], atol=1e-15)


def test_least_probabilities_that_are_none_are_refused() -> None:
    with pytest.raises(BadInputError, match=r"a total in \[0, 1\], got 1.5"):
        at_least(np.array([[1.0, 0.0, 0.0, 0.0]]), _ALL, total=1.5)
    with pytest.raises(BadPmfError, match="got one without probability"):
        at_least(np.zeros((1, 4)), _ALL, total=0.1, raises_zeros=False)
