"""The last layer beside scikit-learn's ridge, the inverse written out, and the linear head."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from sklearn.linear_model import Ridge

from bandit.outcomes import Feedback, RewardScheme
from policies.models.last_layer import LastLayer
from policies.models.linear_head import HeadParams, LinearHead
from policies.models.linear_math import joint_features
from policies.shape import PolicyShape


def test_the_mean_is_ridge_regression_and_the_covariance_an_inverse() -> None:
    rng = np.random.default_rng(1)
    features, target = rng.normal(size=(80, 6)), rng.normal(size=(80, 2))
    weight = rng.uniform(0.2, 1.0, size=(80, 2))
    layer = LastLayer(6, 2, HeadParams(prior_precision=0.5, noise_sd=0.7, noise_rows=np.inf))
    layer.add(features, weighted=weight * target, squared=weight * target**2, weight=weight)
    mean, factor = layer.posterior()
    for row in range(2):
        peer = Ridge(alpha=0.5, fit_intercept=False)
        peer.fit(features, target[:, row], sample_weight=weight[:, row])
        np.testing.assert_allclose(mean[row], peer.coef_, rtol=1e-9, atol=1e-11)
        precision = features.T @ (weight[:, row, None] * features) + 0.5 * np.eye(6)
        np.testing.assert_allclose(
            factor[row] @ factor[row].T, 0.49 * np.linalg.inv(precision), rtol=1e-9, atol=1e-11
        )


def test_on_bilinear_features_it_is_the_linear_head(
    feedback_of: Callable[..., Feedback], small_shape: PolicyShape, two_parts: RewardScheme
) -> None:
    """Noise and all, also after discounting."""
    told = feedback_of(small_shape, 60, two_parts)
    head = LinearHead(3, 4, 3, two_parts, HeadParams(forget=0.5))
    head.learn(told)
    head.learn(feedback_of(small_shape, 60, two_parts, seed=2, first_id=100))
    layer = LastLayer(1 + 3 + 12, 2, HeadParams())
    for one in (told, feedback_of(small_shape, 60, two_parts, seed=2, first_id=100)):
        layer.discount(0.5)
        target = one.components[:, [0, 2]]
        layer.add(
            joint_features(one.context, one.item_features, one.slot_features, one.is_send),
            weighted=target,
            squared=target**2,
            weight=np.ones_like(target),
        )
    for got, wanted in zip(layer.posterior(), head.posterior(), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-11)
