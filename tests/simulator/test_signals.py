from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from bandit.slots import DAY_MS
from simulator.config import load
from simulator.logged import Logged
from simulator.parameters import PARAMETERS, Parameter, moved
from simulator.replay import as_counted, repeated, replayed
from simulator.signals import View, hour_curve, signals_of, view_of

SmallLog = Callable[[], Logged]

FITTED = [p for p in PARAMETERS if p.moves != "click delays"]


@pytest.fixture
def view(small_log: SmallLog) -> View:
    return view_of(small_log(), warmup_days=7)


def test_every_parameter_has_its_signal_that_moves_more_than_click_delays(view: View) -> None:
    assert set(signals_of(view, hour_curve(view))) == {p.key for p in FITTED}


def test_the_curve_is_high_in_the_evening_and_low_at_night(view: View) -> None:
    curve = hour_curve(view)
    assert curve.mean() == pytest.approx(0.0, abs=1e-12)
    assert curve[19] > curve[11] > curve[3]
    np.testing.assert_array_equal(curve[:24], curve[24:48])


def test_rates_are_those_counted_by_hand(view: View) -> None:
    signals = signals_of(view, hour_curve(view))
    logged, row = view.logged, view.exposure.row
    clicks, delivered = logged.is_clicked[row].sum(), logged.is_delivered[row].sum()
    assert np.exp(signals["click.rate"].value) == pytest.approx(clicks / delivered)
    assert signals["delivery.success"].value == pytest.approx(delivered / len(row))
    rows = view.no_push
    rate = (rows.weight * rows.n_sessions).sum() / rows.weight.sum()
    assert np.exp(signals["activity.sessions_per_day"].value) == pytest.approx(rate)


def test_orders_of_a_click_are_those_of_the_day_after_it(view: View) -> None:
    """Counted by hand, click by click; a second click of a day counts the same order again."""
    logged, bought, clicks = view.logged, 0, 0
    for row in view.exposure.row[logged.is_clicked[view.exposure.row]]:
        click_ms = logged.plan.send_ms[row] + int(60_000.0 * logged.click_min[row])
        mine = logged.orders.user == logged.plan.user[row]
        after_ms = logged.orders.at_ms[mine] - click_ms
        bought += int(((after_ms >= 0) & (after_ms < DAY_MS)).sum())
        clicks += 1
    told = signals_of(view, hour_curve(view))["orders.per_click"]
    assert told.n == bought > 0
    assert np.exp(told.value) == pytest.approx(bought / clicks)


def test_opting_out_by_frequency_counts_the_push_itself(view: View) -> None:
    """Three a week are free: the fourth of a week is the first that is too many."""
    logged, sent = view.logged, view.exposure
    plan = logged.plan
    too_many = np.maximum(sent.in_week + 1 - 3, 0)
    left = np.zeros(len(sent.row))
    for place, row in enumerate(sent.row):
        after_ms = logged.opt_outs.at_ms[logged.opt_outs.user == plan.user[row]] - plan.send_ms[row]
        left[place] = ((after_ms >= 0) & (after_ms < DAY_MS // 12)).any()
    delivered = logged.is_delivered[sent.row]
    by_hand = np.average(too_many, weights=left) - np.average(too_many, weights=delivered)
    told = signals_of(view, hour_curve(view))["opt_out.frequency_slope"]
    assert told.value == pytest.approx(by_hand)


def test_the_spread_is_over_users_who_were_seen_long_enough(view: View) -> None:
    """Eight days without a push of each, the first ones; who has fewer says nothing."""
    rows = view.no_push
    levels = []
    for user in np.unique(rows.user):
        mine = rows.n_sessions[rows.user == user]
        if len(mine) >= 8:
            levels.append(np.log1p(mine[:8].sum()))
    assert len(levels) < len(np.unique(rows.user))
    told = signals_of(view, hour_curve(view))["activity.spread"]
    assert told.value == pytest.approx(np.var(levels))


@pytest.mark.parametrize("parameter", FITTED, ids=lambda p: p.key)
def test_a_signal_rises_or_falls_with_its_parameter(
    parameter: Parameter, small_log: SmallLog
) -> None:
    """Two steps up against two steps down, under common random numbers, twelve hundred users."""
    plan = small_log().plan
    config = as_counted(load("ecommerce", click={"rate": 0.1}, opt_out={"hazard": 0.02}), plan)
    theta, values = parameter.to_scale(parameter.value(config)), []
    curve = hour_curve(view_of(small_log(), warmup_days=7))
    for steps in (-2, 2):
        made = replayed(
            moved(config, {parameter: theta + steps * parameter.step}), repeated(plan, 2), seed=3
        )
        values.append(signals_of(view_of(made, warmup_days=7), curve)[parameter.key].value)
    falls = ("fatigue.slope", "click.item_penalty")
    assert (values[1] - values[0]) * (-1 if parameter.key in falls else 1) > 0
