"""A density over send times, cut at the slots of the grid."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bandit.errors import BadInputError
from bandit.outcomes import RewardScheme
from policies.shape import PolicyShape
from policies.vw.cats import Cats
from policies.vw.explorations import EpsilonGreedy
from policies.vw.params import TimesParams, VWParams

SHAPE = PolicyShape(
    n_context=2, n_item_features=2, n_slot_features=1, n_users=1, n_items=2, n_slots=24
)


def _made(hits: RewardScheme, shape: PolicyShape = SHAPE, **times: Any) -> Cats:
    return Cats(
        shape,
        hits,
        model=VWParams(interactions="ci", bits=14),
        explorer=EpsilonGreedy(),
        times=TimesParams(**times),
    )


def test_a_density_is_integrated_over_each_slot(hits: RewardScheme) -> None:
    """Untaught it is a bin's kernel over an even floor: 95 % there, 5 % of 1/24 an hour."""
    shares = _made(hits).slots(np.zeros((1, 2)))[0]
    assert shares.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(np.sort(shares)[:-1], 0.05 / 24, rtol=1e-5)
    np.testing.assert_allclose(shares.max(), 0.95 + 0.05 / 24, rtol=1e-5)
    wide = _made(hits, bandwidth=2.0).slots(np.zeros((1, 2)))[0]
    assert np.sort(wide)[-3:].sum() < 0.95
    narrow = _made(hits, bins_a_slot=4, bandwidth=0.5).slots(np.zeros((1, 2)))[0]
    assert narrow.max() == pytest.approx(0.95 + 0.05 / 24, rel=1e-5)


def test_it_learns_the_hour_that_the_context_names(
    hits: RewardScheme, feedback_of: Callable[..., Any]
) -> None:
    """Mornings please one, evenings the other; most of the mass lies within two hours of it."""
    policy = _made(hits, bandwidth=1.0)
    n = 6000
    feedback = feedback_of(SHAPE, n, hits)
    who = np.arange(n) % 2
    rng = np.random.default_rng(3)
    slot = np.where(feedback.is_send, rng.integers(0, 24, n), -1)
    likes = np.abs(slot - np.where(who, 8, 19)) <= 2
    policy.update(
        replace(
            feedback,
            context=np.eye(2)[who],
            slot=slot,
            components=(likes & feedback.is_send).astype(float)[:, None],
            propensity=np.full(n, 1 / 48),
        )
    )
    shares = policy.slots(np.eye(2))
    assert shares[0, 17:22].sum() > 0.8
    assert shares[1, 6:11].sum() > 0.8


def test_closed_slots_give_their_mass_to_those_open_to_the_item(
    hits: RewardScheme, request_of: Callable[..., Any]
) -> None:
    """P(k, s) = P(k) · p(s) over what is open to k; an item without a slot is not chosen."""
    policy = _made(hits, replace(SHAPE, n_slots=3))
    mask = np.ones((1, 7), np.bool_)
    mask[0, [2, 4, 5, 6]] = False
    asked = request_of(replace(SHAPE, n_slots=3), 1, mask=mask)
    slots = policy.slots(asked.context)[0]
    pmf = policy.pmf(asked, 0)[0]
    np.testing.assert_allclose(pmf[0], 0.5)  # untaught: hold and one item alike
    np.testing.assert_allclose(pmf[[1, 3]], 0.5 * slots[[0, 2]] / slots[[0, 2]].sum())


def test_saved_anywhere_it_goes_on_as_if_it_had_never_stopped(
    hits: RewardScheme, feedback_of: Callable[..., Any], request_of: Callable[..., Any]
) -> None:
    asked = request_of(SHAPE, 8)
    for cut in (0, 1, 17, 59):
        never, stopped, resumed = (_made(hits) for _ in range(3))
        first = feedback_of(SHAPE, cut, hits, seed=1)
        rest = feedback_of(SHAPE, 60 - cut, hits, seed=2, first_id=1000)
        for one in (never, stopped):
            one.update(first)
        resumed.load({name: array.copy() for name, array in stopped.state().items()})
        for one in (never, resumed):
            one.update(rest)
        assert resumed.pmf(asked, 0).tobytes() == never.pmf(asked, 0).tobytes()
        state = resumed.state()
        for name, array in never.state().items():
            assert state[name].tobytes() == array.tobytes(), name


def test_a_request_of_another_grid_is_refused(
    hits: RewardScheme, request_of: Callable[..., Any]
) -> None:
    with pytest.raises(BadInputError, match="expected requests of 24 slots, got 3"):
        _made(hits).pmf(request_of(replace(SHAPE, n_slots=3), 2), 0)
    with pytest.raises(BadInputError, match="expected a learning_rate above 0"):
        TimesParams(learning_rate=-1.0)
