from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandit.outliers import capped


def naive(amount: np.ndarray, group: np.ndarray, fitted: np.ndarray) -> np.ndarray:
    """One group at a time."""
    out = amount.copy()
    for g in np.unique(group):
        logs = np.log1p(amount[(group == g) & fitted & (amount > 0)])
        if len(logs) < 10:
            continue
        spread = 1.4826 * np.median(np.abs(logs - np.median(logs)))
        if spread > 0:
            rows = (group == g) & (amount > np.expm1(np.median(logs) + 6 * spread))
            out[rows] = np.expm1(np.median(logs) + 6 * spread)
    return out


@given(seed=st.integers(0, 10_000), n=st.integers(0, 200), n_groups=st.integers(1, 9))
def test_limits_are_those_of_one_group_at_a_time(seed: int, n: int, n_groups: int) -> None:
    """Odd and even groups, ties, missing amounts, refunds, rows that are not learned from."""
    rng = np.random.default_rng(seed)
    amount = np.round(rng.lognormal(2, 1, n) * rng.choice([1, 1, 1, 1e6, -1, np.nan], n), 1)
    group, fitted = rng.integers(n_groups, size=n), rng.random(n) < 0.7
    found, n_capped = capped(amount, group, fitted=fitted)
    expected = naive(amount, group, fitted)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert n_capped == ((found != amount) & ~np.isnan(amount)).sum()


@pytest.mark.parametrize("n_groups", [3, 70_000])
def test_many_groups_are_no_trouble(n_groups: int) -> None:
    amount, group = np.tile([5.0, 6.0, 7.0], 4 * n_groups), np.repeat(np.arange(n_groups), 12)
    amount[5] = 1e9
    found, n_capped = capped(amount, group, fitted=np.ones(len(amount), bool))
    assert n_capped == 1
    assert found.max() == found[5] < 100
