"""Hours of the week by latent factors: the mathematics beside a peer, and what is sent when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from sklearn.decomposition import PCA

from bandit.actions import Request
from bandit.errors import BadInputError
from bandit.outcomes import ENGAGEMENT
from bandit.slots import DAY_MS, HOUR_MS
from policies.baselines.behaviour_counts import CountParams
from policies.baselines.factor_math import smoothed
from policies.baselines.hour_factors import HourFactors
from policies.baselines.week_counts import WeekCounts, weekday_of
from policies.shape import PolicyShape

_SHAPE = PolicyShape(
    n_context=1, n_item_features=1, n_slot_features=1, n_users=400, n_items=2, n_slots=4
)
_MONDAY_MS = 1_704_067_200_000  # 1 January 2024


def _habits(n_weeks: int, *, seed: int = 1) -> HourFactors:
    """Even users come in slot 1 on working days and slot 3 at the weekend, odd ones in slot 2."""
    policy = HourFactors(_SHAPE, ENGAGEMENT, always_sends=True)
    _live(policy, n_weeks, seed=seed)
    return policy


def _live(policy: HourFactors, n_weeks: int, *, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for day in range(7 * n_weeks):
        usual = np.where(np.arange(400) % 2 == 0, 3 if day % 7 >= 5 else 1, 2)
        slot = np.where(rng.random(400) < 0.3, usual, rng.integers(0, 4, 400))
        user = np.flatnonzero(rng.random(400) < 0.5)
        policy.counts.observe(
            item_user=user,
            item=np.zeros(len(user), np.int64),
            slot_user=user,
            slot=slot[user],
            weekday=day % 7,
        )


def _asked(request_of: Callable[..., Request], day: int) -> Request:
    made = request_of(_SHAPE, 400)
    start = _MONDAY_MS + day * DAY_MS + np.arange(4) * 6 * HOUR_MS + np.zeros((400, 1), np.int64)
    return replace(
        made,
        user=np.arange(400),
        items=np.tile([0, 1], (400, 1)),
        grid=replace(made.grid, start_ms=start, end_ms=start + HOUR_MS),
    )


def _right(policy: HourFactors, request_of: Callable[..., Request]) -> float:
    """Share of users who are sent at their usual slot, over the days of a week."""
    right = []
    for day in range(7):
        usual = np.where(np.arange(400) % 2 == 0, 3 if day >= 5 else 1, 2)
        slot = (policy.pmf(_asked(request_of, day), 0)[:, 1:].argmax(axis=1)) % 4
        right.append((slot == usual).mean())
    return float(np.mean(right))


def test_scores_are_the_posterior_means_of_probabilistic_components() -> None:
    """scikit-learn's PCA estimates noise and factors; the posterior mean follows from them."""
    rng = np.random.default_rng(1)
    table = rng.normal(size=(60, 3)) @ rng.normal(size=(3, 12)) + 0.5 * rng.normal(size=(60, 12))
    peer = PCA(n_components=3, svd_solver="full").fit(table)
    noise = peer.noise_variance_
    loading = peer.components_.T * np.sqrt(peer.explained_variance_ - noise)  # (C, d)
    inverse = np.linalg.inv(loading.T @ loading + noise * np.eye(3))
    expected = peer.mean_ + (table - peer.mean_) @ loading @ inverse @ loading.T
    np.testing.assert_allclose(smoothed(table, n_factors=3), expected, atol=1e-10)


def test_no_factors_leave_the_mean_and_no_variance_is_no_error() -> None:
    table = np.arange(12.0).reshape(4, 3)
    np.testing.assert_allclose(smoothed(table, n_factors=0), np.tile(table.mean(axis=0), (4, 1)))
    np.testing.assert_array_equal(smoothed(np.ones((4, 3)), n_factors=2), 1.0)


def test_factors_find_habits_that_a_user_alone_has_hardly_shown(
    request_of: Callable[..., Request],
) -> None:
    """Six weeks of a visit every other day, two kinds of user: one factor against own counts."""
    shares = []
    for n_factors in (1, 10**6):
        policy = HourFactors(_SHAPE, ENGAGEMENT, always_sends=True, n_factors=n_factors)
        _live(policy, 6, seed=1)
        shares.append(_right(policy, request_of))
    assert shares[0] > 0.85
    assert shares[0] > shares[1] + 0.1


def test_an_hour_of_the_week_is_not_an_hour_of_the_day(
    request_of: Callable[..., Request],
) -> None:
    """Even users are sent in slot 1 on Wednesday and in slot 3 on Sunday."""
    policy = _habits(12)
    for day, usual in ((2, 1), (6, 3)):
        slot = policy.pmf(_asked(request_of, day), 0)[::2, 1:].argmax(axis=1) % 4
        assert (slot == usual).mean() > 0.8


def test_closed_slots_are_left_out_and_strangers_go_by_the_mean(
    request_of: Callable[..., Request],
) -> None:
    policy = _habits(6)
    policy.counts.active[:] = 0.0
    asked = _asked(request_of, 2)
    slot = policy.pmf(asked, 0)[:, 1:].argmax(axis=1) % 4
    assert len(set(slot.tolist())) == 1
    reasons = asked.reasons.copy()
    reasons[:, 1 + slot[0]] = reasons[:, 5 + slot[0]] = 8
    other = policy.pmf(replace(asked, reasons=reasons), 0)[:, 1:].argmax(axis=1) % 4
    assert (other != slot).all()


def test_days_that_never_came_go_by_all_days() -> None:
    counts = WeekCounts(1, 1, 2, CountParams())
    none = np.zeros(0, np.int64)
    counts.observe(item_user=none, item=none, slot_user=np.array([0]), slot=np.array([1]))
    counts.observe(item_user=none, item=none, slot_user=none, slot=none, weekday=1)
    rates = counts.week_rates().reshape(7, 2)
    np.testing.assert_array_equal(rates[0], [0, 1])
    np.testing.assert_array_equal(rates[1], [0, 0])
    np.testing.assert_array_equal(rates[2:], [[0, 0.5]] * 5)


def test_what_is_observed_or_loaded_is_scored_anew() -> None:
    policy, other = _habits(2), _habits(3, seed=2)
    before = policy._week.scores(n_factors=8)
    assert policy._week.scores(n_factors=8) is before
    policy.load(other.state())
    np.testing.assert_array_equal(policy._week.scores(n_factors=8), other._week.scores(n_factors=8))
    _live(policy, 1, seed=3)
    assert (policy._week.scores(n_factors=8) != before).any()


def test_frozen_static_counts_ignore_later_weeks() -> None:
    policy = HourFactors(_SHAPE, ENGAGEMENT, params=CountParams(is_static=True))
    _live(policy, 1, seed=1)
    policy.counts.freeze()
    before = policy.counts.state()
    _live(policy, 1, seed=2)
    for name, array in policy.counts.state().items():
        np.testing.assert_array_equal(array, before[name])


def test_weekdays_and_impossible_settings() -> None:
    assert weekday_of(np.array([_MONDAY_MS, _MONDAY_MS + 6 * DAY_MS])).tolist() == [0, 6]
    with pytest.raises(BadInputError, match="expected n_factors of at least 0, got -1"):
        HourFactors(_SHAPE, ENGAGEMENT, n_factors=-1)


def test_by_hour_a_users_own_day_and_hour_are_meant(request_of: Callable[..., Request]) -> None:
    """Of a New Yorker: Sundays at 20:00, else at 09:00; Monday 00:00 UTC is Sunday 19:00 there."""
    shape = replace(_SHAPE, n_users=2, n_slots=24)
    params = CountParams(by_hour=True)
    policy = HourFactors(shape, ENGAGEMENT, params=params, always_sends=True, least_active=1.0)
    user = np.zeros(1, np.int64)
    for day in range(28):
        hour = np.array([20 if day % 7 == 6 else 9])
        policy.counts.observe(
            item_user=user, item=user, slot_user=user, slot=hour, weekday=np.array([day % 7])
        )
    made = request_of(shape, 2)
    start = _MONDAY_MS + np.array([[0], [1]]) * DAY_MS + np.arange(24) * HOUR_MS
    asked = replace(
        made,
        user=np.zeros(2, np.int64),
        zone=np.full(2, "America/New_York"),
        items=np.tile([0, 1], (2, 1)),
        grid=replace(made.grid, start_ms=start, end_ms=start + HOUR_MS),
    )
    np.testing.assert_array_equal((policy.pmf(asked, 0).argmax(axis=1) - 1) % 24, [1, 14])
