"""Inverse-gap weights worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from bandit.errors import BadInputError
from policies.exploration import inverse_gap, reweighted_inverse_gap

_ALL = np.ones((1, 4), np.bool_)


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


def test_reweighted_gaps_by_hand() -> None:
    """Losses .2, .3, .6, γ = 10: others get .2/(.6 + 1) = 1/8 and .2/(.6 + 4) = 1/23."""
    losses = np.array([[0.2, 0.3, 0.6]])
    pmf = reweighted_inverse_gap(losses, np.ones((1, 3), np.bool_), gamma=10.0)
    np.testing.assert_allclose(pmf, [[1 - 1 / 8 - 1 / 23, 1 / 8, 1 / 23]], atol=1e-15)


def test_at_a_best_loss_of_one_the_weights_are_those_of_squarecb() -> None:
    losses = np.array([[1.0, 1.3, 1.1, 2.0]])
    np.testing.assert_allclose(
        reweighted_inverse_gap(losses, _ALL, gamma=7.0), inverse_gap(-losses, _ALL, gamma=7.0)
    )


def test_a_best_loss_of_nothing_is_greedy_and_shared_between_ties() -> None:
    losses = np.array([[0.0, 0.0, 0.1, 0.0], [0.0, 0.0, 0.0, 0.0]])
    mask = np.array([[True, True, True, False]] * 2)
    pmf = reweighted_inverse_gap(losses, mask, gamma=3.0)
    np.testing.assert_allclose(pmf, [[0.5, 0.5, 0.0, 0.0], [1 / 3, 1 / 3, 1 / 3, 0.0]])


def test_losses_below_nothing_are_refused_unless_they_are_masked() -> None:
    losses = np.array([[-0.1, 0.2, 0.2, 0.2]])
    with pytest.raises(BadInputError, match=r"losses of at least 0, got -0\.1"):
        reweighted_inverse_gap(losses, _ALL, gamma=1.0)
    pmf = reweighted_inverse_gap(losses, np.array([[False, True, True, True]]), gamma=1.0)
    np.testing.assert_allclose(pmf, [[0.0, 1 / 3, 1 / 3, 1 / 3]])
