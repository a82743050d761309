"""A tally beside a model: what it adds, and what it leaves alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from bandit.actions import Request
from bandit.errors import BadInputError, StateError
from bandit.outcomes import Feedback, RewardScheme
from policies.models.linear import LinearModel
from policies.models.tallied import Tallied
from policies.roles import RewardModel
from policies.shape import PolicyShape


def test_it_believes_what_the_model_inside_believes(
    request_of: Callable[..., Request],
    feedback_of: Callable[..., Feedback],
    small_shape: PolicyShape,
    hits: RewardScheme,
) -> None:
    plain, tallied = LinearModel(small_shape, hits), Tallied(LinearModel(small_shape, hits))
    assert isinstance(tallied, RewardModel)
    for model in (plain, tallied):
        model.update(feedback_of(small_shape, 30, hits))
    asked = request_of(small_shape, 4)
    np.testing.assert_array_equal(tallied.values(asked), plain.values(asked))
    np.testing.assert_array_equal(tallied.spreads(asked), plain.spreads(asked))
    shares = [m.best_shares(asked, 3, n_draws=8, scale=1.0) for m in (tallied, plain)]
    np.testing.assert_array_equal(shares[0], shares[1])
    drawn = [list(m.draws(asked, 3, n_draws=8, scale=1.0)) for m in (tallied, plain)]
    for (rows, one), (same, other) in zip(*drawn, strict=True):
        assert rows == same
        np.testing.assert_array_equal(one, other)


def test_a_row_learned_twice_is_refused_before_anything_is_added(
    feedback_of: Callable[..., Feedback], small_shape: PolicyShape, hits: RewardScheme
) -> None:
    model = Tallied(LinearModel(small_shape, hits))
    half = feedback_of(small_shape, 5, hits, maturity=np.full((5, 1), 0.5))
    model.update(half)
    paid = model.paid
    with pytest.raises(StateError, match="learned once"):
        model.update(half)
    with pytest.raises(StateError, match="revisions of open rows"):
        model.revise(feedback_of(small_shape, 5, hits, first_id=90))
    assert model.paid == paid


def test_a_state_without_its_tally_is_refused_and_changes_nothing(
    feedback_of: Callable[..., Feedback], small_shape: PolicyShape, hits: RewardScheme
) -> None:
    model, other = (Tallied(LinearModel(small_shape, hits)) for _ in range(2))
    other.update(feedback_of(small_shape, 5, hits, maturity=np.full((5, 1), 0.5)))
    for missing in ("tally.total", "tally.open.components"):
        state = dict(other.state())
        del state[missing]
        with pytest.raises(BadInputError, match="got none called"):
            model.load(state)
        assert not model.total.any()
        assert isinstance(model.model, LinearModel)
        assert not model.model.head.moment.any()
    model.load(other.state())
    assert model.paid == other.paid
