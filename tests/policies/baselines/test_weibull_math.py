"""Weibull waits: beside SciPy's censored fit, known truth, and numbers by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import CensoredData, weibull_min

from bandit.errors import StateError
from policies.baselines.weibull_math import chance_within, fit, log_likelihood


def _waits(n: int, *, seed: int, horizon: float = 24.0) -> tuple[np.ndarray, ...]:
    """Log T = 3 + .8·x − .5·y + .7·ε, censored at a horizon."""
    rng = np.random.default_rng(seed)
    features = np.column_stack([np.ones(n), rng.normal(size=n), rng.integers(0, 2, n)])
    gumbel = np.log(rng.exponential(size=n))
    time = np.exp(features @ [3.0, 0.8, -0.5] + 0.7 * gumbel)
    return features, np.log(np.minimum(time, horizon)), time <= horizon


def test_without_features_it_is_scipys_censored_fit() -> None:
    features, log_time, ended = _waits(500, seed=1)
    theta, shape = fit(features[:, :1], log_time, ended, penalty=1e-12)
    time = np.exp(log_time)
    peer_shape, _, peer_scale = weibull_min.fit(
        CensoredData(uncensored=time[ended], right=time[~ended]), floc=0
    )
    assert shape == pytest.approx(peer_shape, rel=1e-4)
    assert np.exp(theta[0] / shape) == pytest.approx(peer_scale, rel=1e-4)


def test_coefficients_of_known_waits_are_found() -> None:
    """σ = 1/s and β = θ/s of 40,000 waits, a quarter of them censored."""
    features, log_time, ended = _waits(40_000, seed=2)
    assert 0.2 < 1.0 - ended.mean() < 0.3
    theta, shape = fit(features, log_time, ended, penalty=1.0)
    assert 1.0 / shape == pytest.approx(0.7, abs=0.02)
    np.testing.assert_allclose(theta / shape, [3.0, 0.8, -0.5], atol=0.03)


def test_the_likelihood_is_greatest_there() -> None:
    features, log_time, ended = _waits(300, seed=3)
    theta, shape = fit(features, log_time, ended, penalty=1e-12)
    best = log_likelihood(features, log_time, ended, theta=theta, shape=shape)
    rng = np.random.default_rng(4)
    for _ in range(50):
        off = 1e-3 * rng.normal(size=4)
        near = log_likelihood(
            features, log_time, ended, theta=theta + off[:3], shape=shape + off[3]
        )
        assert near < best


def test_a_likelihood_by_hand() -> None:
    """S = 2, θ = ln 3: z = 2·ln t − ln 3; an end at t = 3 has z = ln 3, watching to 1 has −ln 3."""
    value = log_likelihood(
        np.ones((2, 1)),
        np.log([3.0, 1.0]),
        np.array([True, False]),
        theta=np.array([np.log(3.0)]),
        shape=2.0,
    )
    assert value == pytest.approx(np.log(2.0) + np.log(3.0) - 3.0 - 1.0 / 3.0)
    chance = chance_within(np.log(3.0), 2.0, np.array([np.log(3.0)]))
    assert chance[0] == pytest.approx(1.0 - np.exp(-3.0))


def test_separable_and_enormous_features_are_fitted_under_the_penalty() -> None:
    features = np.column_stack([np.ones(40), np.repeat([0.0, 1e6], 20)])
    theta, shape = fit(features, np.zeros(40), np.repeat([True, False], 20), penalty=1.0)
    assert np.isfinite(theta).all()
    assert shape > 0


def test_a_fit_that_does_not_settle_is_an_error() -> None:
    with pytest.raises(StateError, match="expected survival times to be fitted"):
        fit(np.full((3, 1), np.nan), np.zeros(3), np.ones(3, np.bool_), penalty=1.0)
