"""Volumes by hand, evenly spread, within the budget, and learned from what was allocated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from bandit.actions import Request
from bandit.errors import BadInputError
from bandit.outcomes import UPLIFT, Feedback, RewardScheme
from bandit.slots import DAY_MS, HOUR_MS
from policies.baselines.fixed import RandomEligible
from policies.baselines.volume_math import is_due, threshold, volumes, worths
from policies.baselines.weekly_budget import BudgetParams, WeeklyBudget
from policies.explored import Explored
from policies.explorers.thompson import Thompson
from policies.models.linear import LinearModel
from policies.shape import PolicyShape

_SHAPE = PolicyShape(
    n_context=1, n_item_features=1, n_slot_features=1, n_users=4000, n_items=2, n_slots=2
)
_MONDAY_MS = 1_704_067_200_000  # 1 January 2024
_UTILITY = np.array([[0.0, 3.0, 5.0, 6.0], [0.0, 1.0, 3.0, 3.5], [0.0, -1.0, 9.0, 9.0]])
RequestOf = Callable[..., Request]
FeedbackOf = Callable[..., Feedback]


def test_a_send_counts_by_the_worst_send_up_to_it() -> None:
    """User 1's second send is worth 2 and is reached through one worth 1; user 2's first costs."""
    np.testing.assert_array_equal(worths(_UTILITY, least=0), [[3, 2, 1], [1, 1, 0.5], [-1, -1, -1]])
    np.testing.assert_array_equal(worths(_UTILITY, least=1), [[2, 1], [2, 0.5], [10, 0]])


@pytest.mark.parametrize(
    ("per_user", "expected"),
    [(0.0, [0, 0, 0]), (0.7, [2, 0, 0]), (2.0, [3, 3, 0]), (9.0, [3, 3, 0])],
)
def test_the_threshold_uses_up_the_budget_and_no_more(per_user: float, expected: list[int]) -> None:
    """Two sends go to user 0; what is worth less than nothing is never sent."""
    worth = worths(_UTILITY, least=0)
    above = threshold(worth, per_user=per_user)
    np.testing.assert_array_equal(volumes(worth, least=0, above=above), expected)


@pytest.mark.parametrize("volume", range(8))
@pytest.mark.parametrize("every_h", [24, 1])
def test_turns_are_as_many_as_the_volume_and_evenly_spread(volume: int, every_h: int) -> None:
    """Any week of any user; gaps between turns differ by one decision at most."""
    n = 4 * 168 // every_h
    at_ms = _MONDAY_MS + np.arange(n) * every_h * HOUR_MS
    for phase_ms in (0, 1_234_567_89):
        due = is_due(
            at_ms,
            np.full(n, volume),
            phase_ms=np.full(n, phase_ms),
            every_ms=every_h * HOUR_MS,
        )
        weeks = np.convolve(due, np.ones(168 // every_h), "valid")
        assert set(weeks) == {volume}
        gaps = np.diff(np.flatnonzero(due))
        assert not len(gaps) or gaps.max() - gaps.min() <= 1


def _policy(scheme: RewardScheme = UPLIFT, **params: float) -> WeeklyBudget:
    return WeeklyBudget(
        _SHAPE,
        scheme,
        inner=RandomEligible(_SHAPE, scheme),
        params=BudgetParams(**params),  # type: ignore[arg-type]
    )


def _taught(feedback_of: FeedbackOf, scheme: RewardScheme) -> WeeklyBudget:
    """A world where c = 1 gains √k sessions by its volume k and c = −1 loses as many."""
    policy = _policy(scheme, explore=1.0)
    n = 4000
    rng = np.random.default_rng(1)
    context = rng.choice([-1.0, 1.0], size=(n, 1))
    user, at_ms = np.arange(n), np.full(n, _MONDAY_MS)
    allocated = policy.volume(user, at_ms, context)
    components = np.zeros((n, len(scheme)))
    components[:, 0] = 2.0 + context[:, 0] * np.sqrt(allocated) + 0.1 * rng.normal(size=n)
    told = feedback_of(_SHAPE, n, scheme, components=components)
    policy.update(replace(told, user=user, at_ms=at_ms, context=context))
    return policy


def test_volumes_go_to_those_whom_more_sends_serve(
    feedback_of: FeedbackOf, hits: RewardScheme
) -> None:
    """Half of the users gain by every send: two a week for all are about four for them."""
    policy = _taught(feedback_of, hits)
    policy.params = BudgetParams(explore=0.0, per_week=2.0)
    context = np.tile([[-1.0], [1.0]], (50, 1))
    chosen = policy.volume(np.arange(100), np.full(100, _MONDAY_MS), context)
    assert (chosen[::2] == 0).all()
    assert (chosen[1::2] >= 3).all()
    kept = policy.volume(
        np.arange(len(policy.contexts)),
        np.full(len(policy.contexts), _MONDAY_MS),
        policy.contexts,
    )
    assert kept.mean() <= 2.0


def test_the_feature_is_what_was_allocated_not_what_was_sent(
    feedback_of: FeedbackOf, hits: RewardScheme
) -> None:
    """Plans that held teach the same: who leaves stops being sent anything."""
    policy, other = _policy(hits, explore=1.0), _policy(hits, explore=1.0)
    told = feedback_of(_SHAPE, 50, hits)
    policy.update(told)
    other.update(replace(told, is_send=np.zeros(50, np.bool_)))
    np.testing.assert_array_equal(policy.head.moment, other.head.moment)


def test_only_random_volumes_teach_and_their_share_is_as_asked(
    feedback_of: FeedbackOf, hits: RewardScheme
) -> None:
    policy = _policy(hits, explore=0.0)
    policy.update(feedback_of(_SHAPE, 50, hits))
    assert policy.head.n_seen.sum() == 0.0
    policy = _policy(hits, explore=0.25)
    user = np.arange(4000)
    drawn, is_drawn = policy._drawn(user, np.full(4000, _MONDAY_MS))
    assert is_drawn.mean() == pytest.approx(0.25, abs=0.03)
    np.testing.assert_allclose(np.bincount(drawn, minlength=8) / 4000, 1 / 8, atol=0.02)
    later, _ = policy._drawn(user, np.full(4000, _MONDAY_MS + 7 * DAY_MS))
    same_week, _ = policy._drawn(user, np.full(4000, _MONDAY_MS + DAY_MS))
    assert (later != drawn).mean() > 0.8
    assert (same_week == drawn).mean() > 0.9  # weeks begin on Thursdays


def test_sends_a_week_are_those_allocated(request_of: RequestOf, hits: RewardScheme) -> None:
    """All volumes random, over a week of days: as many days of sending as allocated."""
    policy = _policy(hits, explore=1.0)
    asked = replace(request_of(_SHAPE, 300), user=np.arange(300))
    begin_ms = _MONDAY_MS + 3 * DAY_MS  # a Thursday
    sent = np.zeros(300)
    for day in range(7):
        at_ms = np.full(300, begin_ms + day * DAY_MS)
        pmf = policy.pmf(replace(asked, at_ms=at_ms), 1)
        assert set(np.unique(pmf[:, 0])) <= {0.0, 1.0}
        sent += 1.0 - pmf[:, 0]
    allocated = policy.volume(np.arange(300), np.full(300, begin_ms), asked.context)
    np.testing.assert_array_equal(sent, allocated)


def test_the_inner_policy_chooses_among_sends(
    feedback_of: FeedbackOf, request_of: RequestOf, hits: RewardScheme
) -> None:
    """On a turn of every day its pmf is that of the inner one with hold masked."""
    inner = Explored(LinearModel(_SHAPE, hits), Thompson())
    policy = WeeklyBudget(
        _SHAPE, hits, inner=inner, params=BudgetParams(explore=1.0, least=6, per_week=6.0)
    )
    policy.update(feedback_of(_SHAPE, 40, hits))
    asked = request_of(_SHAPE, 30)
    pmf = policy.pmf(asked, 5)
    reasons = asked.reasons.copy()
    reasons[:, 0] = 2048
    alone = inner.pmf(replace(asked, reasons=reasons), 5)
    is_sent = pmf[:, 0] == 0.0
    assert is_sent.sum() > 15
    np.testing.assert_allclose(pmf[is_sent], alone[is_sent], atol=1e-12)


def test_where_holding_is_masked_a_send_is_made_and_where_sends_are_a_hold(
    request_of: RequestOf, hits: RewardScheme
) -> None:
    reasons = np.zeros((2, 5), np.uint16)
    reasons[0, 0], reasons[1, 1:] = 1, 1
    pmf = _policy(hits).pmf(replace(request_of(_SHAPE, 2), reasons=reasons), 1)
    np.testing.assert_array_equal(pmf[:, 0], [0.0, 1.0])


def test_a_weeks_utility_counts_every_outcome_once() -> None:
    """Sessions count in 2 days of every decision's interval, opt-outs in 8: 7/2 and 7/8."""
    policy = _policy()
    session, opt_out = policy._a_week()[[0, 2]]
    assert session == pytest.approx(0.05 * 7 / 2)
    assert opt_out == pytest.approx(-3.0 * 7 / 8)
    assert policy._a_week()[-1] == 0.0  # clicks weigh nothing


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"least": 3, "most": 3}, "expected 0 ≤ least < most"),
        ({"least": 2, "per_week": 1.0}, "per_week of at least least"),
        ({"explore": 1.5}, r"expected explore in \[0, 1\]"),
        ({"decision_h": 0.0}, "decision_h and horizon_h above 0"),
    ],
)
def test_impossible_budgets_are_refused(bad: dict[str, float], message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        BudgetParams(**bad)  # type: ignore[arg-type]
