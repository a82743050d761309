from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from simulator.calendar import hours_of_week
from simulator.click_delays import ClickDelays, click_delays_of, fitted_delays, log_likelihood
from simulator.config import WorldConfig, load
from simulator.kernel import Population
from simulator.logged import Logged
from simulator.parameters import PARAMETERS, moved
from simulator.pushes import click_delay_min
from simulator.sections import Delivery
from simulator.signals import view_of

Begin = Callable[..., Population]
SmallLog = Callable[[], Logged]

DELAYS = [p for p in PARAMETERS if p.moves == "click delays"]
TRUTH = {"fast_median_min": 4.0, "slow_median_min": 50.0, "tail_mean_h": 12.0}
HOUR_MS = 3_600_000


def drawn(population: Population, *, sent_h: int, end_h: int) -> ClickDelays:
    """Clicks of the simulator's own sampler: each user is sent to at one hour, and clicks."""
    traits, n = population.traits, population.n_users
    calendar, config = population.ground.calendar, population.ground.config
    sent_min = np.full(n, 60.0 * sent_h)
    minutes = click_delay_min(config, traits, population.state, sent_min, calendar=calendar)
    row = np.flatnonzero(sent_min + minutes < 60.0 * end_h)
    at_h = ((sent_min + minutes)[row] // 60).astype(np.int64)
    zone, earlier = traits.zone[row], np.arange(1, 7)

    def local(hour: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> np.ndarray:
        return calendar.hour_of_week(zone[:, None], hour) % 24

    last = local(np.broadcast_to(end_h - earlier, (len(row), 6)))
    seen_min = np.full(len(row), 60.0 * (end_h - sent_h))
    return ClickDelays(
        n_users=n,
        user=row,
        minutes=minutes[row],
        is_awake=local(at_h[:, None])[:, 0] >= 6,
        is_moved=local(at_h[:, None] - earlier) + earlier == 6,
        seen_min=seen_min,
        slow_seen_min=seen_min - 60.0 * (last + earlier <= 6).sum(axis=1),
    )


def at_rest(n: int) -> ClickDelays:
    """Delays of 0 to 30 days in minutes, no night, a log that does not end."""
    return ClickDelays(
        n_users=n,
        user=np.arange(n),
        minutes=np.linspace(0.05, 30 * 1440.0, n),
        is_awake=np.ones(n, np.bool_),
        is_moved=np.zeros((n, 6), np.bool_),
        seen_min=np.full(n, 1e9),
        slow_seen_min=np.full(n, 1e9),
    )


def test_the_density_is_one_in_all() -> None:
    grid = at_rest(400_000)
    total = np.trapezoid(np.exp(log_likelihood(Delivery(), grid)), grid.minutes)
    assert total == pytest.approx(1.0, abs=5e-3)


def test_a_log_that_ends_early_makes_what_is_seen_likelier() -> None:
    """By the chance of an answer within an hour: 0.45 · 0.992 + 0.4 · 0.444 + 0.15 · 0.069."""
    grid = at_rest(3)
    hour = np.full(3, 60.0)
    early = replace(grid, seen_min=hour, slow_seen_min=hour)
    gain = log_likelihood(Delivery(), early) - log_likelihood(Delivery(), grid)
    np.testing.assert_allclose(np.exp(-gain), 0.6347, atol=1e-3)


def test_in_the_night_only_quick_answers_come_and_the_others_at_its_end() -> None:
    one = replace(at_rest(2), minutes=np.array([200.0, 200.0]))
    usual = np.exp(log_likelihood(Delivery(), one))
    asleep = np.exp(log_likelihood(Delivery(), replace(one, is_awake=np.array([False, True]))))
    assert asleep[0] < 0.01 * usual[0]
    assert asleep[1] == usual[1]
    from_before = np.zeros((2, 6), np.bool_)
    from_before[0, 1] = True  # it was meant for two hours earlier, 80 minutes after delivery
    at_end = np.exp(log_likelihood(Delivery(), replace(one, is_moved=from_before)))
    earlier = replace(one, minutes=np.array([80.0, 80.0]))
    slow_only = replace(Delivery(), fast_median_min=1e-6)
    assert at_end[0] - usual[0] == pytest.approx(np.exp(log_likelihood(slow_only, earlier))[0])
    assert at_end[1] == usual[1]


@pytest.mark.parametrize("sent_h", [20, 25, 33])
def test_the_law_that_the_world_draws_from_is_found_again(begin: Begin, sent_h: int) -> None:
    """Evening, night and morning; a log that ends 40 h later; intervals of 99.9 %, fixed seed."""
    config = load("ecommerce", delivery=TRUTH)
    delays = drawn(begin(config, 6_000, seed=11), sent_h=sent_h, end_h=sent_h + 40)
    fit = fitted_delays(load("ecommerce"), delays, DELAYS)
    assert fit.is_converged
    assert fit.why == {}
    for p, theta in fit.thetas.items():
        assert abs(theta - p.to_scale(p.value(config))) < 3.29 * fit.errors[p], p.name


def test_the_likeliest_law_is_likelier_than_the_true_one(begin: Begin) -> None:
    config = load("ecommerce", delivery=TRUTH)
    delays = drawn(begin(config, 1_500, seed=3), sent_h=9, end_h=90)
    fit = fitted_delays(load("ecommerce"), delays, DELAYS)
    found = log_likelihood(moved(config, fit.thetas).delivery, delays).sum()
    gain = found - log_likelihood(config.delivery, delays).sum()
    assert 0.0 < gain < 14.0  # twice that is chi-squared of seven: below 28 but once in 4,000


def test_what_the_delays_do_not_show_is_named_and_keeps_its_value(begin: Begin) -> None:
    """No slow answers and no late ones: nothing of them can be told, and all of the quick ones."""
    quick = load("ecommerce", delivery={"delay_shares": [1.0, 0.0, 0.0], "fast_median_min": 4.0})
    delays = drawn(begin(quick, 1_500, seed=5), sent_h=9, end_h=90)
    fit = fitted_delays(load("ecommerce"), delays, DELAYS)
    kept = {p.key for p in fit.thetas}
    assert "delivery.tail_mean_h" in fit.why
    assert not kept & set(fit.why)
    assert kept | set(fit.why) == {p.key for p in DELAYS}
    assert all(np.isfinite(list(fit.errors.values())))


def test_what_is_too_vague_is_named_and_the_others_keep_the_errors_of_the_free_fit(
    begin: Begin,
) -> None:
    """The tail is held at a wrong value then, and must not narrow what else is told."""
    config, preset = load("ecommerce", delivery=TRUTH), load("ecommerce")
    delays = drawn(begin(config, 1_000, seed=3), sent_h=9, end_h=90)
    free = fitted_delays(preset, delays, DELAYS)
    asked = [replace(p, widest=1e-3) if p.key == "delivery.tail_mean_h" else p for p in DELAYS]
    fit = fitted_delays(preset, delays, asked)
    assert list(fit.why) == ["delivery.tail_mean_h"]
    assert "standard error would be" in fit.why["delivery.tail_mean_h"]
    assert fit.errors == {p: free.errors[p] for p in DELAYS if p.key not in fit.why}
    assert fit.thetas != {p: free.thetas[p] for p in fit.thetas}
    assert moved(preset, fit.thetas).delivery.tail_mean_h == preset.delivery.tail_mean_h


def test_intervals_are_wider_where_users_answer_alike() -> None:
    """Each click told twice by its user: errors are those of half as many, not of twice."""
    config: WorldConfig = load("ecommerce")
    fast = next(p for p in DELAYS if p.key == "delivery.fast_median_min")
    once = replace(at_rest(800), minutes=np.exp(np.random.default_rng(1).normal(1.0, 1.3, 800)))
    twice = ClickDelays(
        n_users=800,
        **{
            name: np.concatenate([getattr(once, name)] * 2)
            for name in ("user", "minutes", "is_awake", "is_moved", "seen_min", "slow_seen_min")
        },
    )
    errors = [fitted_delays(config, delays, [fast]).errors[fast] for delays in (once, twice)]
    assert errors[1] == pytest.approx(errors[0], rel=1e-4)


def test_clicks_of_a_log_are_told_with_their_hours_and_its_end(small_log: SmallLog) -> None:
    view = view_of(small_log(), warmup_days=7)
    delays, plan = click_delays_of(view), view.logged.plan
    known = plan.zone[plan.user] >= 0
    row = view.exposure.row
    assert len(delays.user) == np.count_nonzero((view.logged.is_clicked & known)[row])
    assert (delays.minutes < delays.seen_min).all()
    assert (delays.slow_seen_min <= delays.seen_min).all()
    # From every hour of the night or from none, but for a night when the clocks change.
    is_plain = plan.zone[delays.user] == plan.zones.index("Asia/Kolkata")
    assert set(delays.is_moved[is_plain].sum(axis=1).tolist()) == {0, 6}
    assert not (delays.is_moved.any(axis=1) & ~delays.is_awake).any()


@pytest.mark.parametrize(("zone", "hidden_h"), [("Asia/Dhaka", 6), ("UTC", 0), ("Asia/Tokyo", 0)])
def test_slow_answers_of_a_night_that_ends_with_the_log_are_not_seen(
    small_log: SmallLog, zone: str, hidden_h: int
) -> None:
    """Midnight in UTC is six o'clock in Dhaka: all that was meant for the night comes after it."""
    logged = small_log()
    plan = logged.plan
    n_hours = plan.local.shape[1]
    there = replace(
        plan,
        zones=(zone,),
        local=hours_of_week(plan.start_ms, n_hours, (zone,)),
        zone=np.zeros_like(plan.zone),
    )
    delays = click_delays_of(view_of(replace(logged, plan=there), warmup_days=7))
    seen = np.maximum(delays.seen_min - 60.0 * hidden_h, 0.0)
    assert delays.slow_seen_min == pytest.approx(seen)
