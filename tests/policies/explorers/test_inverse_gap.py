"""Inverse-gap weighting: its schedule, by hand, and what it keeps in its state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from bandit.actions import Request
from bandit.errors import BadInputError
from bandit.outcomes import Feedback, RewardScheme
from policies.explored import Explored
from policies.explorers.inverse_gap import InverseGap
from policies.models.linear import LinearModel
from policies.shape import PolicyShape


def _igw(shape: PolicyShape, scheme: RewardScheme, explorer: InverseGap | None = None) -> Explored:
    return Explored(LinearModel(shape, scheme), explorer or InverseGap(), policy_id="igw")


def test_an_unlearned_policy_is_uniform(
    request_of: Callable[..., Request], small_shape: PolicyShape, hits: RewardScheme
) -> None:
    """Every uplift is zero, so every gap is zero."""
    pmf = _igw(small_shape, hits).pmf(request_of(small_shape, 3), key=0)
    np.testing.assert_allclose(pmf, np.full((3, 21), 1 / 21))


def test_probabilities_follow_the_formula_and_its_schedule(
    request_of: Callable[..., Request],
    feedback_of: Callable[..., Feedback],
    small_shape: PolicyShape,
    hits: RewardScheme,
) -> None:
    """γ = 3·√(21·31) after 30 rows; 1/(21 + γ·gap) on all but the best."""
    policy = _igw(small_shape, hits, InverseGap(scale=3.0))
    policy.update(feedback_of(small_shape, 30, hits))
    asked = request_of(small_shape, 2)
    value = policy.estimate(asked).uplift_mean[:, :, 0]
    gap = value.max(axis=1, keepdims=True) - value
    expected = 1 / (21 + 3.0 * np.sqrt(21 * 31) * gap)
    best = value.argmax(axis=1)
    rows = np.arange(2)
    expected[rows, best] = 0.0
    expected[rows, best] = 1 - expected.sum(axis=1)
    np.testing.assert_allclose(policy.pmf(asked, key=0), expected, rtol=1e-9)


def test_it_grows_greedier_as_it_learns(
    request_of: Callable[..., Request],
    feedback_of: Callable[..., Feedback],
    small_shape: PolicyShape,
    hits: RewardScheme,
) -> None:
    """Where there is an effect to learn; on noise alone gaps shrink as fast as γ grows."""
    policy = _igw(small_shape, hits)
    asked = request_of(small_shape, 40)
    best = []
    for batch in range(4):
        made = feedback_of(small_shape, 10 * 4**batch, hits, seed=batch)
        worth = made.item_features[:, :1] * made.slot_features[:, :1]
        policy.update(replace(made, components=worth))
        best.append(policy.pmf(asked, key=0).max(axis=1).mean())
    assert best == sorted(best)
    assert policy.n_learned == 10 + 40 + 160 + 640


def test_actions_that_are_masked_do_not_make_it_greedier(
    request_of: Callable[..., Request],
    feedback_of: Callable[..., Feedback],
    small_shape: PolicyShape,
    hits: RewardScheme,
) -> None:
    """A short list padded with masked items gives the pmf of the short list."""
    policy = _igw(small_shape, hits)
    policy.update(feedback_of(small_shape, 30, hits))
    mask = np.ones((3, 21), np.bool_)
    mask[:, 9:] = False
    padded = request_of(small_shape, 3, mask=mask)
    short = replace(
        padded,
        items=padded.items[:, :2],
        item_features=padded.item_features[:, :2],
        reasons=padded.reasons[:, :9],
    )
    np.testing.assert_allclose(policy.pmf(padded, key=0)[:, :9], policy.pmf(short, key=0))


@pytest.mark.parametrize("scale", [-1.0, np.nan, np.inf])
def test_an_impossible_schedule_is_refused(scale: float) -> None:
    with pytest.raises(BadInputError, match="expected a finite scale of at least 0"):
        InverseGap(scale=scale)


def test_a_state_without_its_count_is_refused_and_changes_nothing(
    feedback_of: Callable[..., Feedback], small_shape: PolicyShape, hits: RewardScheme
) -> None:
    policy, other = _igw(small_shape, hits), _igw(small_shape, hits)
    other.update(feedback_of(small_shape, 30, hits))
    state = dict(other.state())
    del state["n_learned"]
    with pytest.raises(BadInputError, match=r"got none called \['n_learned'\]"):
        policy.load(state)
    assert isinstance(policy.model, LinearModel)
    assert policy.model.head.moment.sum() == 0.0
