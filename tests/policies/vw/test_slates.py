"""An item and a time in two places of one slate, learned from one reward."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bandit.errors import BadInputError
from bandit.outcomes import RewardScheme
from policies.shape import PolicyShape
from policies.vw.explorations import EpsilonGreedy
from policies.vw.params import VWParams
from policies.vw.slates import Slates


def _made(shape: PolicyShape, hits: RewardScheme, words: str = "ci cs") -> Slates:
    model = VWParams(interactions=words, bits=14)
    return Slates(shape, hits, model=model, explorer=EpsilonGreedy(epsilon=0.1))


def test_each_place_has_the_probabilities_that_vowpal_wabbit_gives(
    small_shape: PolicyShape,
    hits: RewardScheme,
    request_of: Callable[..., Any],
    feedback_of: Callable[..., Any],
) -> None:
    """Ours are products over the weights; its own come from a slate of examples."""
    policy = _made(small_shape, hits)
    policy.update(feedback_of(small_shape, 120, hits))
    asked = request_of(small_shape, 30)
    pmf = policy.pmf(asked, 0)
    pairs = pmf[:, 1:].reshape(30, 5, 4)
    ours = np.concatenate([pmf[:, :1], pairs.sum(axis=2)], axis=1)
    slots = pairs.sum(axis=1) / pairs.sum(axis=(1, 2))[:, None]
    with policy.workspaces.asking() as places:
        for n in range(30):
            first, second = places.probabilities(
                asked.context[n].tolist(),
                asked.item_features[n].tolist(),
                asked.slot_features[n].tolist(),
            )
            np.testing.assert_allclose(ours[n], first, atol=1e-6)
            np.testing.assert_allclose(slots[n], second, atol=1e-6)
    assert len(np.unique(ours.argmax(axis=1))) > 1


def test_it_learns_an_item_and_a_time_from_one_reward(
    small_shape: PolicyShape,
    hits: RewardScheme,
    request_of: Callable[..., Any],
    feedback_of: Callable[..., Any],
) -> None:
    """Items with a large first feature and slots with a large second one add up to hits."""
    policy = _made(small_shape, hits, words="")
    feedback = feedback_of(small_shape, 3000, hits)
    worth = (feedback.item_features[:, 0] + feedback.slot_features[:, 1]) * feedback.is_send
    policy.update(replace(feedback, components=worth[:, None]))
    asked = request_of(small_shape, 60)
    pairs = policy.pmf(asked, 0)[:, 1:].reshape(60, 5, 4)
    first = asked.item_features[..., 0].argmax(axis=1)
    second = asked.slot_features[..., 1].argmax(axis=1)
    sends = pairs.sum(axis=(1, 2)) > 0.5
    assert sends.mean() > 0.7
    assert (pairs.sum(axis=2).argmax(axis=1) == first)[sends].mean() > 0.9
    assert (pairs.sum(axis=1).argmax(axis=1) == second)[sends].mean() > 0.9


def test_a_time_is_chosen_among_those_open_to_the_item(
    small_shape: PolicyShape,
    hits: RewardScheme,
    request_of: Callable[..., Any],
    feedback_of: Callable[..., Any],
) -> None:
    """The best open slot of each item keeps .9 + .1/open of it, also where the best is closed."""
    policy = _made(small_shape, hits)
    policy.update(feedback_of(small_shape, 80, hits))
    mask = np.ones((20, 21), np.bool_)
    free = request_of(small_shape, 20)
    _, costs = policy.costs(free)
    best = costs.argmin(axis=1)
    mask[np.arange(20), 1 + best] = False  # item 0 may not go out at the best time
    pmf = policy.pmf(request_of(small_shape, 20, mask=mask), 0)
    pairs = pmf[:, 1:].reshape(20, 5, 4)
    given = pairs / pairs.sum(axis=2, keepdims=True)
    np.testing.assert_allclose(given[:, 0].max(axis=1), 0.9 + 0.1 / 3)
    np.testing.assert_allclose(given[np.arange(20), 1, best], 0.9 + 0.1 / 4)
    assert not pairs[np.arange(20), 0, best].any()


def test_saved_anywhere_it_goes_on_as_if_it_had_never_stopped(
    small_shape: PolicyShape,
    hits: RewardScheme,
    feedback_of: Callable[..., Any],
    request_of: Callable[..., Any],
) -> None:
    asked = request_of(small_shape, 8)
    for cut in (0, 1, 17, 59):
        never, stopped, resumed = (_made(small_shape, hits) for _ in range(3))
        first = feedback_of(small_shape, cut, hits, seed=1)
        rest = feedback_of(small_shape, 60 - cut, hits, seed=2, first_id=1000)
        for one in (never, stopped):
            one.update(first)
        resumed.load({name: array.copy() for name, array in stopped.state().items()})
        for one in (never, resumed):
            one.update(rest)
        assert resumed.pmf(asked, 0).tobytes() == never.pmf(asked, 0).tobytes()
        state = resumed.state()
        for name, array in never.state().items():
            assert state[name].tobytes() == array.tobytes(), name


def test_interactions_of_what_no_example_has_are_refused(
    small_shape: PolicyShape, hits: RewardScheme
) -> None:
    with pytest.raises(BadInputError, match="expected interactions out of 'ci' and 'cs'"):
        _made(small_shape, hits, words="is")
