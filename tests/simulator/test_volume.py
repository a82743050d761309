from __future__ import annotations

import numpy as np
import pytest

from bandit.outcomes import Kind
from simulator.config import load
from simulator.happened import Happened, concatenated, happened
from simulator.kernel import Population, ground_of
from simulator.volume import _cohorts, fewest_sends, greedy_reach, value_per_week, volume_curves


def test_budgets_move_from_who_gains_little_to_who_gains_much() -> None:
    """Two cohorts worked out by hand."""
    sends = np.arange(1.0, 8.0)[:, None] * np.ones(2)
    # The first user gains 3 a send, the second 1: 12 sessions at three sends each.
    sessions = sends * np.array([3.0, 1.0])
    both = np.stack([sessions, sends])
    # 1 send to the second at 1, then 11 ÷ 3 to the first: 4.667 sends in place of 6.
    assert fewest_sends(both, both, heuristic=3) == pytest.approx((1 + 11 / 3) / 6 - 1)


def test_alike_users_leave_nothing_to_save_but_what_fatigue_gives() -> None:
    """Where gains fall with the number alike for all, the heuristic is already the best."""
    number = np.arange(1.0, 8.0)[:, None] * np.ones(4)
    both = np.stack([np.sqrt(number), number])
    assert fewest_sends(both, both, heuristic=3) == pytest.approx(0.0, abs=1e-9)


def test_curves_rise_with_the_budget_and_know_what_a_server_knows() -> None:
    """More sends cause more sessions, each one less; cohorts are fifteen at most."""
    first, second = volume_curves(ground_of(load("ecommerce")), 300, seed=3, heuristic=3, days=7)
    for curves in (first, second):
        total = curves.sessions.sum(axis=1)
        assert (np.diff(total) > 0).all()
        assert np.diff(total)[-1] < total[0]
        assert curves.cohort.max() < 15
        assert np.allclose(curves.by_cohort().sum(axis=(2, 3))[1], curves.sends.sum(axis=1))
    assert np.array_equal(first.cohort, second.cohort)
    assert not np.array_equal(first.sessions, second.sessions)


def test_cohorts_are_fifths_of_recent_activity_and_clicks_up_to_two() -> None:
    """Worked out by hand: who came yesterday is more active than who came a month ago."""
    none = np.zeros(0, np.int64)
    days = [none] * 28
    # Users 0 … 4: never; once long ago; once lately; twice; three times. Numbers 1 and 4 click.
    days[0] = np.array([1])
    days[26] = np.array([3, 4, 4])
    days[27] = np.array([2, 3, 4])
    told = [happened(Kind.SESSION, row, at_min=np.zeros(len(row))) for row in days]
    clicks = happened(Kind.CLICKED, np.array([1, 4, 4, 4]), at_min=np.zeros(4))
    told[5] = concatenated([told[5], clicks])
    assert _cohorts(told, n_users=5).tolist() == [0, 3 + 1, 6, 9, 12 + 2]


def test_a_sender_without_limits_loses_its_channel() -> None:
    """All of it within three weeks of fourteen pushes a day."""
    ground = ground_of(load("ecommerce", clock={"horizon_days": 30}))
    few_days, many_days = (greedy_reach(ground, 60, seed=1, days=d) for d in (2, 21))
    assert few_days.mean() > many_days.mean()
    assert many_days.mean() < 0.8


def test_cadences_are_paired_and_too_many_sends_are_worth_less() -> None:
    """Silence is worth organic sessions; two a day costs far more than two a week."""
    ground = ground_of(load("ecommerce"))
    value = {n: value_per_week(ground, 400, seed=1, per_week=n, weeks=4) for n in (0, 2, 14)}
    again = value_per_week(ground, 400, seed=1, per_week=0, weeks=4)
    assert np.array_equal(value[0], again)
    # Most users live the same weeks under two a week: what differs is what the pushes do.
    assert np.median(np.abs(value[2] - value[0])) < np.median(np.abs(value[0]))
    difference = value[14] - value[2]
    assert difference.mean() + 4.0 * difference.std() / 20.0 < 0


def test_a_send_that_brings_nothing_is_worth_its_cost() -> None:
    """Clicks that bring nobody and users who never leave: seven messages a week."""
    ground = ground_of(load("trap", opt_out={"hazard": 1e-9}))
    sent, silent = (
        value_per_week(ground, 60, seed=2, per_week=per_week, weeks=1) for per_week in (7, 0)
    )
    assert (sent - silent).min() == pytest.approx(-7 * 0.0005)


def test_a_greedy_sender_sends_from_eight_to_ten_in_the_evening(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By the user's own clock, every hour of fourteen."""
    hours: list[int] = []
    step = Population.step

    def counted(self: Population, position: np.ndarray, slot: np.ndarray) -> Happened:
        hours.extend((self.offer().hour_of_week[position >= 0] % 24).tolist())
        return step(self, position, slot)

    monkeypatch.setattr(Population, "step", counted)
    greedy_reach(ground_of(load("ecommerce", opt_out={"hazard": 1e-9})), 20, seed=2, days=2)
    assert set(hours) == set(range(8, 22))
