from __future__ import annotations

import numpy as np

from policies.budgets.dual_math import excess_of, overuse_bound, prices_of, slack_bound


def test_three_periods_by_hand() -> None:
    """Budget 10; use 15, 20, 0: g = .5, 1, −1; λ = 0, .05, .15, .05 at a step of .1."""
    excess = excess_of(np.array([[15.0], [20.0], [0.0]]), np.array([10.0]), np.ones((3, 1)))
    np.testing.assert_allclose(excess[:, 0], [0.5, 1.0, -1.0])
    prices = prices_of(excess, np.zeros(1), step=0.1, highest=1.0)
    np.testing.assert_allclose(prices[:, 0], [0.0, 0.05, 0.15, 0.05])
    np.testing.assert_allclose(overuse_bound(prices, step=0.1), [0.5])
    # −Σ λg = −(0 + .05 − .15) = .1; .05 · 2.25 − .0025 / .2 = .1: no price was cut at zero
    np.testing.assert_allclose(slack_bound(excess, prices, step=0.1), [0.1])


def test_a_period_of_which_a_part_counts_has_that_part_of_the_budget() -> None:
    share = np.array([[0.5], [0.0]])
    excess = excess_of(np.array([[7.0], [3.0]]), np.array([10.0]), share)
    np.testing.assert_allclose(excess[:, 0], [0.2, 0.0])
