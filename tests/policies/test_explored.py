"""One model and one explorer make a policy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest

from bandit.actions import Request
from bandit.errors import BadInputError
from bandit.outcomes import Feedback, RewardScheme
from bandit.protocols import Policy
from policies.explored import Explored
from policies.explorers.inverse_gap import InverseGap
from policies.explorers.thompson import Thompson
from policies.models.hybrid import HybridModel
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


def test_who_could_not_be_sent_to_does_not_look_like_an_effect_of_sending(
    feedback_of: Callable[..., Feedback],
    request_of: Callable[..., Request],
    small_shape: PolicyShape,
    hits: RewardScheme,
) -> None:
    """A third of the holds could not be sent and come less; a push adds nothing."""
    rng = np.random.default_rng(1)
    told = feedback_of(small_shape, 20_000, hits)
    is_shut = (rng.random(20_000) < 1 / 3) & ~told.is_send
    came = np.where(is_shut, 0.0, 1.0) + rng.normal(0.0, 0.1, 20_000)
    told = replace(told, components=came[:, None], p_send=np.where(is_shut, 0.0, told.p_send))
    asked = request_of(small_shape, 200)
    policy = Explored(HybridModel(small_shape, hits), Thompson())
    policy.update(told)
    assert policy.n_learned == 20_000 - is_shut.sum()
    naive = HybridModel(small_shape, hits)
    naive.update(told)
    off, naively = (np.abs(model.values(asked)).mean() for model in (policy.model, naive))
    assert off < 0.03
    assert naively > 0.1  # a push seems to bring what reaching people brings
    policy.revise(told.take(is_shut))
    assert policy.n_learned == 20_000 - is_shut.sum()
