"""Differences between actions: exact for a linear model, by draws for any other."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bandit.actions import Request
from bandit.outcomes import Feedback, RewardScheme
from policies.contrasts import best_known, contrast_spreads, surest
from policies.models.linear import LinearModel
from policies.models.tallied import Tallied
from policies.shape import PolicyShape


def test_a_linear_models_are_those_of_materialised_features(
    request_of: Callable[..., Request],
    feedback_of: Callable[..., Feedback],
    small_shape: PolicyShape,
    two_parts: RewardScheme,
) -> None:
    """√((ζ − ζ′)ᵀΣ(ζ − ζ′)), Σ summed over components by their squared weights; ζ of hold is 0."""
    model = LinearModel(small_shape, two_parts)
    model.update(feedback_of(small_shape, 60, two_parts))
    asked = request_of(small_shape, 5)
    reference = np.array([0, 3, 20, 7, 0])
    zeta = np.zeros((5, 21, 12))
    pairs = np.einsum("nki,nsj->nksij", asked.item_features, asked.slot_features)
    zeta[:, 1:] = pairs.reshape(5, 20, 12)
    sigma = np.tensordot(np.array([1.0, 9.0]), model.head.pair_covariance(), axes=1)
    away = zeta - zeta[np.arange(5), reference][:, None]
    expected = np.sqrt(np.einsum("nap,pq,naq->na", away, sigma, away))
    got = contrast_spreads(model, asked, reference, key=0)
    np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-7)
    np.testing.assert_array_equal(got[np.arange(5), reference], 0.0)


def test_any_other_models_are_those_of_its_draws(
    request_of: Callable[..., Request],
    feedback_of: Callable[..., Feedback],
    small_shape: PolicyShape,
    hits: RewardScheme,
) -> None:
    """A standard deviation of 64 draws is within 40 % of the exact one, 4.5 of its errors."""
    model = LinearModel(small_shape, hits)
    model.update(feedback_of(small_shape, 60, hits))
    asked, reference = request_of(small_shape, 30), np.arange(30) % 21
    exact = contrast_spreads(model, asked, reference, key=3)
    drawn = contrast_spreads(Tallied(model), asked, reference, key=3)
    np.testing.assert_allclose(drawn, exact, rtol=0.4, atol=1e-12)


def test_of_ties_the_best_known_is_the_least_sure(
    request_of: Callable[..., Request], small_shape: PolicyShape, hits: RewardScheme
) -> None:
    """Before any row all uplifts are 0: of the unmasked ones the widest, whatever their order."""
    model = LinearModel(small_shape, hits)
    mask = np.ones((3, 21), np.bool_)
    mask[:, :5] = False
    asked = request_of(small_shape, 3, mask=mask)
    best = best_known(model, asked)
    widest = np.where(mask, model.spreads(asked), -1.0).argmax(axis=1)
    np.testing.assert_array_equal(best, widest)


def test_the_surest_is_hold_where_one_may_hold(
    request_of: Callable[..., Request],
    feedback_of: Callable[..., Feedback],
    small_shape: PolicyShape,
    hits: RewardScheme,
) -> None:
    model = LinearModel(small_shape, hits)
    model.update(feedback_of(small_shape, 60, hits))
    np.testing.assert_array_equal(surest(model, request_of(small_shape, 3)), [0, 0, 0])
    mask = np.ones((3, 21), np.bool_)
    mask[:, 0] = False
    asked = request_of(small_shape, 3, mask=mask)
    narrowest = model.spreads(asked)[:, 1:].argmin(axis=1) + 1
    np.testing.assert_array_equal(surest(model, asked), narrowest)
