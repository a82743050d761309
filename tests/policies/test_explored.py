"""One model and one explorer make a policy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

import numpy as np
import pytest

from bandit.errors import BadInputError
from bandit.outcomes import Feedback, RewardScheme
from bandit.protocols import Policy
from policies.explored import Explored
from policies.explorers.inverse_gap import InverseGap
from policies.explorers.thompson import Thompson
from policies.models.linear import LinearModel
from policies.roles import RewardModel
from policies.shape import PolicyShape


class _Stiff(LinearModel):
    """A model whose context has no coordinates."""

    cannot: ClassVar[Mapping[str, str]] = {"turns_with_the_encoder": "it has none"}
    rotate = None  # type: ignore[assignment]


def test_it_is_a_policy_over_a_model(small_shape: PolicyShape, hits: RewardScheme) -> None:
    policy = Explored(LinearModel(small_shape, hits), Thompson())
    assert isinstance(policy, Policy)
    assert isinstance(policy.model, RewardModel)


def test_rows_are_counted_once_and_kept_in_the_state(
    feedback_of: Callable[..., Feedback], small_shape: PolicyShape, hits: RewardScheme
) -> None:
    """Revisions are no new rows."""
    policy = Explored(LinearModel(small_shape, hits), InverseGap())
    half = feedback_of(small_shape, 30, hits, maturity=np.full((30, 1), 0.5))
    policy.update(half)
    policy.revise(half)
    assert policy.n_learned == 30
    other = Explored(LinearModel(small_shape, hits), InverseGap())
    other.load(policy.state())
    assert other.n_learned == 30


def test_what_neither_half_can_do_is_declared(small_shape: PolicyShape, hits: RewardScheme) -> None:
    """And asked for all the same, it says what to do instead."""
    policy = Explored(_Stiff(small_shape, hits), Thompson())
    assert policy.cannot == {"turns_with_the_encoder": "it has none"}
    with pytest.raises(BadInputError, match="turns with the encoder, got _Stiff: refit"):
        policy.rotate(np.eye(3), 1.0)
