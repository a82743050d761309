"""Groups that stay what they were, sums by hand, and memory that is bounded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bandit.outcomes import Feedback
from bandit.slots import DAY_MS
from policies.conformance.rows import feedback_of
from policies.conformance.world import HITS
from policies.conservative.evidence import BASELINE, POLICY, Evidence
from policies.shape import PolicyShape

SHAPE = PolicyShape(
    n_context=2, n_item_features=2, n_slot_features=2, n_users=5000, n_items=3, n_slots=2
)


def evidence(share: float = 0.3) -> Evidence:
    return Evidence(n_components=len(HITS), share=share, half_life_days=5.0)


def of_day(day: int, n: int = 400) -> Feedback:
    told = feedback_of(SHAPE, n, seed=day, first_id=1000 * day)
    return replace(told, at_ms=np.full(n, day * DAY_MS + 7))


def learn(kept: Evidence, told: Feedback, share: float) -> None:
    days = kept.new_days(told)
    if len(days):
        kept.begin(days, share)
    kept.add(told)


def test_a_share_of_users_is_the_policys_and_others_every_day() -> None:
    user = np.arange(20_000)
    kept = evidence(0.3)
    days = [kept.groups(user, np.full(20_000, day * DAY_MS)) == POLICY for day in (100, 101)]
    for of_day_ in days:
        assert of_day_.mean() == pytest.approx(0.3, abs=0.01)
    assert (days[0] & days[1]).mean() == pytest.approx(0.09, abs=0.01)


def test_who_was_the_policys_stays_so_when_its_share_changes() -> None:
    """A day's rows may become final weeks later."""
    kept, told = evidence(0.3), of_day(100)
    before = kept.groups(told.user, told.at_ms)
    kept.begin(kept.new_days(told), 0.9)
    np.testing.assert_array_equal(kept.groups(told.user, told.at_ms), before)
    later = kept.groups(told.user, told.at_ms + DAY_MS)
    assert (later == POLICY).mean() > 0.8


def test_means_and_variances_are_those_of_the_rows_themselves() -> None:
    """Two days, the older worth half as it is a half-life older."""
    kept, old, new = evidence(), of_day(100), of_day(105)
    for told in (old, new):
        learn(kept, told, 0.3)
    samples = dict(zip((POLICY, BASELINE), kept.samples(HITS), strict=True))
    reward = np.concatenate([told.components @ HITS.weights for told in (old, new)])
    weight = np.repeat([0.5, 1.0], 400)
    group = np.concatenate([kept.groups(told.user, told.at_ms) for told in (old, new)])
    for which, sample in samples.items():
        mine = group == which
        w, x = weight[mine], reward[mine]
        mean = (w @ x) / w.sum()
        spread = (w @ (x - mean) ** 2) / w.sum()
        assert sample.mean == pytest.approx(mean)
        assert sample.n == pytest.approx(w.sum() ** 2 / (w @ w))
        assert sample.variance == pytest.approx(spread * (w @ w) / w.sum() ** 2)


def test_young_rows_count_when_they_are_final_and_once() -> None:
    told = of_day(100)
    young = replace(told, maturity=np.full(told.maturity.shape, 0.5))
    late, once = evidence(), evidence()
    learn(late, young, 0.3)
    assert late.samples(HITS)[0].n == 0.0
    learn(late, told, 0.3)
    learn(once, told, 0.3)
    np.testing.assert_array_equal(late.sums, once.sums)


def test_days_beyond_ten_half_lives_are_let_go() -> None:
    kept = evidence()
    for day in range(100, 300):
        learn(kept, of_day(day, 3), 0.3)
    assert kept.day.min() == 249
    learn(kept, of_day(120, 3), 0.3)  # a row that comes months late is no evidence any more
    assert kept.day.min() == 249
