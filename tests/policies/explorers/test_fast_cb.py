"""FastCB: its weights and its schedule by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bandit.actions import Request
from bandit.errors import BadInputError
from bandit.outcomes import Feedback, RewardScheme
from policies.explored import Explored
from policies.explorers.fast_cb import FastCB
from policies.models.linear import LinearModel
from policies.models.tallied import Tallied
from policies.shape import PolicyShape


def test_weights_and_schedule_by_hand(
    request_of: Callable[..., Request],
    feedback_of: Callable[..., Feedback],
    small_shape: PolicyShape,
    hits: RewardScheme,
) -> None:
    """Losses 1 − value in [0, 1]; γ = 3·√(1 + what 30 rows lacked of a hit each)."""
    policy = Explored(Tallied(LinearModel(small_shape, hits)), FastCB(gamma_scale=3.0))
    paid = np.random.default_rng(1).random((30, 1))
    policy.update(feedback_of(small_shape, 30, hits, components=paid))
    asked = request_of(small_shape, 6)
    loss = np.clip(1.0 - policy.estimate(asked).mean[..., 0], 0.0, 1.0)
    gamma = 3.0 * np.sqrt(1.0 + 30 - paid.sum())
    least = loss.min(axis=1, keepdims=True)
    expected = np.where(loss > least, least / (21 * least + gamma * (loss - least) + 1e-300), 0.0)
    left = 1 - expected.sum(axis=1, keepdims=True)
    expected += np.where(loss == least, left / (loss == least).sum(axis=1, keepdims=True), 0.0)
    np.testing.assert_allclose(policy.pmf(asked, key=0), expected, rtol=1e-9)


def test_the_less_was_lost_the_less_it_grows_greedy(
    request_of: Callable[..., Request],
    feedback_of: Callable[..., Feedback],
    small_shape: PolicyShape,
    hits: RewardScheme,
) -> None:
    """γ hangs on the loss: after rows without any it is that of the first decision."""
    model = Tallied(LinearModel(small_shape, hits))
    made = feedback_of(small_shape, 400, hits)
    model.update(replace(made, components=np.ones((400, 1))))
    assert model.paid == 400.0
    asked = request_of(small_shape, 3)
    gammas = [FastCB().pmf(model, asked, key=0, n_learned=n) for n in (400, 300, 800)]
    np.testing.assert_array_equal(gammas[0], gammas[1])
    assert gammas[2].max() >= gammas[0].max()


def test_a_revised_reward_changes_the_loss_that_was_observed(
    feedback_of: Callable[..., Feedback], small_shape: PolicyShape, two_parts: RewardScheme
) -> None:
    """And so do other weights of the scheme, for rows learned before."""
    model = Tallied(LinearModel(small_shape, two_parts))
    half = feedback_of(small_shape, 5, two_parts, maturity=np.full((5, 3), 0.5))
    model.update(half)
    final = replace(half, components=np.ones((5, 3)), maturity=np.ones((5, 3)))
    model.revise(final)
    assert model.paid == pytest.approx(5 * (1.0 - 0.01 - 3.0))
    hit, message, leave = two_parts.components
    model.reweigh(replace(two_parts, components=(hit, message, replace(leave, weight=0.0))))
    assert model.paid == pytest.approx(5 * 0.99)


def test_a_model_without_a_tally_is_refused(
    known: Callable[..., Any], ask: Callable[..., Any]
) -> None:
    with pytest.raises(BadInputError, match="adds up what it was paid, got KnownModel: wrap it"):
        FastCB().pmf(known([0.0, 0.1]), ask(2), key=0, n_learned=0)


@pytest.mark.parametrize(
    "bad",
    [{"gamma_scale": -1.0}, {"gamma_exponent": np.nan}, {"largest": np.inf}, {"largest": 0.0}],
)
def test_impossible_settings_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(BadInputError, match="expected finite gamma_scale and gamma_exponent"):
        FastCB(**bad)
