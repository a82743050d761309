from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from bandit.errors import BadInputError
from experiments.calibration_round_trip import start, truth
from simulator.calibrate import Calibration, FitSettings, calibrate
from simulator.logged import Logged
from simulator.parameters import PARAMETERS
from simulator.replay import as_counted, replayed

SmallLog = Callable[[], Logged]

ONLY = (
    "activity.spread",
    "click.rate",
    "delivery.success",
    "orders.per_session",
    "items.price_mu",
)


@pytest.fixture(scope="module")
def fitted() -> dict[str, Calibration]:
    """One fit for all tests of this file."""
    return {}


@pytest.fixture
def fit(small_log: SmallLog, fitted: dict[str, Calibration]) -> Calibration:
    if not fitted:
        settings = FitSettings(replicas=1, only=ONLY, turns=8)
        fitted["fit"] = calibrate(small_log(), start(), settings=settings)
    return fitted["fit"]


def test_a_fit_finds_what_the_log_was_made_with(fit: Calibration) -> None:
    """Where all else is as it was: five constants within intervals of 99.9 %, fixed seeds."""
    config = truth(28)
    for parameter, row in zip(PARAMETERS, fit.table, strict=True):
        if parameter.key in ("delivery.success", "orders.per_session", "items.price_mu"):
            low, high, true = (
                parameter.to_scale(v) for v in (row.low, row.high, parameter.value(config))
            )
            middle, reach = (low + high) / 2, (high - low) / 2 * 3.29 / 1.96
            assert abs(true - middle) < reach, row
            assert not row.low < row.preset < row.high, row


def test_what_was_not_fitted_keeps_its_value_and_says_why(fit: Calibration) -> None:
    preset = start()
    for parameter, row in zip(PARAMETERS, fit.table, strict=True):
        assert row.preset == parameter.value(preset)
        if parameter.key in ONLY:
            assert row.is_fitted
            assert row.low < row.value < row.high
        else:
            assert row.why == "was not asked for"
            assert row.value == row.preset
            assert np.isnan(row.low)


def test_the_fitted_world_has_the_signals_of_the_log(fit: Calibration) -> None:
    assert fit.is_converged
    assert fit.notes == ()
    logs = (fit.observed.logged, fit.simulated.logged)
    clicks = [log.is_clicked.sum() / log.is_delivered.sum() for log in logs]
    assert clicks[1] == pytest.approx(clicks[0], rel=0.1)


def test_too_few_events_leave_a_parameter_where_it_is(small_log: SmallLog) -> None:
    """Twenty orders after a click are needed; a log that tells of nothing asked for is refused."""
    logged = small_log()
    none = replace(logged, is_clicked=np.zeros_like(logged.is_clicked))
    with pytest.raises(BadInputError, match="tells of something"):
        calibrate(none, start(), settings=FitSettings(only=("orders.per_click",)))


def test_click_delays_are_fitted_to_the_delays_alone(small_log: SmallLog) -> None:
    """Seven constants, where there are 500 clicks; nothing else need be told of."""
    config, delivery = start(), {"fast_median_min": 5.0, "tail_mean_h": 8.0}
    delays = [p for p in PARAMETERS if p.moves == "click delays"]
    settings = FitSettings(replicas=1, only=tuple(p.key for p in delays))
    plan = small_log().plan
    many = replace(
        config,
        click=replace(config.click, rate=0.3),
        delivery=replace(config.delivery, **delivery),
    )
    fit = calibrate(replayed(as_counted(many, plan), plan, seed=8), config, settings=settings)
    assert fit.is_converged
    table = {row.name: row for row in fit.table if row.is_fitted}
    assert set(table) == {p.name for p in delays}
    for p in delays:
        low, high = (p.to_scale(v) for v in (table[p.name].low, table[p.name].high))
        reach = (high - low) / 2 * 3.29 / 1.96
        assert abs(p.to_scale(p.value(many)) - (low + high) / 2) < reach, table[p.name]
        assert p.value(fit.config) == pytest.approx(table[p.name].value)
    with pytest.raises(BadInputError, match="tells of something"):
        calibrate(small_log(), config, settings=settings)


def test_a_log_without_pushes_is_refused(small_log: SmallLog) -> None:
    logged = small_log()
    silent = replace(logged.plan, is_sent=np.zeros_like(logged.plan.is_sent))
    with pytest.raises(BadInputError, match="expected pushes"):
        calibrate(replace(logged, plan=silent), start())


def test_users_sent_to_unevenly_are_told_of(small_log: SmallLog) -> None:
    """Who is sent to more often may be who clicks more often."""
    logged = small_log()
    half = logged.plan.user % 2 == 0
    uneven = replace(logged.plan, is_sent=logged.plan.is_sent & half)
    settings = FitSettings(replicas=1, only=("delivery.success",), max_users=200, turns=1)
    fit = calibrate(replace(logged, plan=uneven), start(), settings=settings)
    assert any("frequency" in note for note in fit.notes)


@pytest.mark.slow
def test_a_whole_round_trip_holds_the_truth(small_log: SmallLog) -> None:
    """Every constant that is identified: of so few intervals of 95 %, four in five hold it."""
    fit = calibrate(small_log(), start(), settings=FitSettings(replicas=2))
    config = truth(28)
    held = [
        row.low <= parameter.value(config) <= row.high
        for parameter, row in zip(PARAMETERS, fit.table, strict=True)
        if row.is_fitted
    ]
    assert len(held) >= 10
    assert np.mean(held) >= 0.8
