"""The diagonal model: bounds in closed form, exact revision, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from bandit.actions import Request
from bandit.errors import BadInputError
from bandit.outcomes import Feedback, RewardScheme
from policies.models.diagonal import DiagonalModel
from policies.models.glm_head import GlmParams
from policies.shape import PolicyShape

FeedbackOf = Callable[..., Feedback]
RequestOf = Callable[..., Request]


def _told(
    feedback_of: FeedbackOf, shape: PolicyShape, scheme: RewardScheme, n: int = 200, first: int = 0
) -> Feedback:
    rng = np.random.default_rng(3 + first)
    leave = (rng.random(n) < 0.3).astype(float)
    components = np.stack([rng.normal(size=n), np.zeros(n), leave], axis=1)
    return feedback_of(shape, n, scheme, components=components, first_id=first, seed=first)


@pytest.fixture
def taught(
    feedback_of: FeedbackOf, small_shape: PolicyShape, two_parts: RewardScheme
) -> DiagonalModel:
    """A count and a response after two hundred rows."""
    model = DiagonalModel(small_shape, two_parts, GlmParams(base_rate=0.3))
    model.update(_told(feedback_of, small_shape, two_parts))
    return model


def test_draws_spread_as_spreads_and_estimates_say(
    taught: DiagonalModel, request_of: RequestOf, small_shape: PolicyShape
) -> None:
    """At a small scale the tangent is exact: 20,000 draws at a tenth of the spread."""
    asked, weights = request_of(small_shape, 3), np.array([1.0, 0.0, -3.0])
    drawn = np.concatenate([d for _, d in taught.draws(asked, 5, n_draws=20_000, scale=0.1)])
    np.testing.assert_allclose(drawn.std(axis=1), 0.1 * taught.spreads(asked), rtol=0.05, atol=1e-6)
    guess = taught.estimate(asked)
    told = np.sqrt((guess.uplift_sd**2) @ weights**2)
    np.testing.assert_allclose(taught.spreads(asked), told, rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(drawn.mean(axis=1), taught.values(asked), atol=0.01)


def test_a_chance_and_a_size_are_left_to_the_full_model(
    small_shape: PolicyShape, hits: RewardScheme
) -> None:
    with pytest.raises(BadInputError, match="one head a component, got two_part = 'count'"):
        DiagonalModel(small_shape, hits, GlmParams(two_part="count"))


def test_open_rows_leave_no_trace_when_they_are_final(
    feedback_of: FeedbackOf, small_shape: PolicyShape, two_parts: RewardScheme
) -> None:
    """Told early at other values and revised, under discounting: what learning late would give."""
    params = GlmParams(base_rate=0.3, forget=0.95)
    early, late = (DiagonalModel(small_shape, two_parts, params) for _ in range(2))
    for model in (early, late):
        model.update(_told(feedback_of, small_shape, two_parts))
    final = _told(feedback_of, small_shape, two_parts, 30, first=1000)
    guess = replace(final, components=0.5 * final.components, maturity=np.full((30, 3), 0.4))
    early.update(guess)
    before = early.heads[0].settled.mean.copy()
    assert not np.array_equal(early.heads[0].posterior().mean, before)
    early.revise(final)
    late.update(final)
    for mine, other in zip(early.heads, late.heads, strict=True):
        np.testing.assert_allclose(mine.posterior().mean, other.posterior().mean, rtol=1e-10)
    assert len(early.rows.decision_id) == 0


def test_the_noise_is_learned_from_surprises(
    feedback_of: FeedbackOf, small_shape: PolicyShape, hits: RewardScheme
) -> None:
    """Pure noise of .3, guessed to be 1: within a tenth after 3,000 rows."""
    model = DiagonalModel(small_shape, hits, GlmParams())
    for batch in range(30):
        made = feedback_of(small_shape, 100, hits, seed=batch, first_id=100 * batch)
        model.update(replace(made, components=0.3 * made.components))
    assert np.sqrt(model.heads[0].settled.noise) == pytest.approx(0.3, rel=0.1)


def test_turning_is_refused_with_the_way_out(taught: DiagonalModel) -> None:
    with pytest.raises(BadInputError, match="refit the policy by replay"):
        taught.rotate(np.eye(3), 1.0)
