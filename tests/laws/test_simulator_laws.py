"""Laws of the population's answers, over any state and odds hypothesis can think of."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bandit.outcomes import UPLIFT
from simulator import organic, response
from simulator.config import WorldConfig, config_from, load
from simulator.kernel import Ground, Population, ground_of
from simulator.organic import expected_sessions
from simulator.streams import Draw, life_keys, uniforms
from simulator.truth import mean_reward, means_of
from simulator.worth import Quantity, Worth

_SHARE = st.floats(0.0, 1.0)
_STOCK = st.floats(0.0, 50.0)
_ODDS = st.floats(1e-9, 1e6)


@cache
def _ground() -> Ground:
    return ground_of(load("ecommerce", items={"n_items": 40}))


def _population(seed: int, *, hours: int = 24) -> Population:
    """Twelve users with a past of four pushed steps."""
    population = Population.begin(_ground(), life_keys(seed, np.arange(12)), hours=hours)
    for _ in range(4):
        population.step(np.arange(12) % 20, np.zeros(12, np.int64))
    return population


def _clicks(population: Population) -> NDArray[np.float64]:
    return means_of(population).caused[:, 1:, Quantity.CLICK]


@given(st.integers(0, 999), _STOCK, st.floats(0.01, 20.0))
@settings(max_examples=25, deadline=None)
def test_more_fatigue_never_makes_a_click_likelier(seed: int, fatigue: float, more: float) -> None:
    population = _population(seed)
    population.state.fatigue[:] = fatigue
    rested = _clicks(population)
    population.state.fatigue[:] = fatigue + more
    assert (_clicks(population) <= rested).all()


@given(st.integers(0, 999), _STOCK, st.floats(0.01, 20.0))
@settings(max_examples=25, deadline=None)
def test_more_habit_never_makes_a_click_likelier(seed: int, habit: float, more: float) -> None:
    population = _population(seed)
    population.state.habit[:] = habit
    new = _clicks(population)
    population.state.habit[:] = habit + more
    assert (_clicks(population) <= new).all()


@given(st.integers(0, 999), st.integers(0, 30), st.integers(1, 30))
@settings(max_examples=25, deadline=None)
def test_more_pushes_a_week_never_make_leaving_rarer(seed: int, sent: int, more: int) -> None:
    population = _population(seed)
    leaving = [Quantity.OPT_OUT, Quantity.UNINSTALL]
    population.state.sent_by_day[:] = 0
    population.state.sent_by_day[:, 1] = sent
    few = means_of(population).caused[:, :, leaving]
    population.state.sent_by_day[:, 1] = sent + more
    assert (means_of(population).caused[:, :, leaving] >= few).all()


@given(st.integers(0, 999))
@settings(max_examples=20, deadline=None)
def test_of_two_items_the_better_fit_has_the_lower_hazard(seed: int) -> None:
    population = _population(seed)
    opts_out = means_of(population).caused[:, 1:, Quantity.OPT_OUT].reshape(12, 20, -1)[:, :, 0]
    order = np.argsort(population.matches(), axis=1)
    ranked = np.take_along_axis(opts_out, order, axis=1)
    assert (np.diff(ranked, axis=1) <= 1e-12).all()


@given(_ODDS, _ODDS, _SHARE, _SHARE, _SHARE)
def test_chances_are_chances_and_rise_with_the_odds(
    odds: float, more: float, delivered: float, displaced: float, share: float
) -> None:
    config = load("ecommerce")
    config = replace(config, click=replace(config.click, available_share=share))
    low, high = (
        response.chances(
            config,
            np.array([o]),
            p_delivered=np.array([delivered]),
            displaced=np.array([displaced]),
        )
        for o in (odds, odds + more)
    )
    for each in (low, high):
        total = each.click + each.view_through + each.dismiss
        assert (total <= delivered + 1e-12).all()
        assert min(each.click[0], each.view_through[0], each.dismiss[0]) >= -1e-15
    assert high.click >= low.click - 1e-15
    assert high.click + high.view_through >= low.click + low.view_through - 1e-12
    assert high.dismiss <= low.dismiss + 1e-12


@given(st.floats(0.0, 60.0), st.integers(0, 12))
def test_a_debt_takes_at_most_itself_and_more_debt_takes_more(rate: float, debt: int) -> None:
    owed = np.arange(debt + 1, dtype=np.int16)
    left = expected_sessions(np.full(debt + 1, rate), owed)
    assert (left >= 0.0).all()
    assert (left >= rate - owed - 1e-9).all()
    assert (np.diff(left) <= 1e-12).all()


@given(st.floats(0.0, 200.0), st.integers(0, 2**32))
def test_a_higher_rate_never_brings_fewer_sessions(rate: float, seed: int) -> None:
    u = uniforms(life_keys(seed, np.arange(20)), np.zeros(20, np.int64), Draw.SESSION_COUNT)
    fewer, more = (organic._poisson(u, np.full(20, r)) for r in (rate, 1.1 * rate + 0.1))
    assert (more >= fewer).all()


@given(st.integers(0, 999), st.sampled_from([1, 24]))
@settings(max_examples=15, deadline=None)
def test_a_longer_step_never_lowers_the_base(seed: int, hours: int) -> None:
    """More hours, more organic behaviour: a longer window never lowers a mean."""
    longer = _population(seed, hours=24)
    window = {name: getattr(longer, name) for name in ("ground", "traits", "state")}
    short = Population(hours=hours, **window)
    counted = [Quantity.SESSION, Quantity.ORDER, Quantity.VALUE, Quantity.UNINSTALL]
    assert (means_of(short).base[:, counted] <= means_of(longer).base[:, counted] + 1e-12).all()


@given(st.integers(0, 999))
@settings(max_examples=15, deadline=None)
def test_who_cannot_be_reached_gains_nothing_from_any_push(seed: int) -> None:
    population = _population(seed)
    population.state.is_reachable[::2] = False
    population.state.is_alive[::4] = False
    uplift = means_of(population).uplift
    besides = [q for q in Quantity if q != Quantity.SEND]
    assert not uplift[::2][:, :, besides].any()
    assert not means_of(population).base[::4].any()


@given(st.integers(0, 999))
@settings(max_examples=15, deadline=None)
def test_what_is_displaced_never_exceeds_what_is_caused_in_visits(seed: int) -> None:
    means = means_of(_population(seed))
    assert (means.uplift[:, :, Quantity.SESSION] >= 0.0).all()
    assert (means.caused >= 0.0).all()
    assert (means.displaced >= 0.0).all()


@given(st.integers(0, 999))
@settings(max_examples=15, deadline=None)
def test_the_mean_reward_of_holding_is_the_base(seed: int) -> None:
    population, worth = _population(seed), Worth(UPLIFT)
    hold = mean_reward(population, worth)[:, 0]
    assert np.allclose(hold, means_of(population).base @ worth.of_quantity, rtol=1e-5, atol=1e-7)


@given(
    st.floats(1e-4, 0.9),
    st.floats(0.0, 3.0),
    st.floats(0.0, 0.9),
    st.integers(1, 40),
    st.sampled_from([0.0, 0.5, 1.0, 4.5]),
)
@settings(max_examples=50)
def test_any_configuration_in_range_survives_being_written_and_read(
    rate: float, spread: float, excitation: float, candidates: int, shape: float
) -> None:
    config: WorldConfig = load(
        "ecommerce",
        click={"rate": rate, "spread": spread},
        activity={"excitation": excitation},
        clock={"n_candidates": candidates},
        opt_out={"frailty_shape": shape},
    )
    assert config_from(config.to_dict()) == config
