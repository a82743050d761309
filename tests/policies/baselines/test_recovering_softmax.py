"""Duolingo's bandit against the formula worked by hand on a small log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from bandit.actions import Request
from bandit.errors import BadInputError
from bandit.outcomes import Feedback, RewardScheme
from bandit.slots import DAY_MS, HOUR_MS
from policies.baselines.recovering_math import recency_penalty, relative_difference
from policies.baselines.recovering_softmax import RecoveringParams, RecoveringSoftmax
from policies.shape import PolicyShape

_SHAPE = PolicyShape(
    n_context=1, n_item_features=1, n_slot_features=1, n_users=3, n_items=3, n_slots=2
)
_NOON_MS = 1_704_110_400_000  # 2024-01-01 12:00 UTC
RequestOf = Callable[..., Request]
FeedbackOf = Callable[..., Feedback]

# Eligible items, their probabilities, which was sent, and whether a lesson followed.
_LOG: list[tuple[list[int], list[float], int, int]] = [
    ([0, 1, 2], [0.5, 0.25, 0.25], 0, 1),
    ([0, 1, 2], [0.5, 0.25, 0.25], 1, 0),
    ([0, 1], [0.5, 0.5], 0, 1),
    ([0, 1], [0.2, 0.8], 1, 1),
    ([1, 2], [0.5, 0.5], 2, 0),
    ([0, 2], [0.6, 0.4], 0, 0),
]


def _told(feedback_of: FeedbackOf, scheme: RewardScheme) -> Feedback:
    n = len(_LOG)
    short_list, p_items = np.full((n, 3), -1), np.zeros((n, 3))
    for row, (items, chances, _, _) in enumerate(_LOG):
        short_list[row, : len(items)], p_items[row, : len(items)] = items, chances
    made = feedback_of(_SHAPE, n, scheme, components=np.array([[row[3]] for row in _LOG], float))
    return replace(
        made,
        user=np.arange(n) % 2,
        item=np.array([row[2] for row in _LOG]),
        slot=np.zeros(n, np.int64),
        is_send=np.ones(n, np.bool_),
        p_send=np.ones(n),
        at_ms=np.full(n, _NOON_MS),
        short_list=short_list,
        p_items=p_items,
    )


def _by_hand(item: int, sigma: float) -> float:
    """Score of one item, round by round as the paper writes it."""
    plus, minus = [], []
    for items, chances, sent, reward in _LOG:
        if item in items:
            b = chances[items.index(item)]
            (plus if sent == item else minus).append(
                (1 / b if sent == item else 1 / (1 - b), reward)
            )
    prior = np.mean([reward for _, reward in plus + minus])
    means = []
    for rounds in (plus, minus):
        w = np.array([weight for weight, _ in rounds])
        r = np.array([reward for _, reward in rounds])
        n = w.sum() ** 2 / (w**2).sum()
        means.append(((w @ r / w.sum()) * n + prior * sigma) / (n + sigma))
    return float((means[0] - means[1]) / means[1])


def _asked(
    request_of: RequestOf, *, days: float = 0.0, reasons: np.ndarray | None = None
) -> Request:
    """Three users, items 2, 0, 1, slots at 13 and 19 o'clock UTC."""
    made = request_of(_SHAPE, 3)
    at_ms = np.full(3, _NOON_MS + round(days * DAY_MS))
    start = at_ms[:, None] + np.array([1, 7]) * HOUR_MS
    made = replace(
        made,
        user=np.arange(3),
        items=np.tile([2, 0, 1], (3, 1)),
        at_ms=at_ms,
        grid=replace(made.grid, start_ms=start, end_ms=start + HOUR_MS),
    )
    return made if reasons is None else replace(made, reasons=reasons.astype(np.uint16))


@pytest.mark.parametrize("sigma", [1.0, 105.0])
def test_scores_by_hand(sigma: float, feedback_of: FeedbackOf, hits: RewardScheme) -> None:
    policy = RecoveringSoftmax(_SHAPE, hits)
    policy.update(_told(feedback_of, hits))
    scores = relative_difference(policy.sums, sigma=sigma)
    np.testing.assert_allclose(scores, [_by_hand(item, sigma) for item in range(3)], rtol=1e-12)


def test_one_score_in_numbers(feedback_of: FeedbackOf, hits: RewardScheme) -> None:
    """Item 2, σ = 1: sent once, b = .5, r = 0; another was sent at b = .25, .25, .4 for 1, 0, 0.

    μ⁺ = 0, n⁺ = 1; weights 4/3, 4/3, 5/3: μ⁻ = 4/13, n⁻ = (13/3)²/(57/9) = 169/57; μ_a = 1/4.
    """
    policy = RecoveringSoftmax(_SHAPE, hits)
    policy.update(_told(feedback_of, hits))
    plus = (0.0 + 0.25) / 2
    minus = (4 / 13 * 169 / 57 + 0.25) / (169 / 57 + 1)
    score = relative_difference(policy.sums, sigma=1.0)[2]
    assert score == pytest.approx((plus - minus) / minus)


def test_the_pmf_is_the_papers_softmax_of_recovering_scores(
    feedback_of: FeedbackOf, request_of: RequestOf, hits: RewardScheme
) -> None:
    """Three days later: user 0 was sent items 0 and 2, user 1 items 1 and 0, user 2 nothing."""
    policy = RecoveringSoftmax(_SHAPE, hits)
    policy.update(_told(feedback_of, hits))
    pmf = policy.pmf(_asked(request_of, days=3.0), key=0)
    sent = {0: {0, 2}, 1: {0, 1}, 2: set()}
    for user in range(3):
        score = np.array(
            [
                _by_hand(item, 105.0) - (0.017 * 2 ** (-3 / 15) if item in sent[user] else 0.0)
                for item in (2, 0, 1)
            ]
        )
        weight = np.exp((score - score.max()) / 0.0025)
        np.testing.assert_allclose(pmf[user, 2::2], weight / weight.sum(), rtol=1e-9)
    np.testing.assert_array_equal(pmf[:, [0, 1, 3, 5]], 0.0)


def test_an_item_recovers_by_half_in_half_a_month() -> None:
    days = np.array([0.0, 15.0, 30.0, np.inf])
    np.testing.assert_allclose(
        recency_penalty(days, gamma=0.017, half_life_days=15.0), [0.017, 0.0085, 0.00425, 0.0]
    )


def test_sleeping_items_and_closed_slots_are_left_out(
    request_of: RequestOf, hits: RewardScheme
) -> None:
    """User 0: item 2 sleeps; user 1: the evening is closed; user 2: nothing is open."""
    reasons = np.zeros((3, 7))
    reasons[0, 1:3] = 1
    reasons[1, 2::2] = 1
    reasons[2, 1:] = 1
    pmf = RecoveringSoftmax(_SHAPE, hits).pmf(_asked(request_of, reasons=reasons), key=0)
    third = 1 / 3
    np.testing.assert_allclose(pmf[0], [0, 0, 0, 0, 0.5, 0, 0.5])
    np.testing.assert_allclose(pmf[1], [0, third, 0, third, 0, third, 0])
    np.testing.assert_allclose(pmf[2], [1, 0, 0, 0, 0, 0, 0])


def test_the_hour_is_by_the_users_clock(request_of: RequestOf, hits: RewardScheme) -> None:
    """13 and 19 o'clock UTC are 22 and 4 in Tokyo, 8 and 14 in New York."""
    asked = _asked(request_of)
    asked = replace(asked, zone=np.array(["", "Asia/Tokyo", "America/New_York"]))
    pmf = RecoveringSoftmax(_SHAPE, hits).pmf(asked, key=0)
    np.testing.assert_array_equal(pmf[:, 1::2].sum(axis=1).round(9), [0, 1, 0])


def test_holds_teach_nothing(feedback_of: FeedbackOf, hits: RewardScheme) -> None:
    policy = RecoveringSoftmax(_SHAPE, hits)
    told = _told(feedback_of, hits)
    held = np.full(len(_LOG), -1)
    policy.update(replace(told, is_send=np.zeros(len(_LOG), np.bool_), item=held, slot=held))
    assert policy.sums.sum() == 0.0


def test_chances_are_those_given_a_send(feedback_of: FeedbackOf, hits: RewardScheme) -> None:
    """A logger that sends half of the time, and among items as before."""
    straight, halved = RecoveringSoftmax(_SHAPE, hits), RecoveringSoftmax(_SHAPE, hits)
    told = _told(feedback_of, hits)
    straight.update(told)
    halved.update(replace(told, p_send=0.5 * told.p_send, p_items=0.5 * told.p_items))
    np.testing.assert_allclose(halved.sums, straight.sums)


def test_feedback_without_short_lists_is_refused(
    feedback_of: FeedbackOf, hits: RewardScheme
) -> None:
    policy, told = RecoveringSoftmax(_SHAPE, hits), _told(feedback_of, hits)
    bare = replace(told, short_list=np.zeros((6, 0), np.int64), p_items=np.zeros((6, 0)))
    with pytest.raises(BadInputError, match="make the join with list_width"):
        policy.update(bare)
    unsent = (told.short_list == 2) & (told.item != 2)[:, None]
    strange = replace(told, short_list=np.where(unsent, 9, told.short_list))
    with pytest.raises(BadInputError, match="expected item ids below 3 in short lists, got 9"):
        policy.update(strange)
    assert policy.sums.sum() == 0.0


@pytest.mark.parametrize(
    "bad", [{"sigma": 0.0}, {"temperature": -1.0}, {"gamma": np.inf}, {"half_life_days": 0.0}]
)
def test_impossible_constants_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(BadInputError, match="expected sigma, half_life_days and temperature"):
        RecoveringParams(**bad)


def test_an_hour_that_no_clock_shows_is_refused() -> None:
    with pytest.raises(BadInputError, match=r"expected an hour in \[0, 24\), got 24"):
        RecoveringParams(hour=24.0)
