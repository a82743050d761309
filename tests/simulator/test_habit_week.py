from __future__ import annotations

import numpy as np
import pytest

from simulator.config import load
from simulator.habit_week import HabitWeek, _by_template, habit_week
from simulator.kernel import ground_of
from simulator.trials import EVENING_H, chances_of, opted_in, slot_at


@pytest.fixture(scope="module")
def week() -> HabitWeek:
    return habit_week(ground_of(load("ecommerce")), 300, seed=5)


def test_sums_are_by_user_and_by_template(week: HabitWeek) -> None:
    """Seven days at most, fewer for who left; one row a template."""
    assert week.days.shape == (300,)
    assert week.days.max() == 7
    assert week.days.min() < 7
    assert week.by_template.shape == (12, 300)
    assert week.delay_min.shape == (int(week.days.sum()),)


def test_the_best_is_never_below_the_usual(week: HabitWeek) -> None:
    """For every user: the best hour, the best item; and uplift is above clicks by views alone."""
    assert (week.best_hour >= week.waking_hour - 1e-12).all()
    assert (week.best_item >= week.popular_item - 1e-12).all()
    assert (week.any_uplift <= 1.3 * week.any_click + 1e-12).all()


def test_copy_moves_clicks_as_far_as_the_preset_says() -> None:
    """In log-odds, so a little less in clicks; a preset without copy effects has none."""
    same = load("ecommerce", items={"template_sd": 0.0})
    flat = habit_week(ground_of(same), 100, seed=5).by_template.sum(axis=1)
    assert np.ptp(flat) < 1e-9 * flat.mean()
    wide = load("ecommerce", items={"template_sd": 0.05})
    steep = habit_week(ground_of(wide), 100, seed=5).by_template.sum(axis=1)
    assert 0.05 < steep.max() / steep.mean() - 1.0 < 0.09


def test_what_was_sent_is_the_usual_cadence(week: HabitWeek) -> None:
    """Three of seven evenings in a shop; deliveries are less than sends."""
    full = week.days == 7
    assert (week.sent_delivered[full] < 3.0).all()
    assert week.sent_delivered[full].mean() > 2.7


def test_an_item_under_its_own_template_is_clicked_as_it_is() -> None:
    """Its copy is put in the place of itself, not on top; wide effects, so that it would show."""
    ground = ground_of(load("ecommerce", items={"template_sd": 0.3}))
    population = opted_in(ground, 200, seed=5, hours=24)
    evening = slot_at(population, EVENING_H)
    rows = np.arange(200)
    own = ground.catalogue.template[population.offer().items[:, 0]]
    chances, _ = chances_of(population, np.zeros(200, np.int64), evening)
    assert _by_template(population, evening)[own, rows] == pytest.approx(chances.click, rel=1e-5)
