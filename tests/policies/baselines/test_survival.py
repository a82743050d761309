"""The survival threshold: waits by hand, what is sent, and visits that come in any order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from bandit.actions import Request
from bandit.errors import BadInputError, StateError
from bandit.outcomes import UPLIFT, Feedback, RewardScheme
from bandit.slots import HOUR_MS
from policies.baselines.survival import SurvivalParams, SurvivalThreshold
from policies.baselines.weibull_math import fit
from policies.shape import PolicyShape

_SHAPE = PolicyShape(
    n_context=1, n_item_features=2, n_slot_features=1, n_users=3000, n_items=2, n_slots=1
)
_AT_MS = 1_704_067_200_000
RequestOf = Callable[..., Request]
FeedbackOf = Callable[..., Feedback]


def _told(feedback_of: FeedbackOf, scheme: RewardScheme, n: int = 3000) -> Feedback:
    """A third of users held, the others sent item 0 or 1; items are one-hot."""
    which = np.arange(n) % 3 - 1
    made = feedback_of(_SHAPE, n, scheme)
    return replace(
        made,
        user=np.arange(n),
        at_ms=np.full(n, _AT_MS),
        is_send=which >= 0,
        item=which,
        slot=np.minimum(which, 0),
        item_features=np.eye(2)[np.maximum(which, 0)] * (which >= 0)[:, None],
        slot_features=np.ones((n, 1)) * (which >= 0)[:, None],
        context=np.zeros((n, 1)),
    )


def _visits(told: Feedback, *, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Item 0 halves the mean wait of 40 hours, item 1 does nothing to it."""
    mean_h = np.where(told.item == 0, 20.0, 40.0)
    wait_h = np.random.default_rng(seed).exponential(mean_h)
    return told.user, told.at_ms + np.ceil(wait_h * HOUR_MS).astype(np.int64)


def _taught(feedback_of: FeedbackOf, scheme: RewardScheme, **params: float) -> SurvivalThreshold:
    policy = SurvivalThreshold(_SHAPE, scheme, params=SurvivalParams(**params))  # type: ignore[arg-type]
    told = _told(feedback_of, scheme)
    user, at_ms = _visits(told)
    policy.update(told)
    policy.observe_visits(user, at_ms, now_ms=_AT_MS + 48 * HOUR_MS)
    return policy


def _asked(request_of: RequestOf, n: int = 2) -> Request:
    made = request_of(_SHAPE, n)
    return replace(
        made,
        context=np.zeros((n, 1)),
        item_features=np.tile(np.eye(2), (n, 1, 1)),
        slot_features=np.ones((n, 1, 1)),
    )


def test_chances_are_those_of_the_world(
    feedback_of: FeedbackOf, request_of: RequestOf, hits: RewardScheme
) -> None:
    """Within 24 h: 1 − e^(−.6) = .451 of their own accord, 1 − e^(−1.2) = .699 with item 0."""
    guess = _taught(feedback_of, hits).estimate(_asked(request_of))
    assert guess.base_mean[0, 0] == pytest.approx(0.451, abs=0.04)
    np.testing.assert_allclose(guess.mean[0, 1:, 0], [0.699, 0.451], atol=0.04)


def test_waits_are_censored_at_the_horizon_and_by_what_has_passed(
    feedback_of: FeedbackOf, hits: RewardScheme
) -> None:
    """Told after ten hours, all waits beyond are known to last ten hours and no more."""
    policy, told = SurvivalThreshold(_SHAPE, hits), _told(feedback_of, hits)
    user, at_ms = _visits(told)
    now_ms = _AT_MS + 10 * HOUR_MS
    policy.update(told)
    policy.observe_visits(user[at_ms <= now_ms], at_ms[at_ms <= now_ms], now_ms=now_ms)
    hours = np.clip((at_ms - _AT_MS) / HOUR_MS, 1 / 60, 10.0)
    theta, shape = fit(policy.features, np.log(hours), at_ms <= now_ms, penalty=1.0)
    np.testing.assert_allclose(policy.theta, theta, atol=1e-8)
    assert policy.weibull_shape == pytest.approx(shape)


@pytest.mark.parametrize(
    ("threshold", "expected"), [(0.05, [0, 1, 0]), (0.3, [0, 1, 0]), (0.8, [1, 0, 0])]
)
def test_it_sends_where_the_lift_is_above_the_threshold(
    threshold: float,
    expected: list[int],
    feedback_of: FeedbackOf,
    request_of: RequestOf,
    hits: RewardScheme,
) -> None:
    """Item 0 lifts the chance by .248 / .451 = 55 %."""
    policy = _taught(feedback_of, hits, threshold=threshold)
    np.testing.assert_array_equal(policy.pmf(_asked(request_of), 0), [expected] * 2)


def test_a_push_that_costs_more_than_a_visit_brings_is_held(
    feedback_of: FeedbackOf, request_of: RequestOf
) -> None:
    policy = _taught(feedback_of, UPLIFT)
    assert policy.pmf(_asked(request_of), 0)[0, 1] == 1.0
    dear = [replace(c, weight=-1.0 if c.measure == "send" else c.weight) for c in UPLIFT.components]
    policy.scheme = replace(UPLIFT, components=tuple(dear))
    assert policy.pmf(_asked(request_of), 0)[0, 0] == 1.0


def test_where_holding_is_masked_the_best_send_is_made(
    feedback_of: FeedbackOf, request_of: RequestOf, hits: RewardScheme
) -> None:
    policy = _taught(feedback_of, hits, threshold=0.8)
    reasons = np.array([[1, 0, 0], [1, 1, 0]], np.uint16)
    pmf = policy.pmf(replace(_asked(request_of), reasons=reasons), 0)
    np.testing.assert_array_equal(pmf, [[0, 1, 0], [0, 0, 1]])


def test_rows_and_visits_may_come_in_any_order(feedback_of: FeedbackOf, hits: RewardScheme) -> None:
    """Decisions told after their visits, in pieces, and visits told twice."""
    straight, mixed = _taught(feedback_of, hits), SurvivalThreshold(_SHAPE, hits)
    told = _told(feedback_of, hits)
    user, at_ms = _visits(told)
    now_ms = _AT_MS + 48 * HOUR_MS
    names = [name for name in Feedback.__slots__ if name != "scheme"]
    late = replace(told, **{name: getattr(told, name)[1500:] for name in names})
    mixed.update(late)
    mixed.observe_visits(user, at_ms, now_ms=now_ms)
    mixed.update(replace(told, **{name: getattr(told, name)[:1500] for name in names}))
    mixed.observe_visits(user[::2], at_ms[::2], now_ms=now_ms)
    for name, array in straight.state().items():
        np.testing.assert_allclose(mixed.state()[name], array, atol=1e-10, err_msg=name)


def test_the_next_visit_is_found_among_many(feedback_of: FeedbackOf, hits: RewardScheme) -> None:
    """Beside a search through all visits; a visit at the very instant is not later."""
    rng = np.random.default_rng(1)
    policy = SurvivalThreshold(_SHAPE, hits)
    user, at_ms = rng.integers(0, 20, 300), _AT_MS + rng.integers(0, 50, 300)
    policy.observe_visits(user, at_ms, now_ms=_AT_MS + 100)
    asked, since = rng.integers(0, 25, 80), _AT_MS + rng.integers(0, 50, 80)
    found = policy._first_visits(asked, since)
    for row in range(80):
        later = at_ms[(user == asked[row]) & (at_ms > since[row])]
        assert found[row] == (later.min() if len(later) else np.iinfo(np.int64).max)


def test_only_the_latest_rows_are_kept(feedback_of: FeedbackOf, hits: RewardScheme) -> None:
    policy = SurvivalThreshold(_SHAPE, hits, params=SurvivalParams(n_rows=100))
    policy.update(_told(feedback_of, hits))
    assert policy.decision_id.tolist() == list(range(2900, 3000))
    with pytest.raises(StateError, match="got an id twice"):
        policy.update(_told(feedback_of, hits))


@pytest.mark.parametrize(
    "bad", [{"horizon_h": 0.0}, {"penalty": np.inf}, {"threshold": np.nan}, {"n_rows": 0}]
)
def test_impossible_parameters_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(BadInputError, match="expected a finite threshold"):
        SurvivalParams(**bad)  # type: ignore[arg-type]
