"""Probabilities as the explore library of Vowpal Wabbit has them, against numbers by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.vw.pmf import at_least, shared_between_ties, synthetic_cover

ALL = np.ones((1, 3), np.bool_)


def test_the_published_cases_of_least_probabilities() -> None:
    """T4, from the library's own tests: zeros raised, and zeros left out."""
    np.testing.assert_allclose(
        at_least(np.array([[1.0, 0.0, 0.0]]), ALL, total=0.3), [[0.8, 0.1, 0.1]]
    )
    np.testing.assert_allclose(
        at_least(np.array([[0.9, 0.1, 0.0]]), ALL, total=0.6, is_even=False), [[0.7, 0.3, 0.0]]
    )
    np.testing.assert_allclose(
        at_least(np.array([[0.5, 0.5, 0.0]]), ALL, total=1.0), np.full((1, 3), 1 / 3)
    )


def test_each_larger_probability_gives_the_same() -> None:
    """By hand: least .1, so .05 are missing, and .6 and .35 give .025 each."""
    drawn = at_least(np.array([[0.6, 0.35, 0.05]]), ALL, total=0.3)
    np.testing.assert_allclose(drawn, [[0.575, 0.325, 0.1]])


@given(
    weights=st.lists(st.floats(0, 1), min_size=1, max_size=8).filter(lambda w: sum(w) > 0.01),
    total=st.floats(0, 1),
    is_even=st.booleans(),
)
def test_least_probabilities_hold_and_keep_the_order(
    weights: list[float], total: float, *, is_even: bool
) -> None:
    pmf = np.array([weights]) / sum(weights)
    drawn = at_least(pmf, np.ones(pmf.shape, np.bool_), total=total, is_even=is_even)
    counted = np.ones(pmf.shape, np.bool_) if is_even else pmf > 0
    assert drawn.sum() == pytest.approx(1.0, abs=1e-12)
    assert (drawn[counted] >= total / counted.sum() - 1e-12).all()
    assert not drawn[~counted].any()
    assert (np.diff(drawn[0, np.argsort(pmf[0], kind="stable")]) >= -1e-12).all()


def test_votes_of_a_made_up_cover_by_hand() -> None:
    """Ten votes that each cost .1: two for 0, then it stands at .2 like the second, and so on."""
    votes = synthetic_cover(np.array([[0.0, 0.25, 9.0]]), ALL, psi=1.0, n_votes=10)
    np.testing.assert_allclose(votes, [[0.6, 0.4, 0.0]])
    even = synthetic_cover(np.zeros((1, 3)), ALL, psi=0.1, n_votes=100)
    np.testing.assert_allclose(even, np.full((1, 3), 1 / 3))


def test_ties_share_within_their_row_and_mask() -> None:
    costs = np.array([[1.0, 1.0, 2.0], [1.0, 1.0, 1.0]])
    pmf = np.array([[0.6, 0.2, 0.2], [0.5, 0.0, 0.5]])
    mask = np.array([[True, True, True], [True, False, True]])
    np.testing.assert_allclose(
        shared_between_ties(pmf, costs, mask), [[0.4, 0.4, 0.2], [0.5, 0.0, 0.5]]
    )
