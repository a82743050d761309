from __future__ import annotations

import numpy as np
import pytest

from simulator.clustered import Clustered, ratio, ratio_of_sums, variance


def test_a_ratio_by_hand() -> None:
    """Two users: 1 of 2 and 3 of 4; influences (A − r B) / ΣB sum to zero."""
    user = np.array([0, 0, 1, 1, 1, 1])
    told = ratio(user, np.array([1, 0, 1, 1, 1, 0]), 1.0, n_users=2)
    assert told.value == pytest.approx(4 / 6)
    np.testing.assert_allclose(told.influence, [(1 - 4 / 3) / 6, (3 - 8 / 3) / 6])
    assert told.se == pytest.approx(np.sqrt(2 * 2 * (1 / 18) ** 2))
    assert told.n == 6


def test_the_logarithm_and_differences_follow_the_delta_method() -> None:
    rng = np.random.default_rng(1)
    top, bottom = rng.gamma(2.0, size=(2, 50))
    told = ratio_of_sums(top, bottom)
    log = told.log()
    assert log.value == pytest.approx(np.log(told.value))
    np.testing.assert_allclose(log.influence, told.influence / told.value)
    both = log.minus(log, times=0.5)
    assert both.value == pytest.approx(log.value / 2)
    assert both.se == pytest.approx(log.se / 2)


def test_errors_are_right_where_users_differ() -> None:
    """Against the spread over 400 draws of 60 users whose rows resemble each other."""
    values, errors = [], []
    for seed in range(400):
        rng = np.random.default_rng(seed)
        rate = np.repeat(rng.beta(1.0, 3.0, 60), 20)
        told = ratio(np.repeat(np.arange(60), 20), rng.random(1200) < rate, 1.0, n_users=60)
        values.append(told.value)
        errors.append(told.se)
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.1)


def test_a_variance_from_its_moments() -> None:
    x = np.random.default_rng(2).normal(3.0, 2.0, 5000)
    one = np.ones(5000)
    told = variance(ratio_of_sums(x, one), ratio_of_sums(x**2, one))
    assert told.value == pytest.approx(x.var())
    # The variance of a normal's variance: 2 σ⁴ / n.
    assert told.se == pytest.approx(np.sqrt(2 * 16 / 5000), rel=0.1)


def test_nothing_to_divide_by_says_nothing() -> None:
    told = ratio(np.zeros(0, np.int64), np.zeros(0), 1.0, n_users=3)
    assert np.isnan(told.value)
    assert np.isnan(told.log().value)
    assert told.n == 0
    assert np.isnan(Clustered(1.0, np.zeros(1), 1.0).se)
