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


def test_far_from_zero_a_price_grows_by_its_share() -> None:
    """At a growth of .5 and steps of 1: (λ + 2)·e^(g/2) − 2, from 0 by g = 1: 1.297, 3.437."""
    prices = prices_of(np.ones((2, 1)), np.zeros(1), step=1.0, growth=0.5)
    np.testing.assert_allclose(prices[:, 0], [0.0, 2 * np.exp(0.5) - 2, 2 * np.exp(1.0) - 2])
    np.testing.assert_allclose(overuse_bound(prices, step=1.0, growth=0.5), [2.0])
    small = prices_of(np.ones((2, 1)), np.zeros(1), step=1.0, growth=1e-9)
    np.testing.assert_allclose(small[:, 0], [0.0, 1.0, 2.0], rtol=1e-6)


def test_a_price_a_thousand_steps_away_is_reached_in_tens_of_periods() -> None:
    """ln(1 + .1 · 1000) / .1 = 46.2 budgets too many, instead of a thousand."""
    prices = prices_of(np.ones((60, 1)), np.zeros(1), step=0.001, growth=0.1)
    assert int((prices[:, 0] < 1.0).sum()) == 47


def test_enormous_use_ends_at_the_highest_price() -> None:
    prices = prices_of(np.full((2, 1), 1e9), np.zeros(1), step=0.01, growth=0.1, highest=1.0)
    np.testing.assert_array_equal(prices[1:], 1.0)
