from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bandit.actions import Request
from bandit.errors import BadInputError, BadShapeError
from bandit.outcomes import RewardScheme
from policies.baselines.taste_at_hour import DeepScore, TasteAtHour, content
from policies.candidates.content import ContentTowers
from policies.registry import build
from policies.shape import PolicyShape

_SHAPE = PolicyShape(
    n_context=2, n_item_features=1, n_slot_features=1, n_users=40, n_items=10, n_slots=4
)
_CAMPS = np.repeat(np.eye(2), 5, axis=0)  # items 0 … 4 are of one kind, 5 … 9 of the other


def _lived(policy_id: str, hits: RewardScheme, *, days: int = 20, **options: Any) -> Any:
    """Even users take items 1 … 4 in slot 1, odd ones items 6 … 9 in slot 2; user 0 did nothing.

    Items 0 and 5 are taken by others alone, so nobody's own count says who would like them: users
    2 and 3 never take either.
    """
    policy: Any = build(policy_id, _SHAPE, scheme=hits, options={"always_sends": True, **options})
    if isinstance(policy, TasteAtHour) and policy.reads_vectors:
        policy.describe(_CAMPS)
    rng = np.random.default_rng(1)
    for _ in range(days):
        user = np.arange(1, _SHAPE.n_users)
        first = np.where(user < 4, 1, 0)
        item = 5 * (user % 2) + rng.integers(first, 5)
        policy.counts.observe(item_user=user, item=item, slot_user=user, slot=1 + user % 2)
    return policy


def _asked(request_of: Callable[..., Request], user: list[int], items: list[int]) -> Request:
    """These users, offered these items, with their camp as context."""
    asked = request_of(_SHAPE, len(user), n_items=len(items))
    camp = np.eye(2)[np.array(user) % 2]
    return replace(asked, user=np.array(user), items=np.tile(items, (len(user), 1)), context=camp)


@pytest.mark.parametrize("policy_id", ["content", "collaborative", "deep_score"])
def test_an_item_of_the_own_kind_is_sent_at_the_own_hour(
    policy_id: str, hits: RewardScheme, request_of: Callable[..., Request]
) -> None:
    """Users 2 and 3 never took item 0 or 5: each gets the one of their kind, in their slot."""
    policy = _lived(policy_id, hits)
    pmf = policy.pmf(_asked(request_of, [2, 3], [0, 5]), 9)
    assert pmf[0, 1 + 0 * 4 + 1] == 1.0
    assert pmf[1, 1 + 1 * 4 + 2] == 1.0


@pytest.mark.parametrize("policy_id", ["content", "collaborative"])
def test_strangers_get_what_everybody_likes_at_the_popular_hour(
    policy_id: str, hits: RewardScheme, request_of: Callable[..., Request]
) -> None:
    """As the policy that gives everybody the popular item at the popular hour."""
    asked = _asked(request_of, [0], list(range(10)))
    popular = _lived("popular", hits).pmf(asked, 9)
    assert popular.max() == 1.0
    np.testing.assert_array_equal(_lived(policy_id, hits).pmf(asked, 9), popular)


def test_a_send_that_is_worth_no_more_than_it_costs_is_held(
    hits: RewardScheme, request_of: Callable[..., Request]
) -> None:
    """At a fifth of the days in slot 1, nothing can be worth more than about a fifth."""
    policy = _lived("content", hits, always_sends=False)
    asked = _asked(request_of, [2], [0, 5])
    assert policy.pmf(asked, 9)[0, 0] == 0.0
    (hit,) = hits.components
    policy.scheme = replace(
        hits,
        components=(hit, replace(hit, name="message", kinds=(), measure="send", weight=-1.01)),
    )
    assert policy.pmf(asked, 9)[0, 0] == 1.0


def test_only_strategies_that_read_vectors_take_them(hits: RewardScheme) -> None:
    with pytest.raises(BadInputError, match="a strategy that reads item vectors, got 'collabora"):
        _lived("collaborative", hits, days=0).describe(_CAMPS)
    assert content(_SHAPE, hits).reads_content
    assert not DeepScore(_SHAPE, hits).reads_content
    with pytest.raises(BadShapeError, match="of the context's length 2, got 3"):
        DeepScore(_SHAPE, hits).describe(np.ones((10, 3)))
    with pytest.raises(BadInputError, match="expected fit_every of at least 1, got 0"):
        TasteAtHour(_SHAPE, hits, towers=ContentTowers(10), fit_every=0)


@pytest.mark.parametrize("policy_id", ["content", "collaborative", "deep_score"])
def test_a_saved_strategy_goes_on_as_if_never_stopped(
    policy_id: str, hits: RewardScheme, request_of: Callable[..., Request]
) -> None:
    """Through days on which towers are fitted anew."""
    straight = _lived(policy_id, hits, days=4)
    resumed = build(policy_id, _SHAPE, scheme=hits, options={"always_sends": True})
    assert isinstance(resumed, TasteAtHour)
    resumed.load(straight.state())
    for day in range(9):
        for policy in (straight, resumed):
            user = np.arange(day, 30)
            policy.counts.observe(item_user=user, item=user % 10, slot_user=user, slot=user % 4)
    asked = request_of(_SHAPE, 30)
    assert resumed.pmf(asked, 9).tobytes() == straight.pmf(asked, 9).tobytes()
    for name, array in straight.state().items():
        assert resumed.state()[name].tobytes() == array.tobytes()
