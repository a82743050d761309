"""Linear mathematics against slow, obvious implementations and published numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from policies.models.linear_math import (
    best_shares,
    factor_of_covariance,
    joint_features,
    moments_of,
    pair_scores,
    pair_variances,
    posterior_draws,
    posterior_mean,
    shares_of,
)


@pytest.fixture(scope="module")
def arms(golden: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    """Expectations of mabwiser 2.7.4 on its own ten contexts and three arms."""
    return golden("policies_linear_arms")


def test_joint_features_are_base_and_outer_product_by_hand() -> None:
    phi = joint_features(
        np.array([[5.0], [6.0]]),
        np.array([[1.0, 2.0], [1.0, 2.0]]),
        np.array([[3.0, 4.0], [3.0, 4.0]]),
        np.array([True, False]),
    )
    np.testing.assert_array_equal(phi, [[1, 5, 3, 4, 6, 8], [1, 6, 0, 0, 0, 0]])


def test_moments_equal_a_sum_over_rows() -> None:
    rng = np.random.default_rng(0)
    phi, y, w = rng.normal(size=(20, 4)), rng.normal(size=(20, 3)), rng.random((20, 3))
    w[:, 2] = w[:, 0]
    precision, moment = moments_of(phi, w * y, w)
    for r in range(3):
        slow = sum(w[i, r] * np.outer(phi[i], phi[i]) for i in range(20))
        np.testing.assert_allclose(precision[r], slow, rtol=1e-12)
        slow_moment = sum(w[i, r] * y[i, r] * phi[i] for i in range(20))
        np.testing.assert_allclose(moment[r], slow_moment, rtol=1e-12, atol=1e-14)


def test_posterior_mean_is_ridge_regression() -> None:
    """Ridge as a least-squares problem with √λ rows appended, solved by another routine."""
    rng = np.random.default_rng(1)
    phi, y = rng.normal(size=(50, 6)), rng.normal(size=(50, 1))
    precision, moment = moments_of(phi, y, np.ones((50, 1)))
    mean = posterior_mean(factor_of_covariance(precision[0], prior=2.5), moment[0])
    stacked = np.concatenate([phi, np.sqrt(2.5) * np.eye(6)])
    ridge, *_ = np.linalg.lstsq(stacked, np.concatenate([y[:, 0], np.zeros(6)]), rcond=None)
    np.testing.assert_allclose(mean, ridge, atol=1e-14)


def test_a_batch_equals_its_rows_one_by_one() -> None:
    rng = np.random.default_rng(2)
    phi, y = rng.normal(size=(200, 5)), rng.normal(size=(200, 1))
    whole, moment = moments_of(phi, y, np.ones((200, 1)))
    parts = [moments_of(phi[i : i + 1], y[i : i + 1], np.ones((1, 1))) for i in range(200)]
    mean = posterior_mean(factor_of_covariance(whole[0], prior=1.0), moment[0])
    precision, moment = sum(p for p, _ in parts), sum(m for _, m in parts)
    one_by_one = posterior_mean(factor_of_covariance(precision[0], prior=1.0), moment[0])
    np.testing.assert_allclose(mean, one_by_one, atol=1e-15)


def test_one_observation_gives_the_posterior_worked_by_hand() -> None:
    """λ = 1, φ = (1, 1), y = 3: mean (1, 1), covariance [[2, −1], [−1, 2]] / 3."""
    precision, moment = moments_of(np.ones((1, 2)), np.array([[3.0]]), np.ones((1, 1)))
    factor = factor_of_covariance(precision[0], prior=1.0)
    np.testing.assert_allclose(posterior_mean(factor, moment[0]), [1.0, 1.0], atol=1e-15)
    np.testing.assert_allclose(factor @ factor.T, np.array([[2, -1], [-1, 2]]) / 3, atol=1e-15)


def test_disjoint_arms_give_the_published_upper_bounds(arms: dict[str, Any]) -> None:
    """Every α and λ of the stored table, to 1e-12: one ridge an arm is one block of ζ."""
    contexts, queries = np.array(arms["contexts"], float), np.array(arms["queries"], float)
    chosen = np.eye(3)[np.array(arms["decisions"]) - 1]
    phi = (chosen[:, :, None] * contexts[:, None, :]).reshape(len(contexts), -1)
    rewards = np.array(arms["rewards"], float)[:, None]
    data, moment = moments_of(phi, rewards, np.ones_like(rewards))
    for row in arms["linucb"]:
        factor = factor_of_covariance(data[0], prior=row["l2"])
        mean = posterior_mean(factor, moment[0])
        for query, expected in zip(queries, row["expectations"], strict=True):
            zeta = np.kron(np.eye(3), query)
            bound = zeta @ mean + row["alpha"] * np.linalg.norm(zeta @ factor, axis=1)
            np.testing.assert_allclose(bound, expected, atol=1e-12)


def test_disjoint_arms_draw_what_the_peer_draws(arms: dict[str, Any]) -> None:
    """Means and standard deviations of 20,000 of its posterior draws, within 5 standard errors."""
    contexts, queries = np.array(arms["contexts"], float), np.array(arms["queries"], float)
    chosen = np.eye(3)[np.array(arms["decisions"]) - 1]
    phi = (chosen[:, :, None] * contexts[:, None, :]).reshape(len(contexts), -1)
    rewards = np.array(arms["rewards"], float)[:, None]
    data, moment = moments_of(phi, rewards, np.ones_like(rewards))
    peer = arms["lints"]
    factor = factor_of_covariance(data[0], prior=peer["l2"])
    mean = posterior_mean(factor, moment[0])
    theta = posterior_draws(
        mean, factor, scale=peer["alpha"], n_draws=20_000, rng=np.random.default_rng(3)
    )
    for q, query in enumerate(queries):
        drawn = theta @ np.kron(np.eye(3), query).T
        se = np.array(peer["sd"][q]) / np.sqrt(peer["n_draws"]) * np.sqrt(2)
        assert (np.abs(drawn.mean(axis=0) - peer["mean"][q]) < 5 * se).all()
        assert (np.abs(drawn.std(axis=0) - peer["sd"][q]) < 5 * se / np.sqrt(2)).all()


def test_posterior_draws_have_the_posteriors_covariance() -> None:
    rng = np.random.default_rng(4)
    phi = rng.normal(size=(30, 3))
    data = phi.T @ phi
    draws = posterior_draws(
        np.array([1.0, -2.0, 0.5]),
        factor_of_covariance(data, prior=1.0),
        scale=2.0,
        n_draws=200_000,
        rng=rng,
    )
    np.testing.assert_allclose(draws.mean(axis=0), [1.0, -2.0, 0.5], atol=0.01)
    np.testing.assert_allclose(np.cov(draws.T), 4 * np.linalg.inv(data + np.eye(3)), atol=0.005)


@pytest.mark.parametrize("n_rows", [0, 1, 7, 600])
def test_pair_scores_equal_materialised_features(n_rows: int) -> None:
    rng = np.random.default_rng(5)
    item, slot = rng.normal(size=(n_rows, 5, 3)), rng.normal(size=(n_rows, 4, 2))
    theta = rng.normal(size=6)
    zeta = np.einsum("nki,nsj->nksij", item, slot).reshape(n_rows, 20, 6)
    np.testing.assert_allclose(pair_scores(item, slot, theta), zeta @ theta, atol=1e-13)


def test_pair_variances_equal_materialised_features() -> None:
    rng = np.random.default_rng(6)
    item, slot = rng.normal(size=(9, 5, 3)), rng.normal(size=(9, 4, 2))
    root = rng.normal(size=(6, 6))
    covariance = root @ root.T
    zeta = np.einsum("nki,nsj->nksij", item, slot).reshape(9, 20, 6)
    slow = np.einsum("nap,pq,naq->na", zeta, covariance, zeta)
    np.testing.assert_allclose(pair_variances(item, slot, covariance), slow, rtol=1e-10)


@pytest.mark.parametrize("n", [1, 2, 33, 100, 257])
def test_the_factor_of_a_covariance_is_a_root_of_the_inverse(n: int) -> None:
    """Below, at and beyond the sizes at which a triangular matrix is halved."""
    phi = np.random.default_rng(n).normal(size=(n + 5, n))
    data = phi.T @ phi
    factor = factor_of_covariance(data, prior=0.5)
    np.testing.assert_array_equal(factor, np.triu(factor))
    np.testing.assert_allclose(
        factor @ factor.T, np.linalg.inv(data + 0.5 * np.eye(n)), rtol=1e-9, atol=1e-12
    )


def test_data_too_ill_conditioned_for_a_cholesky_factor_still_give_a_posterior() -> None:
    """Twin features of size 1e5 and ten thousand rows: 1e14 beside a prior of 1e-3.

    Their difference was never observed, so it keeps the prior's spread 1/λ; their sum is known.
    """
    data = 1e14 * np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1e-13]])
    with pytest.raises(np.linalg.LinAlgError):
        np.linalg.cholesky(data + 1e-3 * np.eye(3))
    factor = factor_of_covariance(data, prior=1e-3)
    covariance = factor @ factor.T
    apart, together = np.array([1.0, -1.0, 0.0]), np.array([1.0, 1.0, 0.0])
    assert apart @ covariance @ apart == pytest.approx(2 / 1e-3, rel=1e-3)
    assert together @ covariance @ together < 1e-12
    assert covariance[2, 2] == pytest.approx(1 / 10.001)


def test_variances_and_shares_of_many_rows_equal_those_of_few() -> None:
    """Beyond one chunk of rows, and not in step with it."""
    rng = np.random.default_rng(8)
    item, slot = rng.normal(size=(701, 30, 6)), rng.normal(size=(701, 24, 4))
    root, theta = rng.normal(size=(24, 24)), rng.normal(size=(50, 24))
    mask = rng.random((701, 721)) < 0.5
    variances = pair_variances(item, slot, root @ root.T)
    shares = best_shares(item, slot, theta, send_value=0.1, mask=mask)
    for rows in (slice(0, 1), slice(350, 353), slice(699, 701)):
        some = pair_variances(item[rows], slot[rows], root @ root.T)
        np.testing.assert_allclose(variances[rows], some, rtol=1e-12)
        few = best_shares(item[rows], slot[rows], theta, send_value=0.1, mask=mask[rows])
        np.testing.assert_allclose(shares[rows], few, atol=1e-12)


def test_draws_that_agree_put_everything_on_their_choice() -> None:
    item, slot = np.array([[[1.0], [2.0], [-1.0]]]), np.ones((1, 1, 1))
    shares = best_shares(
        item, slot, np.ones((5, 1)), send_value=0.0, mask=np.ones((1, 4), np.bool_)
    )
    np.testing.assert_array_equal(shares, [[0.0, 0.0, 1.0, 0.0]])


def test_shares_by_hand_with_a_mask_a_cost_and_a_tie() -> None:
    """Items 1, 2, 2 under θ = 1, −1, .05, 3: two twins, hold, hold (the cost eats .1), twins."""
    item, slot = np.array([[[1.0], [2.0], [2.0]]] * 2), np.ones((2, 1, 1))
    theta = np.array([[1.0], [-1.0], [0.05], [3.0]])
    mask = np.array([[True, True, True, True], [False, True, False, True]])
    shares = best_shares(item, slot, theta, send_value=-0.2, mask=mask)
    np.testing.assert_allclose(shares, [[0.5, 0, 0.25, 0.25], [0, 0.25, 0, 0.75]], atol=1e-12)


def test_shares_equal_a_slow_count_over_draws() -> None:
    rng = np.random.default_rng(7)
    item, slot = rng.normal(size=(70, 5, 3)), rng.normal(size=(70, 4, 2))
    theta = rng.normal(size=(40, 6))
    mask = rng.random((70, 21)) < 0.6
    mask[:, 0] |= ~mask.any(axis=1)
    zeta = np.einsum("nki,nsj->nksij", item, slot).reshape(70, 20, 6)
    values = np.zeros((70, 21, 40))
    values[:, 1:] = zeta @ theta.T - 0.05
    values[~mask] = -np.inf
    chosen = values.argmax(axis=1)
    slow = np.stack([(chosen == action).mean(axis=1) for action in range(21)], axis=1)
    fast = best_shares(item, slot, theta, send_value=-0.05, mask=mask)
    np.testing.assert_allclose(fast, slow, atol=1e-12)


def test_shares_are_those_of_the_obvious_loop() -> None:
    """Ties or none, any mask, known worths of a row and draw: votes of each draw shared equally."""
    rng = np.random.default_rng(0)
    for trial in range(120):
        n, m, s, k = (int(rng.integers(1, most)) for most in (5, 6, 4, 5))
        drawn = rng.integers(-2, 3, (n, m, s * k)) if trial % 2 else rng.normal(size=(n, m, s * k))
        scores = drawn.astype(np.float32)
        mask = rng.random((n, 1 + s * k)) < (1.0 if trial % 3 == 0 else 0.6)
        mask[np.arange(n), rng.integers(0, 1 + s * k, n)] = True
        known = rng.integers(-1, 2, (n, m)) if trial % 2 else rng.normal(size=(n, m))
        wanted = np.zeros(mask.shape)
        for row, draw in np.ndindex(n, m):
            by_item = scores[row, draw].reshape(s, k).T.ravel()
            worth = np.append(-np.float32(known[row, draw]), by_item)
            is_best = np.where(mask[row], worth, -np.inf)
            wanted[row] += (is_best == is_best.max()) / (is_best == is_best.max()).sum()
        shares = shares_of(scores, mask, known.astype(np.float64), n_slots=s)
        np.testing.assert_allclose(shares, wanted / m, atol=1e-6)
