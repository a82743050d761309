from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from simulator.calendar import N_PHASES
from simulator.config import load
from simulator.population import draw_drift, draw_traits, segment_tastes
from simulator.state import Traits
from simulator.streams import life_keys

N = 40_000


def _drawn(n: int = N, *, seed: int = 1, **changes: dict[str, Any]) -> Traits:
    config = load("ecommerce", **changes)
    return draw_traits(config, life_keys(seed, np.arange(n)), tastes=segment_tastes(config))


def _is_share(hits: NDArray[Any], share: float) -> bool:
    return bool(abs(hits.mean() - share) < 4.0 * np.sqrt(share * (1.0 - share) / hits.size))


def test_shares_of_users_are_the_stated_ones() -> None:
    """Opt-in, zones, known zones, devices and segments, within four standard errors."""
    config, traits = load("ecommerce"), _drawn()
    assert _is_share(traits.has_opted_in, config.opt_out.opt_in_share)
    assert _is_share(traits.is_zone_known, 1.0 - config.clock.unknown_zone_share)
    for place, share in enumerate(config.clock.zone_shares):
        assert _is_share(traits.zone == place, share)
    for n_devices, share in enumerate(config.delivery.device_shares, start=1):
        assert _is_share(traits.n_devices == n_devices, share)
    for segment in range(config.taste.segments):
        assert _is_share(traits.segment == segment, 1.0 / config.taste.segments)


def test_activity_is_log_normal_with_the_stated_median_and_spread() -> None:
    """A median of a quarter of a session a day, sd of the log 1.2."""
    log = np.log(24.0 * _drawn().sessions_per_h)
    assert abs(log.mean() - np.log(0.25)) < 4.0 * 1.2 / np.sqrt(N)
    assert abs(log.std() - 1.2) < 4.0 * 1.2 / np.sqrt(2 * N)


def test_the_mean_click_rate_is_the_configured_one() -> None:
    """Of a rested user who is not at hand, for an item that is not new: within 10 % of 3 %.

    The centre is set for a log-normal rate; users' rates are logistic, hence the tenth.
    """
    for rate in (0.01, 0.03, 0.13):
        odds = np.exp(_drawn(click={"rate": rate}).click_base)
        assert (odds / (1.0 + odds)).mean() == pytest.approx(rate, rel=0.1)


def test_click_rates_spread_between_users_as_stated() -> None:
    """About as a Beta of mean 3 % and concentration 12: coefficient of variation 1.0 to 1.6."""
    odds = np.exp(_drawn().click_base)
    rate = odds / (1.0 + odds)
    assert 1.0 < rate.std() / rate.mean() < 1.6


def test_heavy_users_click_most() -> None:
    """By the stated slope: log-odds rise by .35 a standard deviation of log activity."""
    traits = _drawn()
    z = (np.log(24.0 * traits.sessions_per_h) - np.log(0.25)) / 1.2
    slope = np.polyfit(z, traits.click_base, 1)[0]
    assert abs(slope - 0.35) < 4.0 / np.sqrt(N)


@pytest.mark.parametrize("shape", [0.5, 1.0, 2.5, 20.0])
def test_frailty_is_gamma_of_mean_one(shape: float) -> None:
    """Variance 1 / shape; four standard errors of the gamma's own moments."""
    frailty = _drawn(opt_out={"frailty_shape": shape}).frailty
    assert abs(frailty.mean() - 1.0) < 4.0 / np.sqrt(shape * N)
    fourth = 3.0 / shape**2 + 6.0 / shape**3
    assert abs(frailty.var() - 1.0 / shape) < 4.0 * np.sqrt((fourth - 1.0 / shape**2) / N)


def test_without_frailty_all_users_are_alike() -> None:
    """Shape 0 switches it off."""
    assert (_drawn(100, opt_out={"frailty_shape": 0.0}).frailty == 1.0).all()


def test_more_devices_are_reached_more_often() -> None:
    """Any one of them suffices."""
    traits = _drawn(1000)
    assert np.allclose(traits.p_delivered, 1.0 - 0.08**traits.n_devices)


def test_only_those_who_come_anyway_can_be_cannibalised() -> None:
    """The most that a push visit displaces, times the chance of a visit within a day."""
    traits = _drawn(1000)
    by_hand = 0.75 * (1.0 - np.exp(-24.0 * traits.sessions_per_h))
    assert np.allclose(traits.cannibalised, by_hand)
    assert traits.cannibalised.min() < 0.05
    assert 0.6 < traits.cannibalised.max() <= 0.75


def test_receptivity_has_the_stated_mean() -> None:
    """Its spread is log-normal and leaves the mean alone."""
    receptivity = _drawn().receptivity
    assert abs(receptivity.mean() / 0.35 - 1.0) < 4.0 * np.sqrt(np.expm1(0.25) / N)


def test_chronotypes_are_shifts_of_the_day_and_of_the_week() -> None:
    """Standard deviation of two hours, the week's turn uniform."""
    chronotype = _drawn().chronotype
    shift = (chronotype % N_PHASES + 12) % N_PHASES - 12
    assert abs(shift.std() - np.sqrt(4.0 + 1 / 12)) < 0.05
    assert abs(shift.mean()) < 4.0 * 2.0 / np.sqrt(N)
    for rotation in range(7):
        assert _is_share(chronotype // N_PHASES == rotation, 1 / 7)


def test_taste_and_drift_make_a_standard_normal_together() -> None:
    """What is fixed and what drifts share the variance .7 to .3; the segments' means are few."""
    config = load("ecommerce", taste={"segments": 5000})
    keys = life_keys(1, np.arange(N))
    taste = draw_traits(config, keys, tastes=segment_tastes(config)).taste
    drift = draw_drift(config, keys)
    assert abs(taste.var() - 0.7) < 0.02
    assert abs(drift.var() - 0.3) < 0.01
    assert abs((taste * drift).mean()) < 0.01


def test_users_of_a_segment_share_the_stated_part_of_their_taste() -> None:
    """Two users of one segment correlate by .4 of what does not drift."""
    config = load("ecommerce", taste={"segments": 10_000, "drift_share": 0.0})
    traits = draw_traits(config, life_keys(1, np.arange(N)), tastes=segment_tastes(config))
    order = np.argsort(traits.segment, kind="stable")
    taste, segment = traits.taste[order], traits.segment[order]
    same = segment[1:] == segment[:-1]
    assert abs((taste[1:] * taste[:-1])[same].mean() - 0.4) < 0.02


def test_a_life_has_the_same_traits_in_any_batch() -> None:
    """Alone, in a shard, or in reverse order."""
    config = load("ecommerce")
    keys, tastes = life_keys(1, np.arange(300)), segment_tastes(config)
    whole = draw_traits(config, keys, tastes=tastes)
    for rows in (np.array([7]), np.arange(100, 200), np.arange(300)[::-1]):
        part = draw_traits(config, keys[rows], tastes=tastes)
        for name, column in part.columns():
            assert np.array_equal(column, getattr(whole, name)[rows]), name
        assert np.array_equal(draw_drift(config, keys[rows]), draw_drift(config, keys)[rows])


def test_traits_are_drawn_independently_of_each_other() -> None:
    """No two are correlated that the model does not tie together, as it does segment and taste."""
    traits = _drawn(taste={"segment_share": 0.0})
    columns = np.stack(
        [
            traits.zone,
            traits.is_zone_known,
            traits.chronotype % N_PHASES,
            traits.chronotype // N_PHASES,
            np.log(traits.receptivity),
            np.log(traits.sessions_per_h),
            np.sqrt(traits.frailty),
            traits.n_devices,
            traits.segment,
            traits.has_opted_in,
            traits.taste[:, 0],
            traits.taste[:, 1],
        ]
    ).astype(float)
    between = np.corrcoef(columns) - np.eye(len(columns))
    assert np.abs(between).max() < 4.5 / np.sqrt(N)
