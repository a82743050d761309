"""A bound at all times against the paper's formula, and what it allows to be risked."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.conservative.bound_math import Sample, allowed_share, lower_bound, reach


def test_the_reach_is_that_of_the_paper() -> None:
    """Eq. 5 of Waudby-Smith et al., √(2(nρ² + 1)/(n²ρ²) · ln(√(nρ² + 1)/α)), one side at α/2."""
    for n in (10.0, 500.0, 40_000.0):
        log = -2.0 * np.log(0.1)
        rho2 = (log + np.log(1.0 + log)) / 500.0
        half = np.sqrt(
            2.0 * (n * rho2 + 1.0) / (n * n * rho2) * np.log(np.sqrt(n * rho2 + 1.0) / 0.1)
        )
        found = reach(n, alpha=0.05, tuned_at=500.0) / np.sqrt(n)
        assert found == pytest.approx(half, rel=1e-12)


def test_the_bound_fails_in_few_walks_at_any_time() -> None:
    """Four thousand rows looked at a hundred times: 300 walks, at most one in twenty may fail.

    A bound for one look would fail in several times as many.
    """
    rng = np.random.default_rng(1)
    looks = np.arange(1, 101) * 40
    failed = fixed = 0
    for _ in range(300):
        sums = [np.cumsum(rng.random(4000) < 0.1)[looks - 1] for _ in range(2)]
        one, other = (s / looks for s in sums)
        samples = [
            [Sample(mean=m, variance=m * (1.0 - m) / n, n=n) for m, n in zip(x, looks, strict=True)]
            for x in (one, other)
        ]
        pairs = list(zip(*samples, strict=True))
        lower = [lower_bound(a, b, alpha=0.05, tuned_at=1000.0) for a, b in pairs]
        plain = [a.mean - b.mean - 1.645 * np.sqrt(a.variance + b.variance) for a, b in pairs]
        failed += max(lower) > 0.0
        fixed += max(plain) > 0.0
    assert failed <= 15
    assert fixed > 45


def test_nothing_is_known_from_one_row() -> None:
    one = Sample(mean=1.0, variance=0.0, n=1.0)
    many = Sample(mean=0.0, variance=0.0, n=100.0)
    assert lower_bound(one, many, alpha=0.05, tuned_at=100.0) == -np.inf


@given(
    value=st.floats(-1.0, 10.0),
    lower=st.floats(-20.0, 1.0),
    slack=st.floats(0.001, 0.2),
    worst=st.floats(0.3, 1.0),
)
def test_what_is_allowed_costs_no_more_than_the_slack(
    value: float, lower: float, slack: float, worst: float
) -> None:
    """Share times loss, the loss being the bound's or the worst there is."""
    share = allowed_share(value, lower, slack=slack, worst_loss=worst)
    assert 0.0 < share <= 1.0
    if value > 0.0 and share < 1.0:
        loss = min(-lower, worst * value)
        assert share * loss <= slack * value * (1.0 + 1e-9)
