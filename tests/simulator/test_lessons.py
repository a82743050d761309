from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from bandit.outcomes import Kind
from bandit.slots import HOUR_MS
from simulator.config import load
from simulator.kernel import Population, ground_of
from simulator.lessons import answered_within, lesson_chances, lesson_scheme
from simulator.trials import EVENING_H, opted_in, slot_at
from simulator.worth import Worth


def learners(n_users: int = 400) -> Population:
    """Learners with sessions, streaks and debts behind them."""
    ground = ground_of(load("education", orders={"cannibalised": 0.95}))
    population = opted_in(ground, n_users, seed=2, hours=24)
    for _ in range(14):
        population.step(np.zeros(n_users, np.int64), slot_at(population, EVENING_H))
    return population


def test_the_scheme_counts_sessions_within_the_presets_window() -> None:
    """Two hours in education, a day in a shop; the world knows its truth."""
    scheme = lesson_scheme(load("education"))
    assert scheme.components[0].window_ms == 2 * HOUR_MS
    assert lesson_scheme(load("ecommerce")).components[0].window_ms == 24 * HOUR_MS
    assert Worth(scheme).of_quantity[0] == 1.0


@pytest.mark.parametrize("is_sent", [False, True])
def test_the_chance_of_a_lesson_is_the_share_that_has_one(is_sent: bool) -> None:
    """Sampled from the same states, four standard errors at most away; debts are among them."""
    population = learners()
    assert population.state.debt.max() > 1
    slot, n_turns = slot_at(population, EVENING_H), 60
    share, expected, variance = np.zeros((3, n_turns))
    for turn in range(n_turns):
        again = population.futures(np.array([turn]))
        chances = lesson_chances(again, slot)
        p = chances.send[:, 0] if is_sent else chances.hold
        expected[turn], variance[turn] = p.mean(), (p * (1.0 - p)).mean() / len(p)
        share[turn] = _came(again, slot, is_sent)
    error = np.sqrt(variance.sum()) / n_turns
    assert abs(share.mean() - expected.mean()) < 4.0 * error


def test_answers_within_the_window_are_the_mixtures_share() -> None:
    """Against a large sample of the mixture, and 1 in the long run."""
    config = load("education")
    rng = np.random.default_rng(5)
    z, part = rng.normal(size=10**6), rng.random(10**6)
    delay_min = np.select(
        [part < 0.45, part < 0.85],
        [2.5 * np.exp(1.3 * z), 70.0 * np.exp(1.1 * z)],
        default=60.0 * 14.0 * rng.exponential(size=10**6),
    )
    assert answered_within(config, 2.0) == pytest.approx((delay_min < 120.0).mean(), abs=2e-3)
    assert answered_within(config, 1e4) == pytest.approx(1.0)
    sharp = load("education", delivery={"fast_sd": 0.0, "slow_sd": 0.0})
    assert answered_within(sharp, 1.0) == pytest.approx(0.45 + 0.15 * (1 - np.exp(-1 / 14)))


def test_who_cannot_be_reached_has_only_lessons_of_his_own_accord() -> None:
    """A reminder that is not sent changes nothing."""
    population = learners(100)
    population.state.is_reachable[:] = False
    chances = lesson_chances(population, slot_at(population, EVENING_H))
    assert np.allclose(chances.send, chances.hold[:, None])


def _came(population: Population, slot: NDArray[np.int64], is_sent: bool) -> float:
    """Share of users with a session in the two hours after the slot."""
    start_min = 60.0 * (population.state.hour + population.offsets_h[slot])
    told = population.step(np.full(len(slot), 0 if is_sent else -1), slot)
    after = told.at_min - start_min[told.row]
    is_lesson = (told.kind == Kind.SESSION) & (after >= 0) & (after < 120.0)
    return len(np.unique(told.row[is_lesson])) / len(slot)


@pytest.mark.parametrize("window_h", [1.0, 168.0, 336.0])
def test_a_window_of_any_length_in_range_has_its_chance(window_h: float) -> None:
    """A fortnight from any slot of the day: a longer window never lowers the chance."""
    population = opted_in(ground_of(load("education")), 50, seed=1, hours=24)
    slot = slot_at(population, EVENING_H)
    brief = lesson_chances(population, slot)
    longer = replace(population.ground.config, reward_window_h=window_h)
    population.ground = replace(population.ground, config=longer)
    long = lesson_chances(population, slot)
    sign = np.sign(window_h - 2.0)
    assert (sign * (long.hold - brief.hold) > 0.0).all()
    assert (sign * (long.send - brief.send) > 0.0).all()
    # By hand: a whole number of weeks holds 168 hours of mean activity each.
    if window_h >= 168.0:
        rate = population.traits.sessions_per_h * window_h
        assert np.allclose(long.hold, -np.expm1(-rate), rtol=1e-12)
