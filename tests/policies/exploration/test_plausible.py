"""Elimination by confidence bounds, by hand."""

from __future__ import annotations

import numpy as np

from policies.exploration import plausible


def test_what_cannot_be_best_is_out() -> None:
    """The highest lower bound is .3: an upper bound of .3 stays, one of .2 goes."""
    lower = np.array([[0.3, 0.1, 0.0, -1.0]])
    upper = np.array([[0.5, 0.3, 0.2, 9.0]])
    mask = np.array([[True, True, True, False]])
    np.testing.assert_array_equal(plausible(lower, upper, mask), [[True, True, False, False]])


def test_a_masked_action_eliminates_nobody() -> None:
    lower, upper = np.array([[0.0, 5.0]]), np.array([[1.0, 6.0]])
    mask = np.array([[True, False]])
    np.testing.assert_array_equal(plausible(lower, upper, mask), [[True, False]])
