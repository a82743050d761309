"""Moments of arms: one by one as together, revised exactly, and beside the direct inverse."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from bandit.errors import BadInputError, StateError
from bandit.outcomes import Feedback, RewardScheme
from policies.models.arms_head import ArmsHead
from policies.models.linear_head import HeadParams
from policies.shape import PolicyShape

FeedbackOf = Callable[..., Feedback]


def _distance(a: ArmsHead, b: ArmsHead) -> float:
    """Largest relative difference of means and factors."""
    worst = 0.0
    for left, right in zip(a.posterior(), b.posterior(), strict=True):
        worst = max(worst, float(np.abs(left - right).max() / np.abs(right).max()))
    return worst


def test_a_batch_equals_its_rows_one_by_one(
    feedback_of: FeedbackOf, small_shape: PolicyShape, two_parts: RewardScheme
) -> None:
    whole, single = (ArmsHead(small_shape, two_parts, HeadParams()) for _ in range(2))
    feedback = feedback_of(small_shape, 150, two_parts)
    whole.learn(feedback)
    for row in range(150):
        single.learn(feedback.take(np.array([row])))
    assert _distance(single, whole) < 1e-12
    np.testing.assert_allclose(single.noise_sd(), whole.noise_sd(), rtol=1e-12)


def test_revised_rows_equal_rows_learned_at_their_final_value(
    feedback_of: FeedbackOf, small_shape: PolicyShape, two_parts: RewardScheme
) -> None:
    """Twelve batches, discounted, revised in two steps with a turn of the basis between."""
    rng = np.random.default_rng(0)
    params = HeadParams(prior_precision=2.0, noise_sd=0.5, noise_rows=3.0, forget=0.93)
    revised, oracle = (ArmsHead(small_shape, two_parts, params) for _ in range(2))
    waiting = []
    for batch in range(12):
        final = feedback_of(small_shape, 15, two_parts, seed=batch, first_id=100 * batch)
        early = replace(
            final,
            components=final.components + rng.normal(size=final.components.shape),
            maturity=rng.uniform(0.1, 0.9, final.maturity.shape),
        )
        oracle.learn(final)
        revised.learn(early)
        waiting.append(final)
        if batch == 7:
            basis, _ = np.linalg.qr(rng.normal(size=(3, 3)))
            for head in (revised, oracle):
                head.rotate(basis, 0.8)
        revised.revise(replace(early, maturity=np.maximum(early.maturity, 0.5)))
    for final in waiting:
        revised.revise(final)
    assert len(revised.rows.decision_id) == 0
    assert _distance(revised, oracle) < 1e-10


def test_rank_one_updates_stay_beside_the_direct_inverse(
    feedback_of: FeedbackOf, hits: RewardScheme
) -> None:
    """Thirty thousand rows of three arms, one at a time: within 1e-9 of (λ + XᵀX)⁻¹."""
    shape = PolicyShape(
        n_context=9, n_item_features=1, n_slot_features=2, n_users=1, n_items=2, n_slots=2
    )
    head = ArmsHead(shape, hits, HeadParams())
    made = feedback_of(shape, 30_000, hits)
    for row in range(made.n_rows):
        head.learn(made.take(np.array([row])))
        if row % 997 == 0:
            head.posterior()
    x = np.concatenate([np.ones((made.n_rows, 1)), made.context, made.slot_features], axis=1)
    arm = np.where(made.is_send, 1 + made.item, 0)
    _, factor = head.posterior()
    for one in range(3):
        direct = np.linalg.inv(np.eye(12) + x[arm == one].T @ x[arm == one])
        apart = np.abs(factor[0, one] @ factor[0, one].T - direct).max()
        assert apart < 1e-9 * np.abs(direct).max()


def test_what_does_not_fit_is_refused_one_by_one_and_together(
    feedback_of: FeedbackOf, small_shape: PolicyShape, two_parts: RewardScheme
) -> None:
    """NaN, an item without an arm, an open id told again: nothing is learned of them."""
    head = ArmsHead(small_shape, two_parts, HeadParams())
    for n in (1, 3):
        bad = feedback_of(small_shape, n, two_parts)
        bad.item_features[0, 0] = np.nan
        with pytest.raises(BadInputError, match="finite item_features"):
            head.learn(bad)
        other = feedback_of(small_shape, n, two_parts)
        other.is_send[:], other.item[:] = True, 5
        with pytest.raises(BadInputError, match="item ids below 5"):
            head.learn(other)
    assert not head.precision.any()
    early = feedback_of(small_shape, 1, two_parts, maturity=np.full((1, 3), 0.5))
    head.learn(early)
    with pytest.raises(StateError, match="call revise"):
        head.learn(replace(early, maturity=np.ones((1, 3))))
