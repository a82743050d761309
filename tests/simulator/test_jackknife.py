from __future__ import annotations

import numpy as np
import pytest

from simulator.jackknife import jackknifed


def test_the_error_of_a_mean_of_as_many_groups_as_users_is_the_textbook_one() -> None:
    """Left out one by one, s ÷ √n comes back exactly."""
    x = np.array([3.0, 1.0, 4.0, 1.0, 5.0])
    value, error = jackknifed(x[None], lambda total: total[0] / 5.0)
    assert value == pytest.approx(2.8)
    assert error == pytest.approx(x.std(ddof=1) / np.sqrt(5))


def test_the_error_of_a_ratio_is_that_of_the_delta_method() -> None:
    """For many users in twenty groups, to the precision of twenty groups."""
    rng = np.random.default_rng(4)
    below = rng.gamma(4.0, size=8000)
    above = 2.0 * below + rng.normal(size=8000)
    value, error = jackknifed(np.stack([above, below]), lambda t: float(t[0] / t[1]))
    by_delta = np.std(above - value * below) / below.mean() / np.sqrt(8000)
    assert value == pytest.approx(2.0, abs=0.01)
    assert 0.6 < error / by_delta < 1.5
