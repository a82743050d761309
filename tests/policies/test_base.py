"""What comes without a push: the same by a model's own short way and by its whole estimate."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bandit.actions import Request
from bandit.outcomes import Feedback, RewardScheme
from policies.base import base_values
from policies.models.glm_head import GlmParams
from policies.models.hybrid import HybridModel
from policies.models.linear import LinearModel
from policies.models.tallied import Tallied
from policies.roles import RewardModel
from policies.shape import PolicyShape


def test_the_base_is_that_of_the_estimate_weighed(
    request_of: Callable[..., Request],
    feedback_of: Callable[..., Feedback],
    small_shape: PolicyShape,
    two_parts: RewardScheme,
) -> None:
    """For a model with a way of its own, one wrapped in a tally, and one without."""
    models: tuple[RewardModel, ...] = (
        LinearModel(small_shape, two_parts),
        Tallied(LinearModel(small_shape, two_parts)),
        HybridModel(small_shape, two_parts, GlmParams(responses="identity")),
    )
    asked = request_of(small_shape, 6)
    for model in models:
        model.update(feedback_of(small_shape, 50, two_parts))
        wanted = model.estimate(asked).base_mean @ two_parts.weights
        np.testing.assert_allclose(base_values(model, asked), wanted, rtol=1e-10)
