"""The posterior with intercepts integrated out is the posterior of one dense regression."""

from __future__ import annotations

import numpy as np
import pytest

from policies.models.glm_math import Moments, moments_of_rows, posterior_of, sigmoid


def _rows(n: int = 60) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(3)
    item = rng.integers(-1, 4, n)
    return rng.normal(size=(n, 5)), item, rng.uniform(0.1, 2.0, n), rng.normal(size=n)


def _dense() -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of θ and intercepts together, by one solve."""
    features, item, weight, target = _rows()
    wide = np.concatenate([features, np.eye(5)[item][:, :4]], axis=1)
    prior = np.concatenate([np.arange(1.0, 6.0), np.full(4, 2.5)])
    precision = wide.T @ (wide * weight[:, None]) + np.diag(prior)
    start = np.concatenate([np.full(5, 0.3), np.zeros(4)])
    mean = np.linalg.solve(precision, wide.T @ (weight * target) + prior * start)
    return mean, 0.49 * np.linalg.inv(precision)


@pytest.fixture
def moments() -> Moments:
    """Of the rows above, in two parts."""
    features, item, weight, target = _rows()
    parts = [
        moments_of_rows(
            features[rows],
            item[rows],
            n_items=4,
            weight=weight[rows],
            aim=weight[rows] * target[rows],
        )
        for rows in (slice(0, 25), slice(25, None))
    ]
    return Moments.none(5, 4).plus(parts[0]).plus(parts[1])


def test_it_is_the_dense_posterior(moments: Moments) -> None:
    mean, covariance = _dense()
    found = posterior_of(
        moments, prior=np.arange(1.0, 6.0), prior_mean=np.full(5, 0.3), item_prior=2.5, noise=0.49
    )
    np.testing.assert_allclose(found.mean, mean[:5], rtol=1e-10)
    np.testing.assert_allclose(found.item_mean, mean[5:], rtol=1e-10)
    spread = 0.49 * found.factor @ found.factor.T
    np.testing.assert_allclose(spread, covariance[:5, :5], rtol=1e-9)
    dense, items = found.variances()
    np.testing.assert_allclose(dense, np.diag(covariance)[:5], rtol=1e-9)
    np.testing.assert_allclose(items, np.diag(covariance)[5:], rtol=1e-9)


def test_draws_have_the_dense_covariance_crosses_included(moments: Moments) -> None:
    _, covariance = _dense()
    found = posterior_of(
        moments, prior=np.arange(1.0, 6.0), prior_mean=np.full(5, 0.3), item_prior=2.5, noise=0.49
    )
    rng = np.random.default_rng(4)
    theta, own = found.away(rng.standard_normal((200_000, 5)), rng.standard_normal((200_000, 4)))
    drawn = np.cov(np.concatenate([theta, own], axis=1).T)
    error = np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)))
    assert (np.abs(drawn - covariance) < 0.02 * error + 1e-6).all()


def test_a_discount_and_a_turn_are_those_of_the_rows(moments: Moments) -> None:
    features, item, weight, target = _rows()
    turn, _ = np.linalg.qr(np.random.default_rng(5).normal(size=(5, 5)))
    rows = moments_of_rows(
        features @ turn.T, item, n_items=4, weight=0.5 * weight, aim=0.5 * weight * target
    )
    turned = moments.times(0.5).turned(turn)
    for name in Moments.__slots__:
        np.testing.assert_allclose(getattr(turned, name), getattr(rows, name), atol=1e-12)


def test_without_items_there_are_no_intercepts() -> None:
    features, _, weight, target = _rows()
    none = np.full(60, -1)
    moments = moments_of_rows(features, none, n_items=0, weight=weight, aim=weight * target)
    found = posterior_of(
        moments, prior=np.ones(5), prior_mean=np.zeros(5), item_prior=1.0, noise=1.0
    )
    precision = features.T @ (features * weight[:, None]) + np.eye(5)
    np.testing.assert_allclose(
        found.mean, np.linalg.solve(precision, features.T @ (weight * target)), rtol=1e-10
    )
    assert found.item_mean.shape == (0,)


def test_the_sigmoid_does_not_overflow() -> None:
    np.testing.assert_allclose(sigmoid(np.array([-1e4, 0.0, 1e4])), [0.0, 0.5, 1.0])
    np.testing.assert_allclose(sigmoid(np.array([-2.0])), 1.0 / (1.0 + np.exp(2.0)), rtol=1e-14)


def test_row_by_row_is_all_at_once() -> None:
    """Rank-one updates of the factor, intercepts included, some rows without one."""
    features, item, weight, target = _rows()
    prior = {"prior": np.arange(1.0, 6.0), "prior_mean": np.full(5, 0.3)}
    found = posterior_of(Moments.none(5, 4), **prior, item_prior=2.5, noise=0.49)
    for n in range(60):
        found = found.with_row(
            features[n], int(item[n]), weight=float(weight[n]), aim=float(weight[n] * target[n])
        )
    rows = moments_of_rows(features, item, n_items=4, weight=weight, aim=weight * target)
    once = posterior_of(rows, **prior, item_prior=2.5, noise=0.49)
    np.testing.assert_allclose(found.mean, once.mean, rtol=1e-10)
    np.testing.assert_allclose(found.item_mean, once.item_mean, rtol=1e-10)
    np.testing.assert_allclose(found.own, once.own, rtol=1e-12)
    np.testing.assert_allclose(
        found.factor @ found.factor.T, once.factor @ once.factor.T, rtol=1e-9, atol=1e-12
    )
    for mine, other in zip(found.variances(), once.variances(), strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-9)


def test_a_row_that_says_nothing_changes_no_spread() -> None:
    none = posterior_of(
        Moments.none(5, 0), prior=np.ones(5), prior_mean=np.zeros(5), item_prior=1.0, noise=1.0
    )
    after = none.with_row(np.zeros(5), -1, weight=1.0, aim=3.0)
    np.testing.assert_array_equal(after.factor, none.factor)
    np.testing.assert_array_equal(after.mean, none.mean)
