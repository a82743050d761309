"""Components as heads: which links they have, how rows are split, and what two parts make."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from bandit.actions import Request
from bandit.errors import BadInputError
from bandit.outcomes import Feedback, RewardScheme
from policies.models.blocks import Blocks
from policies.models.glm_head import GlmParams
from policies.models.heads import Heads
from policies.models.hybrid import HybridModel
from policies.shape import PolicyShape

FeedbackOf = Callable[..., Feedback]
RequestOf = Callable[..., Request]
Array = NDArray[np.float64]

_APART = GlmParams(base_rate=0.2, two_part="count value")


def _heads(scheme: RewardScheme, shape: PolicyShape, params: GlmParams = _APART) -> Heads:
    return Heads.of(scheme, Blocks(shape), 0, params)


def _bought(feedback: Feedback, *, seed: int) -> tuple[Feedback, Array, Array]:
    """Bought or not by the context, for how much by whether it was sent; with both truths."""
    rng = np.random.default_rng(seed)
    chance = 1.0 / (1.0 + np.exp(2.0 - feedback.context[:, 0] - 0.5 * feedback.is_send))
    size = 4.0 + 2.0 * feedback.is_send
    value = (rng.random(feedback.n_rows) < chance) * rng.gamma(4.0, size / 4.0)
    return replace(feedback, components=value[:, None]), chance, size


def test_only_what_was_asked_for_is_in_two_parts(
    two_parts: RewardScheme, small_shape: PolicyShape
) -> None:
    heads = _heads(two_parts, small_shape)
    assert [head.link for head in heads.all] == ["logistic", "identity", "logistic"]
    assert heads.spans == (slice(0, 2), slice(2, 3))
    plain = _heads(two_parts, small_shape, GlmParams(two_part="value"))
    assert [head.link for head in plain.all] == ["identity", "logistic"]


def test_a_measure_that_there_is_none_of_is_refused() -> None:
    with pytest.raises(BadInputError, match="the words 'count' and 'value', got 'any'"):
        GlmParams(two_part="any")


def test_a_final_row_tells_whether_something_came_and_how_much_only_if_it_did(
    hits: RewardScheme, small_shape: PolicyShape
) -> None:
    target, weight = _heads(hits, small_shape).split(
        np.array([[0.0], [30.0], [-2.0]]), np.ones((3, 1))
    )
    np.testing.assert_array_equal(target, [[0.0, 0.0], [1.0, 30.0], [1.0, -2.0]])
    np.testing.assert_array_equal(weight, [[1.0, 0.0], [1.0, 1.0], [1.0, 1.0]])


def test_an_open_row_is_a_chance_in_mean_sizes_and_tells_no_size(
    feedback_of: FeedbackOf, hits: RewardScheme, small_shape: PolicyShape
) -> None:
    model = HybridModel(small_shape, hits, _APART)
    final = np.where(np.arange(40) % 2, 20.0, 0.0)[:, None]
    model.update(feedback_of(small_shape, 40, hits, components=final))
    told = np.array([[0.0], [5.0], [20.0], [90.0]])
    target, weight = model.parts.split(told, np.full((4, 1), 0.4))
    np.testing.assert_allclose(target, [[0.0, 0.0], [0.25, 0.0], [1.0, 0.0], [1.0, 0.0]])
    np.testing.assert_array_equal(weight, [[0.4, 0.0]] * 4)


def test_the_worth_of_two_parts_is_the_chance_times_the_size(
    feedback_of: FeedbackOf, request_of: RequestOf, hits: RewardScheme, small_shape: PolicyShape
) -> None:
    """Against the truth of the rows, p₁·s₁ − p₀·s₀: as near as it says, and nearer than a line."""
    model = HybridModel(small_shape, hits, _APART)
    model.update(_bought(feedback_of(small_shape, 20_000, hits), seed=1)[0])
    asked = request_of(small_shape, 200, seed=5)
    sent, quiet = (1.0 / (1.0 + np.exp(2.0 - asked.context[:, 0] - b)) for b in (0.5, 0.0))
    truth = np.repeat((6.0 * sent - 4.0 * quiet)[:, None], asked.n_actions - 1, axis=1)
    error = model.values(asked)[:, 1:] - truth
    sd = model.estimate(asked).uplift_sd[:, 1:, 0]
    assert 0.5 < ((error / sd) ** 2).mean() < 1.5
    straight = HybridModel(small_shape, hits, GlmParams(base_rate=0.2))
    straight.update(_bought(feedback_of(small_shape, 20_000, hits), seed=1)[0])
    bent = straight.values(asked)[:, 1:] - truth
    assert (error**2).mean() < (bent**2).mean()


def test_draws_of_two_parts_spread_as_estimates_say(
    feedback_of: FeedbackOf, request_of: RequestOf, hits: RewardScheme, small_shape: PolicyShape
) -> None:
    """To a quarter: estimates take what a push adds to be independent of what comes without."""
    model = HybridModel(small_shape, hits, _APART)
    model.update(_bought(feedback_of(small_shape, 2000, hits), seed=1)[0])
    asked = request_of(small_shape, 3)
    drawn = np.concatenate([d for _, d in model.draws(asked, 5, n_draws=20_000, scale=0.1)])
    guess = model.estimate(asked)
    np.testing.assert_allclose(drawn.mean(axis=1), guess.uplift_mean[..., 0], atol=0.02)
    np.testing.assert_allclose(
        drawn.std(axis=1), 0.1 * guess.uplift_sd[..., 0], rtol=0.25, atol=1e-6
    )
    np.testing.assert_allclose(model.values(asked), guess.uplift_mean[..., 0], atol=1e-4)


def test_a_chance_that_becomes_certain_moves_the_parabola_of_its_row(
    feedback_of: FeedbackOf, request_of: RequestOf, hits: RewardScheme, small_shape: PolicyShape
) -> None:
    """Learned with nothing yet and then told all: as if told at once."""
    final = _bought(feedback_of(small_shape, 200, hits), seed=1)[0]
    early, late = (HybridModel(small_shape, hits, _APART) for _ in range(2))
    early.update(replace(final, components=0.0 * final.components, maturity=np.full((200, 1), 0.2)))
    early.revise(final)
    late.update(final)
    asked = request_of(small_shape, 50)
    np.testing.assert_allclose(early.values(asked), late.values(asked), rtol=0.0, atol=0.01)
