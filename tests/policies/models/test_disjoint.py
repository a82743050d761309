"""The disjoint model beside the algorithm as printed, and beside itself asked in other ways."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from bandit.actions import Request, take_requests
from bandit.errors import BadInputError
from bandit.outcomes import Feedback, RewardScheme
from policies.explored import Explored
from policies.explorers.upper_bound import UpperBound
from policies.models.disjoint import DisjointModel
from policies.models.linear_head import HeadParams
from policies.shape import PolicyShape

FeedbackOf = Callable[..., Feedback]
RequestOf = Callable[..., Request]
_KNOWN_NOISE = HeadParams(prior_precision=2.0, noise_sd=0.4, noise_rows=np.inf)


@pytest.fixture
def taught(
    feedback_of: FeedbackOf, small_shape: PolicyShape, two_parts: RewardScheme
) -> DisjointModel:
    """A model after eighty rows."""
    model = DisjointModel(small_shape, two_parts, _KNOWN_NOISE)
    model.update(feedback_of(small_shape, 80, two_parts))
    return model


def test_bounds_are_those_of_linucb_with_disjoint_models(
    feedback_of: FeedbackOf, request_of: RequestOf, small_shape: PolicyShape, hits: RewardScheme
) -> None:
    """Algorithm 1, arm by arm: A = λ + Σxxᵀ, θ = A⁻¹b, width √(xᵀA⁻¹x); holding is an arm."""
    model = DisjointModel(small_shape, hits, HeadParams(noise_rows=np.inf))
    made = feedback_of(small_shape, 300, hits)
    model.update(made)
    asked = request_of(small_shape, 5)
    x = np.concatenate([np.ones((300, 1)), made.context, made.slot_features], axis=1)
    arm = np.where(made.is_send, 1 + made.item, 0)

    def told(one: int, features: np.ndarray) -> tuple[float, float]:
        mine = x[arm == one]
        inverse = np.linalg.inv(np.eye(7) + mine.T @ mine)
        theta = inverse @ (mine.T @ made.components[arm == one, 0])
        return float(theta @ features), float(features @ inverse @ features)

    bounds = UpperBound(alpha=0.7).bounds(model, asked, key=0)
    for row in range(5):
        still, doubt = told(0, np.concatenate([[1.0], asked.context[row], np.zeros(3)]))
        for k, item in enumerate(asked.items[row]):
            for s in range(4):
                features = np.concatenate([[1.0], asked.context[row], asked.slot_features[row, s]])
                mean, variance = told(1 + int(item), features)
                wanted = mean - still + 0.7 * np.sqrt(variance + doubt)
                assert bounds[row, 1 + 4 * k + s] == pytest.approx(wanted, rel=1e-4)


def test_draws_have_the_models_mean_and_spread(
    taught: DisjointModel, request_of: RequestOf, small_shape: PolicyShape
) -> None:
    """Over many draws; hold is worth nothing in each of them, and two arms differ as told."""
    asked = request_of(small_shape, 2)
    drawn = np.concatenate([d for _, d in taught.draws(asked, 5, n_draws=20_000, scale=1.0)])
    np.testing.assert_array_equal(drawn[:, :, 0], 0.0)
    spread = taught.spreads(asked)
    error = spread / np.sqrt(20_000)
    assert (np.abs(drawn.mean(axis=1) - taught.values(asked)) <= 5 * error + 1e-6).all()
    np.testing.assert_allclose(drawn.std(axis=1), spread, rtol=0.03)
    reference = np.array([9, 0])
    away = drawn - np.take_along_axis(drawn, reference[:, None, None], axis=2)
    items = (np.maximum(np.arange(21) - 1, 0) // 4)[None] != (reference - 1)[:, None] // 4
    told = taught.contrast_spreads(asked, reference)
    np.testing.assert_allclose(away.std(axis=1)[items], told[items], rtol=0.03)


@pytest.mark.parametrize("n_items", [5, 40])
def test_rows_of_one_list_of_any_list_and_of_a_large_catalogue_are_scored_alike(
    n_items: int,
    feedback_of: FeedbackOf,
    request_of: RequestOf,
    small_shape: PolicyShape,
    two_parts: RewardScheme,
) -> None:
    """Together where all share a list, over the whole catalogue, or row by row: the same."""
    shape = replace(small_shape, n_items=n_items)
    model = DisjointModel(shape, two_parts, _KNOWN_NOISE)
    model.update(feedback_of(shape, 200, two_parts))
    mask = np.random.default_rng(3).random((12, 21)) < 0.6
    mask[:, 0] = True
    asked = request_of(shape, 12, n_items=5, mask=mask)
    shares = model.best_shares(asked, 9, n_draws=16, scale=0.7)
    for rows, drawn in model.draws(asked, 9, n_draws=16, scale=0.7):
        best = np.where(mask[rows, None], drawn, -np.inf).argmax(axis=2)
        counted = np.stack([np.bincount(row, minlength=21) for row in best]) / 16
        np.testing.assert_allclose(shares[rows], counted, atol=1e-6)
    for row in range(12):
        one = take_requests(asked, np.array([row]))
        np.testing.assert_allclose(model.values(one)[0], model.values(asked)[row], atol=1e-9)
        np.testing.assert_allclose(model.spreads(one)[0], model.spreads(asked)[row], rtol=1e-4)
        np.testing.assert_allclose(
            model.best_shares(one, 9, n_draws=16, scale=0.7)[0], shares[row], atol=1e-6
        )


def test_estimates_are_the_values_and_spreads_unweighted(
    taught: DisjointModel, request_of: RequestOf, small_shape: PolicyShape
) -> None:
    asked, weights = request_of(small_shape, 4), np.array([1.0, -0.01, -3.0])
    guess = taught.estimate(asked)
    np.testing.assert_allclose(guess.uplift_mean @ weights, taught.values(asked), atol=1e-9)
    sd = np.sqrt((guess.uplift_sd**2) @ weights**2)
    np.testing.assert_allclose(sd, taught.spreads(asked), rtol=1e-4)
    np.testing.assert_allclose(guess.base_mean @ weights, taught.base_values(asked), atol=1e-9)


def test_the_context_turns_the_ranking(
    feedback_of: FeedbackOf, request_of: RequestOf, small_shape: PolicyShape, hits: RewardScheme
) -> None:
    """Item 2 is liked where the first coordinate is high, item 4 where it is low."""
    policy = Explored(DisjointModel(small_shape, hits), UpperBound(alpha=0.0))
    made = feedback_of(small_shape, 3000, hits)
    likes = (made.item == 2).astype(float) - (made.item == 4)
    policy.update(replace(made, components=(likes * made.context[:, 0])[:, None]))
    asked = request_of(small_shape, 2)
    asked.context[:] = [[3.0, 0.0, 0.0], [-3.0, 0.0, 0.0]]
    best = policy.pmf(asked, 1)[:, 1:].argmax(axis=1) // 4
    assert asked.items[[0, 1], best].tolist() == [2, 4]


def test_items_without_an_arm_are_refused(
    taught: DisjointModel, request_of: RequestOf, small_shape: PolicyShape
) -> None:
    asked = request_of(small_shape, 2)
    asked.items[1, 2] = 5
    with pytest.raises(BadInputError, match="expected item ids below 5, got 5"):
        taught.check(asked)
