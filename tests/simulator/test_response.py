from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simulator import response
from simulator.config import load
from simulator.kernel import Population
from simulator.state import NEVER_H
from tests.simulator.conftest import Begin


def _log_odds(population: Population) -> Any:
    return population.item_log_odds(population.matches()).astype(np.float64)


def _at(population: Population, hour: int) -> Population:
    """The same lives, put to a moment at which nothing is remembered."""
    population.state.hour[:] = hour
    return population


def test_a_fresh_users_log_odds_are_user_plus_match_plus_appeal(begin: Begin) -> None:
    """Nothing else speaks in a newborn."""
    population = begin("ecommerce", 50)
    match = population.matches()
    items = population.offer().items
    catalogue = population.ground.catalogue
    by_hand = (
        population.traits.click_base[:, None]
        + 0.45 * match
        + catalogue.appeal_of(items, population.state.hour)
    )
    assert np.allclose(_log_odds(population), by_hand, atol=1e-5)


def test_the_match_is_the_scaled_product_of_taste_and_features(begin: Begin) -> None:
    """By hand, drift included; one item alone has the same bits as among twenty."""
    population = begin("ecommerce", 40)
    match, items = population.matches(), population.offer().items
    taste = population.traits.taste + population.state.drift
    features = population.ground.catalogue.features
    by_hand = [[taste[n] @ features[i] / 4.0 for i in items[n]] for n in range(40)]
    assert np.allclose(match, by_hand, atol=1e-5)
    for place in range(20):
        alone = response.match_of(
            population.traits,
            population.state,
            items[:, [place]],
            catalogue=population.ground.catalogue,
        )
        assert np.array_equal(alone[:, 0], match[:, place])


def test_fatigue_and_habit_lower_the_log_odds_by_the_stated_amounts(begin: Begin) -> None:
    """.12 a unit of fatigue; habituation halves what is above the floor in 6.5 pushes."""
    population = begin("ecommerce", 10)
    fresh = _log_odds(population)
    population.state.fatigue[:] = 2.0
    assert np.allclose(_log_odds(population) - fresh, -0.24, atol=1e-5)
    population.state.fatigue[:] = 0.0
    population.state.habit[:] = 6.5
    assert np.allclose(_log_odds(population) - fresh, np.log(0.3 + 0.7 / 2.0), atol=1e-5)
    population.state.habit[:] = 1e9
    assert np.allclose(_log_odds(population) - fresh, np.log(0.3), atol=1e-5)


@pytest.mark.parametrize(("age_days", "penalty"), [(0.0, 0.017), (15.0, 0.0085), (150.0, 0.000017)])
def test_a_template_costs_its_penalty_and_recovers(
    begin: Begin, age_days: float, penalty: float
) -> None:
    """1.7 % just after, half of it after 15 days (Yancey and Settles, 2020)."""
    population = _at(begin("ecommerce", 10, items={"popularity_half_life_h": 0.0}), 24 * 400)
    fresh = _log_odds(population)
    sent_h = 24 * 400 - int(24 * age_days)
    population.state.template_h[:, 4] = sent_h
    is_same = population.ground.catalogue.template[population.offer().items] == 4
    expected = np.where(is_same, np.log1p(-penalty), 0.0)
    assert is_same.any()
    assert np.allclose(_log_odds(population) - fresh, expected, atol=2e-6)


def test_an_item_sent_again_is_clicked_at_six_tenths_of_the_odds(begin: Begin) -> None:
    """Wherever in the memory it stands; half the penalty is left after 7 days."""
    population = _at(begin("ecommerce", 8, click={"template_penalty": 0.0}), 24 * 400)
    fresh, item = _log_odds(population), population.offer().items[:, 3]
    for place in range(4):
        for age_days, left in ((0, 0.4), (7, 0.2), (14, 0.1)):
            population.state.recent_item[:] = -1
            population.state.recent_item[:, place] = item
            population.state.recent_h[:, place] = 24 * (400 - age_days)
            change = _log_odds(population) - fresh
            assert np.allclose(change[:, 3], np.log1p(-left), atol=1e-5)
            assert np.allclose(np.delete(change, 3, axis=1), 0.0, atol=1e-5)


def test_after_a_purchase_substitutes_fall_and_complements_rise_for_a_fortnight(
    begin: Begin,
) -> None:
    """Odds × .2 in the category that was bought, × 1.5 in the one that goes with it."""
    population = _at(begin("ecommerce", 200), 24 * 30)
    fresh = _log_odds(population)
    catalogue = population.ground.catalogue
    category = catalogue.category[population.offer().items]
    population.state.bought_category[:] = 7
    population.state.bought_h[:] = 24 * 30 - 1
    change = _log_odds(population) - fresh
    goes_with = catalogue.complement[7]
    assert np.allclose(change[category == 7], np.log(0.2), atol=1e-5)
    assert np.allclose(change[category == goes_with], np.log(1.5), atol=1e-5)
    assert np.allclose(change[(category != 7) & (category != goes_with)], 0.0, atol=1e-5)
    population.state.bought_h[:] = 24 * 16
    assert np.allclose(_log_odds(population), fresh, atol=1e-6)


def test_the_log_odds_of_an_hour_are_the_users_own_curve(begin: Begin) -> None:
    """Receptivity times log activity at the slot's local hour."""
    population = begin("ecommerce", 30)
    curve = population.ground.calendar.receptivity
    hour_of_week = population.offer().hour_of_week
    found = population.slot_log_odds()
    for n in range(30):
        for slot in (0, 5, 23):
            by_hand = curve[population.traits.chronotype[n], hour_of_week[n] + slot]
            assert found[n, slot] == pytest.approx(population.traits.receptivity[n] * by_hand)


def test_a_tie_is_for_life_and_of_the_actor(begin: Begin) -> None:
    """Exponential of mean 1, centred; the same for two items of one actor, at any hour."""
    population = begin("ecommerce", 3000, click={"tie_gain": 1.0}, items={"n_categories": 5})
    plain = begin("ecommerce", 3000, items={"n_categories": 5})
    tie = _log_odds(population) - _log_odds(plain)
    actor = population.ground.catalogue.category[population.offer().items]
    for n in range(0, 3000, 100):
        for a in np.unique(actor[n]):
            assert np.ptp(tie[n, actor[n] == a]) < 1e-4
    per_actor = np.array([tie[n, np.argmax(actor[n] == actor[n, 0])] for n in range(3000)])
    assert abs(per_actor.mean()) < 4.0 / np.sqrt(3000)
    assert per_actor.min() >= -1.0001
    assert per_actor.std() == pytest.approx(1.0, abs=0.15)


def test_a_standing_streak_speaks_where_the_preset_says_so(begin: Begin) -> None:
    """By the gain, for any length of streak."""
    population = begin("ecommerce", 6, click={"streak_gain": 0.7})
    fresh = _log_odds(population)
    population.state.streak_days[:] = [0, 1, 2, 3, 100, 0]
    gained = (_log_odds(population) - fresh)[:, 0]
    assert np.allclose(gained, [0.0, 0.7, 0.7, 0.7, 0.7, 0.0], atol=1e-5)


def test_the_wanted_item_gains_and_each_place_is_wanted_equally_often(begin: Begin) -> None:
    """The identity preset: exactly one of four, at random."""
    population, plain = begin("identity", 8000), begin("identity", 8000, click={"wanted_gain": 0.0})
    gained = _log_odds(population) - _log_odds(plain)
    assert np.allclose(np.sort(gained, axis=1), [0.0, 0.0, 0.0, 4.0], atol=1e-5)
    counts = np.bincount(np.argmax(gained, axis=1), minlength=4)
    assert np.abs(counts - 2000).max() < 4.0 * np.sqrt(8000 * 0.25 * 0.75)


def test_what_is_displaced_depends_on_how_long_the_user_has_rested(begin: Begin) -> None:
    """.3 of a visit is incremental within 4 h of a session; the user's whole share after 20 h."""
    population = _at(begin("ecommerce", 5), 1000)
    traits, state, config = population.traits, population.state, population.ground.config
    own = 1.0 - traits.cannibalised
    for since_h, rested in ((0, 0.3), (4, 0.3), (12, 0.65), (20, 1.0), (500, 1.0)):
        state.session_h[:] = 1000.0 - since_h
        found = response.displaced_share(config, traits, state)
        assert np.allclose(found, 1.0 - own * rested), since_h
    state.session_h[:] = NEVER_H
    assert np.allclose(response.displaced_share(config, traits, state), traits.cannibalised)


def test_the_hazard_of_leaving_rises_with_the_pushes_of_a_week(begin: Begin) -> None:
    """3e-4 times frailty; e^.25 for each push beyond three, this one included."""
    population = begin("ecommerce", 50)
    traits, state, config = population.traits, population.state, population.ground.config
    for already, excess in ((0, 0), (2, 0), (3, 1), (9, 7)):
        state.sent_by_day[:] = 0
        state.sent_by_day[:, 2] = already
        hazard = np.exp(response.hazard_log(config, traits, state))
        assert np.allclose(hazard, 3e-4 * traits.frailty * np.exp(0.25 * excess))


def test_no_hazard_is_no_hazard(begin: Begin) -> None:
    """The logarithm of nothing raises no warning and comes out as nothing."""
    population = begin("ecommerce", 5, opt_out={"hazard": 0.0})
    log = response.hazard_log(population.ground.config, population.traits, population.state)
    assert (np.exp(log) == 0.0).all()


def test_the_state_of_the_phone_is_averaged_out_as_two_cases() -> None:
    """35 % at hand with odds × 1.6, by hand; a delivery of a half halves everything."""
    config = load("ecommerce")
    odds = np.array([0.05])
    whole = response.chances(config, odds, p_delivered=np.ones(1), displaced=np.array([0.2]))
    busy, free = 0.05 / 1.05, 0.08 / 1.08
    click = 0.35 * free + 0.65 * busy
    view = 0.3 * 0.8 * (0.35 * free * (1 - free) + 0.65 * busy * (1 - busy))
    assert whole.click[0] == pytest.approx(click)
    assert whole.view_through[0] == pytest.approx(view)
    assert whole.dismiss[0] == pytest.approx(0.1 * (1.0 - click - view))
    half = response.chances(config, odds, p_delivered=np.array([0.5]), displaced=np.array([0.2]))
    for name in ("click", "view_through", "dismiss"):
        assert getattr(half, name)[0] == pytest.approx(getattr(whole, name)[0] / 2.0)
