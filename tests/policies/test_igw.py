"""Inverse-gap weighting: its schedule, by hand, and what it keeps in its state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from bandit.actions import Request
from bandit.outcomes import Feedback, RewardScheme
from policies.igw import InverseGap, InverseGapParams
from policies.shape import PolicyShape


def test_an_unlearned_policy_is_uniform(
    request_of: Callable[..., Request], small_shape: PolicyShape, hits: RewardScheme
) -> None:
    """Every uplift is zero, so every gap is zero."""
    pmf = InverseGap(small_shape, hits).pmf(request_of(small_shape, 3), key=0)
    np.testing.assert_allclose(pmf, np.full((3, 21), 1 / 21))


def test_probabilities_follow_the_formula_and_its_schedule(
    request_of: Callable[..., Request],
    feedback_of: Callable[..., Feedback],
    small_shape: PolicyShape,
    hits: RewardScheme,
) -> None:
    """γ = 3·√(21·31) after 30 rows; 1/(21 + γ·gap) on all but the best."""
    policy = InverseGap(small_shape, hits, params=InverseGapParams(scale=3.0))
    policy.update(feedback_of(small_shape, 30, hits))
    asked = request_of(small_shape, 2)
    value = policy.estimate(asked).uplift_mean[:, :, 0]
    gap = value.max(axis=1, keepdims=True) - value
    expected = 1 / (21 + 3.0 * np.sqrt(21 * 31) * gap)
    best = value.argmax(axis=1)
    rows = np.arange(2)
    expected[rows, best] = 0.0
    expected[rows, best] = 1 - expected.sum(axis=1)
    np.testing.assert_allclose(policy.pmf(asked, key=0), expected, rtol=1e-5)


def test_it_grows_greedier_as_it_learns(
    request_of: Callable[..., Request],
    feedback_of: Callable[..., Feedback],
    small_shape: PolicyShape,
    hits: RewardScheme,
) -> None:
    """Where there is an effect to learn; on noise alone gaps shrink as fast as γ grows."""
    policy = InverseGap(small_shape, hits)
    asked = request_of(small_shape, 40)
    best = []
    for batch in range(4):
        made = feedback_of(small_shape, 10 * 4**batch, hits, seed=batch)
        worth = made.item_features[:, :1] * made.slot_features[:, :1]
        policy.update(replace(made, components=worth))
        best.append(policy.pmf(asked, key=0).max(axis=1).mean())
    assert best == sorted(best)
    assert policy.n_learned == 10 + 40 + 160 + 640
