"""Keyed Beta draws have the right law, and the same value in any batch."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from policies.baselines.beta_draws import beta_draws, lanes


@pytest.mark.parametrize(("a", "b"), [(0.05, 3.0), (1.0, 1.0), (0.36, 11.64), (5.0, 200.0)])
def test_draws_follow_the_beta_distribution(a: float, b: float) -> None:
    """Kolmogorov and Smirnov's distance of 200,000 draws, at a level of 1e-4."""
    lane = lanes(np.arange(400)[:, None], np.arange(500)[None, :])
    drawn = beta_draws(np.array(a), np.array(b), lane=lane, key=7).ravel()
    assert stats.kstest(drawn, stats.beta(a, b).cdf).pvalue > 1e-4


def test_a_draw_hangs_on_its_lane_and_key_alone() -> None:
    lane = lanes(np.arange(50)[:, None], np.arange(20)[None, :])
    a = np.linspace(0.1, 9.0, 50)[:, None]
    whole = beta_draws(a, np.ones((50, 1)), lane=lane, key=7)
    part = beta_draws(a[9:12], np.ones((3, 1)), lane=lane[9:12, 5:], key=7)
    np.testing.assert_array_equal(part, whole[9:12, 5:])
    assert (beta_draws(a, np.ones((50, 1)), lane=lane, key=8) != whole).all()


def test_neighbouring_lanes_are_not_correlated() -> None:
    lane = lanes(np.arange(100_000)[:, None], np.arange(2)[None, :])
    drawn = beta_draws(np.array(2.0), np.array(5.0), lane=lane, key=1)
    assert abs(np.corrcoef(drawn.T)[0, 1]) < 0.015
    assert abs(np.corrcoef(drawn[:-1, 0], drawn[1:, 0])[0, 1]) < 0.015


def test_tiny_shapes_do_not_underflow() -> None:
    drawn = beta_draws(np.array(1e-9), np.array(12.0), lane=lanes(np.arange(1000)), key=1)
    assert np.isfinite(drawn).all()
    assert drawn.max() < 1e-6
