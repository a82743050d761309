from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bandit.outcomes import Kind
from simulator.config import WorldConfig, load
from simulator.kernel import Population
from simulator.state import NEVER_H
from tests.simulator.conftest import Begin

QUIET: dict[str, Any] = {  # nobody comes, clicks or leaves of their own accord
    "activity": {"sessions_per_day": 1e-6, "spread": 0.0, "churn_per_day": 0.0},
    "click": {"rate": 1e-6, "spread": 0.0},
    "opt_out": {"hazard": 0.0, "opt_in_share": 1.0},
    "delivery": {"success": 1.0},
}


def _quiet(**more: dict[str, Any]) -> WorldConfig:
    sections = {name: {**QUIET.get(name, {}), **more.get(name, {})} for name in {*QUIET, *more}}
    return load("ecommerce", **sections)


def _step(population: Population, position: int = -1, slot: int = 0) -> Any:
    n = population.n_users
    return population.step(np.full(n, position), np.full(n, slot))


def test_an_ignored_push_tires_by_one_and_a_half_and_halves_in_two_days(begin: Begin) -> None:
    """From its slot on, whether by the hour or by the day."""
    day, hour = begin(_quiet(), 5), begin(_quiet(), 5, hours=1)
    _step(day, 0, 6)
    for h in range(24):
        _step(hour, 0 if h == 6 else -1)
    assert np.allclose(day.state.fatigue, 1.5 * 2.0 ** (-18 / 48))
    assert np.allclose(hour.state.fatigue, day.state.fatigue)
    _step(day)
    _step(day)
    assert np.allclose(day.state.fatigue, 1.5 * 2.0 ** (-66 / 48))


def test_a_clicked_push_tires_nobody_and_fatigue_never_falls_below_zero(begin: Begin) -> None:
    """+1 for the push, −1 for the click; more relief than fatigue leaves none."""
    eager = _quiet(click={"rate": 1 - 1e-6, "spread": 0.0}, items={"n_items": 20})
    population = begin(eager, 50)
    told = _step(population, 0)
    assert (told.kind == Kind.CLICKED).sum() == 50
    assert np.allclose(population.state.fatigue, 0.0, atol=1e-12)
    relieved = begin(_quiet(click={"rate": 1 - 1e-6}, fatigue={"if_clicked": -5.0}), 50)
    _step(relieved, 0)
    assert (relieved.state.fatigue == 0.0).all()


def test_a_push_that_never_arrives_tires_nobody(begin: Begin) -> None:
    """Nor does anybody get used to it; the server has sent it all the same."""
    lost = _quiet(delivery={"success": 0.0})
    population = begin(lost, 20)
    told = _step(population, 0)
    assert (told.kind == Kind.UNDELIVERED).sum() == 20
    assert not population.state.fatigue.any()
    assert not population.state.habit.any()
    assert (population.state.n_sends == 1).all()
    levels = begin(_quiet(delivery={"success": 0.0}, fatigue={"levels": 3}), 20)
    _step(levels, 0)
    assert not levels.state.fatigue.any()


def test_levels_of_fatigue_go_up_with_a_push_and_down_with_a_rest(begin: Begin) -> None:
    """Between none and the highest."""
    population = begin(_quiet(fatigue={"levels": 3}), 4)
    seen = []
    for position in (-1, 0, 0, 0, -1, 0, -1, -1, -1):
        _step(population, position)
        seen.append(float(population.state.fatigue[0]))
    assert seen == [0, 1, 2, 2, 1, 2, 1, 0, 0]


def test_habit_counts_pushes_and_halves_in_a_fortnight(begin: Begin) -> None:
    """A push a day for ten days, then fourteen days of rest."""
    population = begin(_quiet(), 3)
    for _ in range(10):
        _step(population, 0)
    daily = 2.0 ** (-1 / 14)
    by_hand = sum(daily**k for k in range(10))
    assert np.allclose(population.state.habit, by_hand)
    for _ in range(14):
        _step(population)
    assert np.allclose(population.state.habit, by_hand / 2.0)


def test_the_memory_of_items_keeps_the_last_four_different_ones(begin: Begin) -> None:
    """An item sent again takes its own place; the oldest of the others goes."""
    population = begin(_quiet(clock={"n_candidates": 8}, items={"n_items": 8}), 6)
    rng = np.random.default_rng(2)
    sent: list[NDArray[np.int64]] = []
    for day in range(30):
        position = rng.integers(0, 8, 6)
        items = population.offer().items[np.arange(6), position]
        population.step(position, np.full(6, 3))
        sent.append(items.astype(np.int64))
        for n in range(6):
            latest: dict[int, int] = {int(each[n]): 24 * d + 3 for d, each in enumerate(sent)}
            last_four = dict(sorted(latest.items(), key=lambda kv: -kv[1])[:4])
            held = {
                int(i): int(h)
                for i, h in zip(
                    population.state.recent_item[n], population.state.recent_h[n], strict=True
                )
                if i >= 0
            }
            assert held == last_four, day


def test_the_last_time_of_each_template_is_kept(begin: Begin) -> None:
    """Only of the one that was sent."""
    population = begin(_quiet(), 10)
    item = population.offer().items[:, 2]
    _step(population, 2, 5)
    template = population.ground.catalogue.template[item]
    rows = np.arange(10)
    assert (population.state.template_h[rows, template] == 5).all()
    population.state.template_h[rows, template] = NEVER_H
    assert (population.state.template_h == NEVER_H).all()


@pytest.mark.parametrize("hours", [1, 24])
def test_the_week_of_sends_forgets_after_seven_days(begin: Begin, hours: int) -> None:
    """One a day makes seven a week from the seventh day on; none for a week makes none."""
    population = begin(_quiet(), 3, hours=hours)
    in_week = []
    for day in range(16):
        for part in range(24 // hours):
            _step(population, 0 if part == 0 and day < 9 else -1)
            if part == 0:
                in_week.append(int(population.state.sent_by_day[0].sum()))
    # A daily step ends at the next midnight, when its first day has just left the ring.
    expected = [1, 2, 3, 4, 5, 6, 7, 7, 7, 6, 5, 4, 3, 2, 1, 0]
    by_day = [1, 2, 3, 4, 5, 6, 6, 6, 6, 5, 4, 3, 2, 1, 0, 0]
    assert in_week == (expected if hours == 1 else by_day)


def test_a_session_excites_from_the_next_step_on_by_its_age(begin: Begin) -> None:
    """One unit at its own time, decaying with 6 hours; pushes' visits like others."""
    config = load("ecommerce", activity={"sessions_per_day": 5.0, "churn_per_day": 0.0})
    population = begin(config, 300)
    for _ in range(3):
        before = population.state.excitation.copy()
        told = _step(population, 0, 9)
        sessions = told.take(told.kind == Kind.SESSION)
        ends_h = population.state.hour[sessions.row]
        age_h = np.maximum(ends_h - sessions.at_min / 60.0, 0.0)
        added = np.bincount(sessions.row, weights=np.exp(-age_h / 6.0), minlength=300)
        assert np.allclose(population.state.excitation, before * np.exp(-24 / 6.0) + added)


def test_who_opts_out_or_leaves_stays_so(begin: Begin) -> None:
    """An opt-out ends pushes, an uninstall everything; neither comes back."""
    deadly = load(
        "ecommerce",
        opt_out={"hazard": 0.5, "frailty_shape": 0.0, "opt_in_share": 1.0, "relevance_slope": 0.0},
    )
    population = begin(deadly, 2000)
    told = _step(population, 0)
    state = population.state
    out = told.row[told.kind == Kind.UNSUBSCRIBED]
    gone = told.row[told.kind == Kind.UNINSTALLED]
    assert len(out) > 100
    assert len(gone) > 100
    assert not state.is_reachable[out].any()
    assert not state.is_alive[gone].any()
    assert not state.is_reachable[gone].any()
    alive = np.setdiff1d(np.arange(2000), gone)
    assert state.is_alive[alive].all()
    for _ in range(3):
        told = _step(population, 0)
        assert not np.isin(told.row[told.is_caused], np.union1d(out, gone)).any()
        assert not np.isin(told.row, gone).any()
    assert not state.is_reachable[out].any()


def test_a_displaced_visit_is_owed_once_and_paid_once(begin: Begin) -> None:
    """Debts grow by displacing clicks and fall by swallowed sessions, never below zero."""
    config = load(
        "ecommerce",
        click={"rate": 0.5},
        activity={"sessions_per_day": 2.0},
        opt_out={"hazard": 0.0, "opt_in_share": 1.0},
    )
    population, owed = begin(config, 500), 0
    for _ in range(10):
        free = population.copy()
        free.state.debt[:] = 0
        would = free.organic_outcomes()
        told = _step(population, 0)
        n_would = np.bincount(would.row[would.kind == Kind.SESSION], minlength=500)
        came = told.take((told.kind == Kind.SESSION) & ~told.is_caused)
        n_came = np.bincount(came.row, minlength=500)
        assert (n_came <= n_would).all()
        assert (population.state.debt >= 0).all()
        owed += int((n_would - n_came).sum())
    assert owed > 100


def test_tastes_drift_with_the_stated_half_life_around_what_they_return_to(begin: Begin) -> None:
    """Variance .3 at birth and ever after; half of a deviation is left after 30 days."""
    population = begin(_quiet(clock={"horizon_days": 30}), 3000)
    born = population.state.drift.copy()
    for _ in range(30):
        _step(population)
    drift = population.state.drift
    n = drift.size
    for each in (born, drift):
        assert abs(each.var() - 0.3) < 4.0 * 0.3 * np.sqrt(2.0 / n)
        assert abs(each.mean()) < 4.0 * np.sqrt(0.3 / n)
    slope = (born * drift).mean() / 0.3
    assert abs(slope - 0.5) < 4.0 / np.sqrt(n) * np.sqrt(1.25)


def test_tastes_drift_as_fast_by_the_hour_as_by_the_day(begin: Begin) -> None:
    """Once a local day, whatever the step: ten days leave 2^(−1/3)."""
    population = begin(_quiet(), 400, hours=1)
    born = population.state.drift.copy()
    for _ in range(240):
        _step(population)
    left = (born * population.state.drift).mean() / (born**2).mean()
    assert abs(left - 2.0 ** (-1 / 3)) < 4.0 / np.sqrt(born.size)


def test_without_drift_tastes_stand_still(begin: Begin) -> None:
    """A share of none."""
    population = begin(_quiet(taste={"drift_share": 0.0}), 20)
    for _ in range(5):
        _step(population)
    assert not population.state.drift.any()


def test_a_streak_counts_days_with_a_session_and_breaks_without(begin: Begin) -> None:
    """Day by day, at the user's own midnight."""
    population = begin(load("ecommerce", clock={"zones": ["UTC"], "zone_shares": [1.0]}), 2)
    busy, idle = np.array([True, False]), np.array([False, False])
    population.traits.sessions_per_h[:] = 0.0
    for came, expected in ((busy, [1, 0]), (busy, [2, 0]), (idle, [0, 0]), (busy, [1, 0])):
        population.state.excitation[:] = 0.0
        population.state.has_session_today[:] = came
        _step(population)
        assert population.state.streak_days.tolist() == expected


def test_a_streak_ends_at_local_midnight_by_the_hour_too(begin: Begin) -> None:
    """In Kolkata, half past six in the evening UTC; the hour that holds midnight's start counts."""
    clock = {"zones": ["Asia/Kolkata"], "zone_shares": [1.0]}
    population = begin(load("ecommerce", clock=clock), 1, hours=1)
    population.traits.sessions_per_h[:] = 0.0
    population.state.has_session_today[:] = True
    at = []
    for hour in range(30):
        _step(population)
        if population.state.streak_days[0] and not at:
            at.append(hour)
    assert at == [18]


def test_a_day_ends_once_where_clocks_go_back_at_midnight(begin: Begin) -> None:
    """In Cairo the last hour of Thursday the 29th of October 2026 comes twice."""
    clock = {"zones": ["Africa/Cairo"], "zone_shares": [1.0], "start_date": "2026-10-28"}
    population = begin(load("ecommerce", clock=clock), 1, hours=1)
    population.traits.sessions_per_h[:] = 0.0
    streak = []
    for hour in range(72):
        population.state.has_session_today[:] |= hour in (10, 30, 56)
        _step(population)
        streak.append(int(population.state.streak_days[0]))
    # Midnight is at 21 o'clock UTC, then at 22: a day of 25 hours between them.
    assert streak == [0] * 20 + [1] * 25 + [2] * 24 + [3] * 3


def test_a_purchase_is_remembered_by_its_category_and_time(begin: Begin) -> None:
    """Within the step that decided it at the latest."""
    config = load(
        "ecommerce",
        activity={"sessions_per_day": 3.0},
        orders={"per_session": 1.0},
    )
    population = begin(config, 300)
    told = _step(population)
    orders = told.take(told.kind == Kind.CONVERTED)
    rows = np.unique(orders.row)
    category = population.ground.catalogue.category
    for row in rows[:50]:
        bought = category[orders.item[orders.row == row]]
        assert population.state.bought_category[row] in bought
        assert population.state.bought_h[row] <= 24.0
    never = np.setdiff1d(np.arange(300), rows)
    assert (population.state.bought_category[never] == -1).all()


def test_a_visit_that_a_push_will_still_cause_counts_as_one_at_the_end_of_the_step(
    begin: Begin,
) -> None:
    """Answers weeks ahead: they excite as much as a visit can, and rest begins with the step."""
    late = {"delay_shares": [0.0, 0.0, 1.0], "tail_mean_h": 1000.0, "success": 1.0}
    population = begin(_quiet(click={"rate": 1 - 1e-6, "spread": 0.0}, delivery=late), 200)
    told = _step(population, 0)
    visits = told.take(told.kind == Kind.SESSION)
    ahead = visits.row[visits.at_min > 60.0 * 24]
    assert len(ahead) > 150
    assert (population.state.session_h[ahead] == 24.0).all()
    assert (population.state.excitation[ahead] == 1.0).all()
