"""Beta–Thompson by hand and beside plain sampling."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from bandit.actions import Request
from bandit.errors import BadInputError
from bandit.outcomes import Feedback, RewardScheme
from policies.baselines.user_beta import BetaParams, UserBeta
from policies.shape import PolicyShape

_SHAPE = PolicyShape(
    n_context=1, n_item_features=1, n_slot_features=1, n_users=2, n_items=2, n_slots=2
)
RequestOf = Callable[..., Request]
FeedbackOf = Callable[..., Feedback]

# user, item or −1 for hold, slot, success
_LOG = [(0, 0, 1, 1), (0, 0, 1, 0), (0, 1, 0, 0), (0, -1, -1, 1), (0, -1, -1, 0), (1, 0, 0, 1)]


def _told(feedback_of: FeedbackOf, scheme: RewardScheme, n: int = len(_LOG)) -> Feedback:
    user, item, slot, success = np.array(_LOG[:n], np.int64).T
    components = np.zeros((n, len(scheme)))
    components[:, 0] = success
    made = feedback_of(_SHAPE, n, scheme, components=components)
    return replace(made, user=user, item=item, slot=slot, is_send=item >= 0)


def _asked(request_of: RequestOf, n: int = 2) -> Request:
    made = request_of(_SHAPE, n)
    items = np.tile([0, 1], (n, 1))
    return replace(made, user=np.arange(n) % 2, items=items)


def test_posterior_means_by_hand_alone_and_pooled(
    feedback_of: FeedbackOf, request_of: RequestOf, hits: RewardScheme
) -> None:
    """Alone, user 0: item 0 (1 + 1)/(2 + 2), item 1 1/3, silence 2/4.

    Pooled with κ = 4: sends pay (1 + 2)/(2 + 4) = 1/2 of all; item 0 (4·1/2 + 2)/(4 + 3) = 4/7,
    item 1 (4·1/2)/(4 + 1) = 2/5, silence (2 + 1)/(4 + 2) = 1/2; user 0 then (4·4/7 + 1)/(4 + 2),
    (4·2/5)/(4 + 1) and (2 + 1)/(4 + 2).
    """
    alone = UserBeta(_SHAPE, hits, is_pooled=False)
    pooled = UserBeta(_SHAPE, hits, params=BetaParams(concentration=4.0))
    for policy, items, silence in (
        (alone, [1 / 2, 1 / 3], 1 / 2),
        (pooled, [(16 / 7 + 1) / 6, (8 / 5) / 5], 1 / 2),
    ):
        policy.update(_told(feedback_of, hits))
        guess = policy.estimate(_asked(request_of))
        assert guess.base_mean[0, 0] == pytest.approx(silence)
        np.testing.assert_allclose(guess.mean[0, 1::2, 0], items)
        np.testing.assert_allclose(guess.mean[0, 2::2, 0], items)


def test_the_mean_pmf_is_the_frequency_of_a_million_draws(
    feedback_of: FeedbackOf, request_of: RequestOf, hits: RewardScheme
) -> None:
    """2,000 states of 32 draws within .01; item, then slot, then silence, drawn by numpy."""
    policy = UserBeta(_SHAPE, hits, is_pooled=False)
    policy.update(_told(feedback_of, hits))
    asked = _asked(request_of, 1)
    mean = np.mean([policy.pmf(asked, key)[0] for key in range(2000)], axis=0)
    rng, n = np.random.default_rng(1), 1_000_000
    items = np.stack([rng.beta(2, 2, n), rng.beta(1, 2, n)])
    slots = np.stack([rng.beta(1, 2, n), rng.beta(2, 2, n)])
    best = 1 + 2 * items.argmax(axis=0) + slots.argmax(axis=0)
    action = np.where(items.max(axis=0) > rng.beta(2, 2, n), best, 0)
    np.testing.assert_allclose(mean, np.bincount(action, minlength=5) / n, atol=0.01)


def test_the_best_items_best_open_slot_is_sent(
    feedback_of: FeedbackOf, request_of: RequestOf, hits: RewardScheme
) -> None:
    """Slot 1 of item 0 is masked, hold too: what is left is item 0 at slot 0, and item 1."""
    policy = UserBeta(_SHAPE, hits)
    policy.update(_told(feedback_of, hits))
    reasons = np.array([[1, 0, 1, 1, 1], [1, 1, 1, 0, 0]], np.uint16)
    pmf = policy.pmf(replace(_asked(request_of), reasons=reasons), 3)
    np.testing.assert_array_equal(pmf[0], [0, 1, 0, 0, 0])
    assert pmf[1, 3:].sum() == pytest.approx(1.0)


def test_users_differ_in_their_draws_and_pooling_carries_over(
    feedback_of: FeedbackOf, request_of: RequestOf, hits: RewardScheme
) -> None:
    """Item 0 always pays user 0: user 1, who was sent nothing, is sent it too, if pooled."""
    told = feedback_of(_SHAPE, 200, hits, components=(np.arange(200)[:, None] % 2 == 0) * 1.0)
    told = replace(
        told,
        user=np.zeros(200, np.int64),
        item=np.arange(200) % 2,
        slot=np.zeros(200, np.int64),
        is_send=np.ones(200, np.bool_),
    )
    shares = []
    for is_pooled in (True, False):
        policy = UserBeta(_SHAPE, hits, params=BetaParams(n_draws=512), is_pooled=is_pooled)
        policy.update(told)
        shares.append(policy.pmf(_asked(request_of), 1)[:, 1:3].sum(axis=1))
    assert shares[0].min() > 0.9
    assert shares[1][0] > 0.9
    assert shares[1][1] < 0.6


def test_values_above_one_count_as_one(
    feedback_of: FeedbackOf, request_of: RequestOf, hits: RewardScheme
) -> None:
    policy, plain = UserBeta(_SHAPE, hits), UserBeta(_SHAPE, hits)
    told = _told(feedback_of, hits)
    plain.update(told)
    policy.update(replace(told, components=3.0 * told.components))
    np.testing.assert_array_equal(policy.everybody, plain.everybody)


@pytest.mark.parametrize("bad", [{"concentration": 0.0}, {"concentration": np.inf}, {"n_draws": 0}])
def test_impossible_parameters_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(BadInputError, match="expected a finite concentration above 0"):
        BetaParams(**bad)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"user": np.full(6, 2)}, r"user codes in \[0, 2\), got 2 to 2"),
        ({"slot": np.full(6, 5)}, r"slots in \[0, 2\), got 5 to 5"),
        ({"components": np.full((6, 1), np.nan)}, "expected finite components"),
        ({"maturity": np.full((6, 1), 1.5)}, r"expected maturity in \[0, 1\]"),
    ],
)
def test_bad_feedback_is_refused_and_changes_nothing(
    change: dict[str, np.ndarray], message: str, feedback_of: FeedbackOf, hits: RewardScheme
) -> None:
    policy = UserBeta(_SHAPE, hits)
    with pytest.raises(BadInputError, match=message):
        policy.update(replace(_told(feedback_of, hits), **change))  # type: ignore[arg-type]
    assert policy.everybody.sum() == 0.0


def test_a_scheme_of_costs_and_requests_of_other_slots_are_refused(
    request_of: RequestOf, two_parts: RewardScheme, hits: RewardScheme
) -> None:
    costs = replace(two_parts, components=two_parts.components[1:2])
    with pytest.raises(BadInputError, match="got costs of sending only"):
        UserBeta(_SHAPE, costs).pmf(_asked(request_of), 1)
    three = replace(_SHAPE, n_slots=3)
    with pytest.raises(BadInputError, match="expected requests of 3 slots, got 2"):
        UserBeta(three, hits).pmf(_asked(request_of), 1)
