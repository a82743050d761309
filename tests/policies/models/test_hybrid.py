"""The hybrid model: draws, means and estimates agree, rows are checked, measures have links."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from bandit.actions import Request
from bandit.errors import BadInputError
from bandit.outcomes import Feedback, RewardScheme
from policies.models.glm_head import GlmParams
from policies.models.hybrid import HybridModel
from policies.shape import PolicyShape

FeedbackOf = Callable[..., Feedback]
RequestOf = Callable[..., Request]


@pytest.fixture
def taught(
    feedback_of: FeedbackOf, small_shape: PolicyShape, two_parts: RewardScheme
) -> HybridModel:
    """A count and a response after two hundred rows."""
    model = HybridModel(small_shape, two_parts, GlmParams(base_rate=0.3))
    model.update(_told(feedback_of, small_shape, two_parts))
    return model


def _told(feedback_of: FeedbackOf, shape: PolicyShape, scheme: RewardScheme) -> Feedback:
    rng = np.random.default_rng(3)
    components = np.stack(
        [rng.normal(size=200), np.zeros(200), (rng.random(200) < 0.3).astype(float)], axis=1
    )
    return feedback_of(shape, 200, scheme, components=components)


def test_a_response_is_logistic_and_a_count_is_linear(taught: HybridModel) -> None:
    assert [head.link for head in taught.heads] == ["identity", "logistic"]


def test_draws_spread_around_the_mean_as_estimates_say(
    taught: HybridModel, request_of: RequestOf, small_shape: PolicyShape
) -> None:
    """At a small scale the tangent is exact: 20,000 draws at a tenth of the spread."""
    asked = request_of(small_shape, 3)
    drawn = np.concatenate([d for _, d in taught.draws(asked, 5, n_draws=20_000, scale=0.1)])
    np.testing.assert_array_equal(drawn[:, :, 0], 0.0)
    guess = taught.estimate(asked)
    weights = np.array([1.0, 0.0, -3.0])
    sd = np.sqrt((guess.uplift_sd**2) @ weights**2)
    np.testing.assert_allclose(drawn.std(axis=1), 0.1 * sd, rtol=0.05, atol=1e-6)
    np.testing.assert_allclose(drawn.mean(axis=1), taught.values(asked), atol=0.01)
    np.testing.assert_allclose(
        taught.values(asked)[:, 1:], (guess.uplift_mean @ weights)[:, 1:] - 0.01, atol=1e-4
    )


def test_shares_are_those_of_its_draws(
    taught: HybridModel, request_of: RequestOf, small_shape: PolicyShape
) -> None:
    """Argmax by argmax; also where nothing can be held and only the order counts."""
    mask = np.random.default_rng(3).random((30, 21)) < 0.5
    mask[:, 1] = True
    for has_hold in (True, False):
        mask[:, 0] = has_hold
        asked = request_of(small_shape, 30, mask=mask)
        shares = taught.best_shares(asked, 9, n_draws=16, scale=0.7)
        for rows, drawn in taught.draws(asked, 9, n_draws=16, scale=0.7):
            best = np.where(mask[rows, None], drawn, -np.inf).argmax(axis=2)
            counted = np.stack([np.bincount(row, minlength=21) for row in best]) / 16
            np.testing.assert_allclose(shares[rows], counted, atol=1e-6)


def test_where_only_the_order_counts_no_link_is_computed_and_none_is_missed(
    feedback_of: FeedbackOf,
    request_of: RequestOf,
    small_shape: PolicyShape,
    two_parts: RewardScheme,
) -> None:
    """One response of weight −1, hold masked: the lowest linear predictor is the best."""
    parts = two_parts.components
    only = replace(two_parts, components=(replace(parts[0], weight=0.0), parts[1], parts[2]))
    model = HybridModel(small_shape, only, GlmParams(base_rate=0.3))
    model.update(_told(feedback_of, small_shape, only))
    mask = np.ones((30, 21), np.bool_)
    mask[:, 0] = False
    asked = request_of(small_shape, 30, mask=mask)
    shares = model.best_shares(asked, 9, n_draws=16, scale=1.0)
    for rows, drawn in model.draws(asked, 9, n_draws=16, scale=1.0):
        best = drawn[:, :, 1:].argmax(axis=2) + 1
        counted = np.stack([np.bincount(row, minlength=21) for row in best]) / 16
        np.testing.assert_allclose(shares[rows], counted, atol=1e-6)


def test_the_context_turns_the_ranking(
    feedback_of: FeedbackOf, request_of: RequestOf, small_shape: PolicyShape, hits: RewardScheme
) -> None:
    """Learned from a cross of context and item alone: two contexts, two best items."""
    model = HybridModel(small_shape, hits)
    made = feedback_of(small_shape, 3000, hits)
    worth = made.context[:, :1] * made.item_features[:, :1] * made.is_send[:, None]
    model.update(replace(made, components=worth))
    asked = request_of(small_shape, 2)
    asked.item_features[1], asked.slot_features[1] = asked.item_features[0], asked.slot_features[0]
    asked.items[1] = asked.items[0]
    asked.context[:] = [[3.0, 0.0, 0.0], [-3.0, 0.0, 0.0]]
    best = model.values(asked)[:, 1:].argmax(axis=1) // 4
    liked = asked.item_features[0, :, 0]
    assert best.tolist() == [liked.argmax(), liked.argmin()]


def test_an_item_that_no_feature_tells_apart_is_learned_by_its_id(
    feedback_of: FeedbackOf, request_of: RequestOf, small_shape: PolicyShape, hits: RewardScheme
) -> None:
    model = HybridModel(small_shape, hits)
    made = feedback_of(small_shape, 2000, hits)
    made.item_features[:] = 0.0
    model.update(replace(made, components=(made.item == 3).astype(float)[:, None]))
    asked = request_of(small_shape, 5)
    asked.item_features[:] = 0.0
    best = model.values(asked)[:, 1:].argmax(axis=1) // 4
    assert (asked.items[np.arange(5), best] == 3).all()


def test_large_catalogues_have_no_intercepts(small_shape: PolicyShape, hits: RewardScheme) -> None:
    model = HybridModel(small_shape, hits, GlmParams(most_items=4))
    assert model.n_items == 0
    assert model.heads[0].moments.cross.shape[0] == 0


def test_ids_beyond_the_catalogue_are_refused(
    taught: HybridModel, request_of: RequestOf, small_shape: PolicyShape
) -> None:
    asked = request_of(small_shape, 2)
    asked.items[1, 2] = 5
    with pytest.raises(BadInputError, match="expected item ids below 5, got 5"):
        taught.check(asked)


def test_a_response_that_is_a_count_is_refused_and_nothing_is_learned(
    feedback_of: FeedbackOf, small_shape: PolicyShape, two_parts: RewardScheme
) -> None:
    model = HybridModel(small_shape, two_parts)
    with pytest.raises(BadInputError, match="response 'leave' between 0 and 1, got"):
        model.update(feedback_of(small_shape, 20, two_parts))
    assert model.heads[0].moments.dense.sum() == 0.0


@pytest.mark.parametrize(
    ("basis", "kept", "words"),
    [(2.0 * np.eye(3), 1.0, "orthogonal"), (np.eye(3), 0.0, r"kept in \(0, 1\]")],
)
def test_a_turn_that_is_none_is_refused(
    basis: np.ndarray, kept: float, words: str, taught: HybridModel
) -> None:
    with pytest.raises(BadInputError, match=words):
        taught.rotate(basis, kept)


@pytest.mark.parametrize("worth", [(c, w) for c in (-0.05, 0.02, 0.0, -1e6, 1e6) for w in (1, -3)])
def test_one_response_against_holding_needs_no_link_of_every_action(
    worth: tuple[float, float],
    feedback_of: FeedbackOf,
    request_of: RequestOf,
    small_shape: PolicyShape,
    two_parts: RewardScheme,
) -> None:
    """Its shares, counted in log-odds, are those of its draws on the scale of the outcome.

    Log-odds are moderate: at ±20 different ones are the same chance in single precision.
    """
    hit, message, leave = two_parts.components
    cost, weight = worth
    parts = (
        replace(hit, weight=0.0),
        replace(message, weight=cost),
        replace(leave, weight=weight),
    )
    only = replace(two_parts, components=parts)
    model = HybridModel(small_shape, only, GlmParams(base_rate=0.3, response_sd=0.5))
    model.update(_told(feedback_of, small_shape, only))
    asked = request_of(small_shape, 40)
    shares = model.best_shares(asked, 9, n_draws=32, scale=1.0)
    for rows, drawn in model.draws(asked, 9, n_draws=32, scale=1.0):
        best = drawn.argmax(axis=2)
        counted = np.stack([np.bincount(row, minlength=21) for row in best]) / 32
        np.testing.assert_allclose(shares[rows], counted, atol=1e-6)
