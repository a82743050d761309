from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bandit.outcomes import Kind
from simulator import organic
from simulator.config import load
from simulator.kernel import Population
from simulator.streams import Draw, uniforms
from tests.simulator.conftest import Begin

ALIKE: dict[str, Any] = {
    "activity": {"spread": 0.0, "sessions_per_day": 2.0, "churn_per_day": 0.0},
    "hours": {"chronotype_sd_h": 0.0, "weekday_spread": 0.0, "weekend_shift_h": 0.0},
    "clock": {"zones": ["UTC"], "zone_shares": [1.0]},
}


def _hold(population: Population) -> Any:
    n = population.n_users
    return population.step(np.full(n, -1), np.zeros(n, np.int64))


def _sessions(population: Population) -> NDArray[np.int64]:
    """Organic sessions of this step by user, without living it."""
    came = population.organic_outcomes()
    return np.bincount(came.row[came.kind == Kind.SESSION], minlength=population.n_users)


@pytest.mark.parametrize("rate", [0.05, 1.0, 8.0, 38.0, 45.0, 120.0, 900.0])
def test_counts_are_poisson_at_any_rate(rate: float) -> None:
    """Mean and variance within four standard errors, for very active users too."""
    n = 20_000
    u = uniforms(np.arange(n).astype(np.uint64), np.zeros(n, np.int64), Draw.SESSION_COUNT)
    count = organic._poisson(u, np.full(n, rate))
    assert abs(count.mean() - rate) < 4.0 * np.sqrt(rate / n)
    assert abs(count.var() - rate) < 4.0 * np.sqrt((2.0 * rate**2 + rate) / n)


def test_no_rate_is_no_session_and_the_largest_uniform_ends() -> None:
    """Neither a division by zero nor an endless search."""
    u = np.array([0.0, 0.5, 1.0 - 2.0**-53])
    assert organic._poisson(u, np.zeros(3)).tolist() == [0, 0, 0]
    assert (organic._poisson(u, np.full(3, 2.0))[1:] > 0).all()
    assert organic._poisson(u, np.full(3, 2.0)).max() < 40


@pytest.mark.parametrize("hours", [1, 24])
def test_sessions_are_as_many_as_expected_without_any_push(begin: Begin, hours: int) -> None:
    """Summed over users and steps of a living population, within four standard errors."""
    population = begin("ecommerce", 4000, hours=hours)
    expected, came = 0.0, 0
    for _ in range(72 if hours == 1 else 14):
        expected += population.rate().total.sum()
        told = _hold(population)
        came += int((told.kind == Kind.SESSION).sum())
    assert abs(came - expected) < 4.0 * np.sqrt(expected)


def test_a_users_mean_rate_is_its_rate_a_day(begin: Begin) -> None:
    """Over a week of local hours the curve has mean 1: rates add up to seven days."""
    population = begin("ecommerce", 500, activity={"excitation": 0.0, "churn_per_day": 0.0})
    total = np.zeros(500)
    for _ in range(7):
        total += population.rate().total
        _hold(population)
    in_utc = population.ground.calendar.local[population.traits.zone]
    # New York changes its clocks in that week and loses an hour; the others do not.
    loses = np.array([len(np.unique(row[: 7 * 24])) < 168 for row in in_utc])
    per_week = 168.0 * population.traits.sessions_per_h
    assert loses.any()
    assert not loses.all()
    assert np.allclose(total[~loses], per_week[~loses], rtol=1e-9)
    assert np.allclose(total[loses], per_week[loses], rtol=0.02)


def test_hours_of_a_day_add_up_to_the_day(begin: Begin) -> None:
    """Without excitation, the daily step's rate is the sum of 24 hourly ones."""
    still = {
        "activity": {"excitation": 0.0, "churn_per_day": 0.0},
        "clock": {"start_date": "2026-05-04"},
    }
    day, hour = begin("ecommerce", 200, **still), begin("ecommerce", 200, hours=1, **still)
    by_hour = np.zeros(200)
    for _ in range(24):
        by_hour += hour.rate().total
        _hold(hour)
    assert np.allclose(day.rate().total, by_hour, rtol=1e-9)


@pytest.mark.parametrize("debt", [0, 1, 2, 5])
def test_debts_swallow_the_first_sessions_and_the_mean_knows_it(begin: Begin, debt: int) -> None:
    """E[max(N − debt, 0)] against the sample within four standard errors; each swallowed once."""
    population = begin(load("ecommerce", **ALIKE), 8000)
    before = _sessions(population)
    population.state.debt[:] = debt
    after = _sessions(population)
    assert np.array_equal(after, np.maximum(before - debt, 0))
    expected = organic.expected_sessions(population.rate().total, population.state.debt)
    assert abs(after.mean() - expected.mean()) < 4.0 * after.std() / np.sqrt(8000) + 1e-12
    _hold(population)
    assert np.array_equal(population.state.debt, debt - np.minimum(before, debt))


def test_expected_sessions_equal_the_sum_over_the_poisson_law() -> None:
    """Against the law written out, for debts and rates together."""
    rate = np.array([0.0, 0.3, 2.0, 6.0])[:, None] * np.ones(4)
    debt = (np.arange(4) * np.ones((4, 1))).astype(np.int16)
    counts = np.arange(60)
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, 60)))])
    with np.errstate(divide="ignore", invalid="ignore"):
        law = np.exp(counts * np.log(rate[..., None]) - rate[..., None] - log_factorial)
    law[0] = counts == 0
    by_hand = (law * np.maximum(counts - debt[..., None], 0)).sum(axis=-1)
    found = organic.expected_sessions(rate.ravel(), debt.ravel()).reshape(4, 4)
    assert np.allclose(found, by_hand, atol=1e-9)


def test_swallowed_sessions_are_the_earliest_of_their_step(begin: Begin) -> None:
    """What is left is the tail of what would have come."""
    population = begin(load("ecommerce", **ALIKE), 500)
    free = population.organic_outcomes()
    population.state.debt[:] = 1
    bound = population.organic_outcomes()
    for row in range(0, 500, 7):
        times = np.sort(free.at_min[(free.row == row) & (free.kind == Kind.SESSION)])
        left = np.sort(bound.at_min[(bound.row == row) & (bound.kind == Kind.SESSION)])
        assert np.array_equal(left, times[1:])


@pytest.mark.parametrize("hours", [1, 24])
def test_sessions_happen_inside_their_step(begin: Begin, hours: int) -> None:
    """Also for excited users, in later steps."""
    population = begin("ecommerce", 1000, hours=hours)
    for step in range(10):
        population.state.excitation[:] = 2.0
        told = _hold(population)
        at_min = told.at_min[told.kind == Kind.SESSION]
        assert len(at_min)
        assert at_min.min() >= 60.0 * hours * step
        assert at_min.max() <= 60.0 * hours * (step + 1)


def test_session_times_follow_the_curve_of_the_day(begin: Begin) -> None:
    """χ² of sessions by hour against the shares of activity, 23 degrees, below the 1e-4 bound."""
    population = begin(load("ecommerce", **ALIKE), 20_000)
    told = population.organic_outcomes()
    at_h = told.at_min[told.kind == Kind.SESSION] / 60.0
    shape = population.ground.calendar.activity[0, :24]
    expected = len(at_h) * shape / shape.sum()
    counts = np.bincount(at_h.astype(np.int64), minlength=24)
    assert ((counts - expected) ** 2 / expected).sum() < 58.6
    within = at_h % 1.0
    assert abs(within.mean() - 0.5) < 4.0 / np.sqrt(12 * len(within))


def test_an_excited_users_extra_sessions_come_early(begin: Begin) -> None:
    """Excitation decays with 6 h: of what it causes in a day, 63 % falls into the first six hours.

    Against the closed form, within four standard errors.
    """
    quiet = {**ALIKE, "activity": {"spread": 0.0, "sessions_per_day": 0.01, "churn_per_day": 0.0}}
    population = begin(load("ecommerce", **quiet), 20_000)
    population.state.excitation[:] = 5.0
    told = population.organic_outcomes()
    at_h = told.at_min[told.kind == Kind.SESSION] / 60.0
    share = (1.0 - np.exp(-1.0)) / (1.0 - np.exp(-4.0))
    n = len(at_h)
    assert abs((at_h < 6.0).mean() - share) < 4.0 * np.sqrt(share * (1 - share) / n) + 0.005


@pytest.mark.parametrize("hours", [1, 24])
def test_a_session_causes_the_stated_number_of_others(begin: Begin, hours: int) -> None:
    """One unit of excitation adds .3 sessions until it has died away, whatever the step.

    Only its own: what those excite in turn is taken out by resetting the excitation to its decay.
    """
    population = begin("ecommerce", 50, hours=hours, activity={"churn_per_day": 0.0})
    population.state.excitation[:] = 1.0
    caused = np.zeros(50)
    for _ in range(96 // hours):
        left = population.state.excitation.copy()
        with_it = population.rate().total.copy()
        population.state.excitation[:] = 0.0
        caused += with_it - population.rate().total
        _hold(population)
        population.state.excitation[:] = left * np.exp(-hours / 6.0)
    assert np.allclose(caused, 0.3, atol=1e-6)


def test_excitation_makes_the_stated_share_of_all_sessions(begin: Begin) -> None:
    """A branching share of .3 lifts the long-run mean to 1 / (1 − .3).

    Hourly steps, two weeks after a week of warming up, within 4 %.
    """
    population = begin(load("ecommerce", **ALIKE), 1500, hours=1)
    came = 0
    for hour in range(24 * 21):
        told = _hold(population)
        came += int((told.kind == Kind.SESSION).sum()) if hour >= 24 * 7 else 0
    assert came / (1500 * 14 * 2.0) == pytest.approx(1.0 / 0.7, rel=0.04)


def test_orders_are_the_stated_share_of_sessions(begin: Begin) -> None:
    """2 % of organic sessions; values log-normal with the stated mean, within four errors."""
    population = begin(load("ecommerce", **ALIKE), 20_000)
    told = population.organic_outcomes()
    n_sessions = int((told.kind == Kind.SESSION).sum())
    orders = told.take(told.kind == Kind.CONVERTED)
    share = population.ground.config.orders.per_session
    assert abs(orders.n_rows - share * n_sessions) < 4.0 * np.sqrt(share * n_sessions)
    log = np.log(orders.value)
    sd = np.hypot(0.7, 0.57)
    assert abs(log.mean() - 3.6) < 4.0 * sd / np.sqrt(len(log))
    assert abs(log.std() - sd) < 4.0 * sd / np.sqrt(2 * len(log))
    mean = organic.mean_order_value(population.ground.config)
    assert mean == pytest.approx(np.exp(3.6 + sd**2 / 2))


def test_orders_follow_their_session_by_the_stated_delays(begin: Begin) -> None:
    """.70 Exp(12 min) + .20 Exp(8 h) + .10 Exp(4 d): shares within 1 h and 24 h, four errors."""
    n = 40_000
    keys = np.arange(n).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    config = begin("ecommerce", 1).ground.config
    delay_h = (
        organic.order_delay_min(config, keys, np.zeros(n, np.int64), lane=np.zeros(n, np.int64))
        / 60.0
    )
    for within_h in (0.2, 1.0, 24.0, 96.0):
        share = sum(
            p * -np.expm1(-within_h / mean)
            for p, mean in zip((0.7, 0.2, 0.1), (0.2, 8.0, 96.0), strict=True)
        )
        assert abs((delay_h < within_h).mean() - share) < 4.0 * np.sqrt(share * (1 - share) / n)


def test_an_order_carries_the_click_of_the_day_before_and_no_older_one(begin: Begin) -> None:
    """Of its decision, from the click on, for 24 hours."""
    population = begin(load("ecommerce", orders={"per_session": 1.0}, **ALIKE), 20_000)
    population.state.hour[:] = 48
    for click_h, some_are in ((47.0, True), (20.0, False), (90.0, True)):
        population.state.click_h[:] = click_h
        population.state.click_ref[:] = 77
        told = population.organic_outcomes()
        orders = told.take(told.kind == Kind.CONVERTED)
        since_h = orders.at_min / 60.0 - click_h
        expected = np.where((since_h >= 0) & (since_h < 24), 77, -1)
        assert np.array_equal(orders.ref, expected)
        assert (orders.ref == 77).any() == some_are


def test_users_look_at_what_they_like(begin: Begin) -> None:
    """Items looked at fit better than those of the slate on average, and are of the slate."""
    population = begin(load("ecommerce", **ALIKE), 4000)
    told = population.organic_outcomes()
    seen = told.take(told.kind == Kind.SESSION)
    slate = population.offer().items[seen.row]
    assert (slate == seen.item[:, None]).any(axis=1).all()
    match = population.matches()[seen.row]
    chosen = match[np.arange(seen.n_rows), np.argmax(slate == seen.item[:, None], axis=1)]
    assert chosen.mean() > match.mean() + 0.5


def test_two_sessions_of_one_step_look_apart_however_long_the_slate(begin: Begin) -> None:
    """With 200 candidates no two sessions share their noise: equal looks are rare."""
    long = begin(
        "ecommerce",
        400,
        clock={"n_candidates": 200, **ALIKE["clock"]},
        activity={"spread": 0.0, "sessions_per_day": 12.0},
        taste={"drift_share": 0.0},
    )
    long.traits.taste[:] = 0.0
    told = long.organic_outcomes()
    seen = told.take(told.kind == Kind.SESSION)
    slate = long.offer().items[seen.row]
    place = np.argmax(slate == seen.item[:, None], axis=1)
    same = seen.row[1:] == seen.row[:-1]
    shift = (place[:-1] - place[1:])[same]
    # Noise shared at an offset of 64 lanes would put one look in several 64 places after another.
    assert (shift == 64).mean() < 0.02
    assert (shift == 0).mean() < 0.02


def test_a_user_who_left_does_nothing_and_one_who_opted_out_comes_less(begin: Begin) -> None:
    """Activity falls to .87 of itself for who has opted out, not for who never was opted in."""
    population = begin(load("ecommerce", **ALIKE), 1000)
    full = population.rate().total.copy()
    was_in = population.traits.has_opted_in
    population.state.is_reachable[:] = False
    less = population.rate().total
    assert np.allclose(less[was_in] / full[was_in], 0.87)
    assert np.array_equal(less[~was_in], full[~was_in])
    population.state.is_alive[:] = False
    assert not population.rate().total.any()
    assert population.organic_outcomes().n_rows == 0


def test_users_leave_of_their_own_accord_at_the_stated_rate(begin: Begin) -> None:
    """.05 % a day; 24 hours are one day; the time lies inside the step."""
    population = begin("ecommerce", 20_000, activity={"churn_per_day": 0.05})
    told = population.organic_outcomes()
    left = told.take(told.kind == Kind.UNINSTALLED)
    assert abs(left.n_rows - 1000) < 4.0 * np.sqrt(20_000 * 0.05 * 0.95)
    assert left.at_min.min() >= 0.0
    assert left.at_min.max() <= 24 * 60.0
    config = population.ground.config
    stays = 1.0 - organic.leave_chance(config, hours=1)
    assert stays**24 == pytest.approx(0.95)


def test_a_standing_streak_brings_users_back_more_often(begin: Begin) -> None:
    """Where the preset says so, by e to the gain."""
    population = begin("ecommerce", 50, taste={"streak_gain": 0.5})
    before = population.rate().total.copy()
    population.state.streak_days[:25] = 3
    after = population.rate().total
    assert np.allclose(after[:25] / before[:25], np.exp(0.5))
    assert np.array_equal(after[25:], before[25:])


@pytest.mark.parametrize("hours", [1, 24])
def test_the_dead_neither_come_nor_leave_again(begin: Begin, hours: int) -> None:
    """Whatever excited them before."""
    config = load("ecommerce", activity={"churn_per_day": 1.0, "sessions_per_day": 20.0})
    population = begin(config, 50, hours=hours)
    population.state.is_alive[:] = False
    population.state.excitation[:] = 40.0
    assert not population.rate().total.any()
    assert not _hold(population).n_rows
