"""The shared bilinear model: its draws, spreads and shares agree with each other."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from bandit.actions import Request
from bandit.outcomes import Feedback, RewardScheme
from policies.models.linear import LinearModel
from policies.models.linear_head import HeadParams
from policies.shape import PolicyShape


@pytest.fixture
def taught(
    feedback_of: Callable[..., Feedback], small_shape: PolicyShape, two_parts: RewardScheme
) -> LinearModel:
    """A model after forty rows."""
    model = LinearModel(small_shape, two_parts, HeadParams(noise_sd=0.4, noise_rows=np.inf))
    model.update(feedback_of(small_shape, 40, two_parts))
    return model


def test_draws_have_the_models_mean_and_spread(
    taught: LinearModel, request_of: Callable[..., Request], small_shape: PolicyShape
) -> None:
    """Over many draws; hold is worth nothing in each of them."""
    asked = request_of(small_shape, 3)
    (_, drawn), *others = taught.draws(asked, 5, n_draws=20_000, scale=1.0)
    assert len(drawn) + sum(len(more) for _, more in others) == 3
    drawn = np.concatenate([drawn, *(more for _, more in others)])
    np.testing.assert_array_equal(drawn[:, :, 0], 0.0)
    spread = taught.spreads(asked)
    error = spread / np.sqrt(20_000)
    assert (np.abs(drawn.mean(axis=1) - taught.values(asked)) <= 5 * error).all()
    np.testing.assert_allclose(drawn.std(axis=1), spread, rtol=0.03)


def test_shares_are_those_of_its_draws(
    taught: LinearModel, request_of: Callable[..., Request], small_shape: PolicyShape
) -> None:
    """The fast way and the long way: argmax by argmax, masked actions left out."""
    mask = np.random.default_rng(3).random((30, 21)) < 0.5
    mask[:, 0] = True
    asked = request_of(small_shape, 30, mask=mask)
    shares = taught.best_shares(asked, 9, n_draws=16, scale=0.7)
    for rows, drawn in taught.draws(asked, 9, n_draws=16, scale=0.7):
        best = np.where(mask[rows, None], drawn, -np.inf).argmax(axis=2)
        counted = np.stack([np.bincount(row, minlength=21) for row in best]) / 16
        np.testing.assert_allclose(shares[rows], counted, atol=1e-6)


def test_draws_of_other_numbers_and_scales_are_drawn_anew(
    taught: LinearModel, request_of: Callable[..., Request], small_shape: PolicyShape
) -> None:
    """Kept draws belong to what was asked: M and scale as well as the key."""
    asked = request_of(small_shape, 4)
    kept = taught.best_shares(asked, 9, n_draws=16, scale=1.0)
    taught.best_shares(asked, 9, n_draws=16, scale=0.0)
    taught.best_shares(asked, 9, n_draws=8, scale=1.0)
    assert taught.best_shares(asked, 9, n_draws=16, scale=1.0).tobytes() == kept.tobytes()
    sure = taught.best_shares(asked, 9, n_draws=16, scale=0.0)
    assert sure.max(axis=1).tolist() == [1.0] * 4
