from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bandit.outcomes import Kind
from simulator import pushes, response
from simulator.config import load
from simulator.kernel import Population
from simulator.streams import life_keys
from simulator.truth import means_of
from simulator.worth import Quantity
from tests.simulator.conftest import Begin

N_DRAWS = 40_000
OFTEN: dict[str, Any] = {  # what is rare in a shop happens often enough to be counted
    "click": {"rate": 0.15},
    "opt_out": {"hazard": 0.02, "uninstall_share": 0.5},
    "orders": {"per_click": 0.3, "per_session": 0.15},
}


def _lived(begin: Begin, *, hours: int = 24, **changes: Any) -> Population:
    """Users with a past of ten steps of pushes."""
    population = begin(load("ecommerce", **{**OFTEN, **changes}), 60, hours=hours)
    rng = np.random.default_rng(5)
    for _ in range(10):
        position = rng.integers(-1, 20, 60)
        population.step(position, rng.integers(0, len(population.offsets_h), 60))
    return population


def _answers(population: Population, row: int, action: int) -> tuple[pushes.Answers, Any]:
    """One user's push, drawn anew for 40,000 strangers with that user's traits and state."""
    n_slots = len(population.offsets_h)
    item, slot = divmod(action, n_slots)
    match = population.matches()
    z = population.item_log_odds(match)[row, item] + population.slot_log_odds()[row, slot]
    same = np.full(N_DRAWS, row)
    traits, state = population.traits.take(same), population.state.take(same)
    traits.key = life_keys(99, np.arange(N_DRAWS), episode=row * 1000 + action)
    wide = pushes.answer(
        population.ground.config,
        traits,
        state,
        log_odds=np.full((N_DRAWS, 1), z),
        match=np.full((N_DRAWS, 1), match[row, item]),
    )
    price = population.ground.catalogue.price[population.offer().items[row, item]]
    value = pushes.order_values(
        population.ground.config, traits, state, answers=wide, price=np.full((N_DRAWS, 1), price)
    )
    return wide, value * wide.has_ordered


@pytest.mark.parametrize("hours", [1, 24])
def test_every_kind_of_answer_is_as_frequent_as_the_closed_form_says(
    begin: Begin, hours: int
) -> None:
    """All quantities of many (user, item, hour), in lived states: within 4.5 standard errors."""
    population = _lived(begin, hours=hours)
    reached = np.flatnonzero(population.state.is_alive & population.state.is_reachable)
    means = means_of(population)
    rng = np.random.default_rng(1)
    for row in rng.choice(reached, 6, replace=False):
        action = int(rng.integers(0, 20 * len(population.offsets_h)))
        answers, value = _answers(population, int(row), action)
        drawn = {
            Quantity.CLICK: answers.is_clicked,
            Quantity.SESSION: answers.is_visit,
            Quantity.ORDER: answers.has_ordered,
            Quantity.VALUE: value,
            Quantity.DISMISSAL: answers.is_dismissed,
            Quantity.OPT_OUT: answers.has_opted_out,
            Quantity.UNINSTALL: answers.has_uninstalled,
        }
        for quantity, sample in drawn.items():
            mean = means.caused[row, 1 + action, quantity]
            error = sample.std() / np.sqrt(N_DRAWS)
            assert abs(sample.mean() - mean) < 4.5 * error, (quantity, row, action)
        # Visits that displace: the same share of clicks for a session, an order and its money.
        gone = means.displaced[row, 1 + action, Quantity.SESSION]
        error = answers.has_displaced.std() / np.sqrt(N_DRAWS)
        assert abs(answers.has_displaced.mean() - gone) < 4.5 * error
        delivered = population.traits.p_delivered[row]
        error = np.sqrt(delivered * (1.0 - delivered) / N_DRAWS)
        assert abs(answers.is_delivered.mean() - delivered) < 4.5 * error


def test_answers_exclude_each_other_and_need_delivery(begin: Begin) -> None:
    """A push is clicked, looked at later, dismissed or nothing; none of it undelivered."""
    population = _lived(begin)
    answers, _ = _answers(population, 3, 50)
    several = 1 * answers.is_clicked + answers.is_view_through + answers.is_dismissed
    assert several.max() == 1
    for name in pushes.Answers.__slots__:
        assert not (getattr(answers, name) & ~answers.is_delivered).any(), name
    assert not (answers.has_ordered & ~answers.is_visit).any()
    assert not (answers.has_displaced & ~answers.is_clicked).any()


def _columns(
    begin: Begin, log_odds: NDArray[np.float64], match: NDArray[np.float64]
) -> pushes.Answers:
    """Answers of 5,000 users to the same ladder of odds and fits."""
    population = begin(load("ecommerce", **OFTEN), 5000)
    wide = np.ones((5000, 1))
    return pushes.answer(
        population.ground.config,
        population.traits,
        population.state,
        log_odds=wide * log_odds,
        match=wide * match,
    )


def test_better_odds_never_turn_a_click_or_a_visit_into_none(begin: Begin) -> None:
    """One uniform decides: the ladder of odds is a ladder of clicks, visits and orders."""
    ladder = np.linspace(-6.0, 6.0, 13)
    answers = _columns(begin, ladder, np.zeros(13))
    for name in ("is_clicked", "is_visit", "has_ordered", "has_displaced"):
        flags = getattr(answers, name)
        assert all((higher >= lower).all() for lower, higher in pairwise(flags.T)), name
        assert flags[:, 0].sum() < flags[:, -1].sum(), name
    dismissed = answers.is_dismissed
    assert all((higher <= lower).all() for lower, higher in pairwise(dismissed.T))


def test_a_better_fit_never_makes_a_user_leave(begin: Begin) -> None:
    """Opt-outs and uninstalls fall along a ladder of fits."""
    answers = _columns(begin, np.full(9, -2.0), np.linspace(-4.0, 4.0, 9))
    for name in ("has_opted_out", "has_uninstalled"):
        flags = getattr(answers, name)
        assert all((better <= worse).all() for worse, better in pairwise(flags.T)), name
        assert flags[:, 0].sum() > flags[:, -1].sum(), name


def test_odds_beyond_all_measure_are_still_chances(begin: Begin) -> None:
    """Log-odds of ±80: surely and never, without warnings."""
    answers = _columns(begin, np.array([-80.0, 80.0]), np.zeros(2))
    assert not answers.is_clicked[:, 0].any()
    assert np.array_equal(answers.is_clicked[:, 1], answers.is_delivered[:, 1])


def _told(begin: Begin, hours: int = 24) -> tuple[Any, Population, NDArray[np.int64]]:
    population = begin(load("ecommerce", **OFTEN), 6000, hours=hours)
    slot = np.arange(6000) % len(population.offsets_h)
    before = population.copy()
    told = population.step(np.arange(6000) % 20, slot, ref=np.arange(6000) + 7)
    return told.take(told.is_caused), before, slot


def test_outcomes_of_a_push_carry_its_decision_item_and_user(begin: Begin) -> None:
    """Every caused outcome, whatever its kind."""
    told, before, _ = _told(begin)
    assert np.array_equal(told.ref, told.row + 7)
    items = before.offer().items
    assert np.array_equal(told.item, items[told.row, told.row % 20])


def test_every_push_is_delivered_or_not_and_nothing_else_happens_undelivered(begin: Begin) -> None:
    """One of both for each reachable user; displayed if delivered; a click is a visit."""
    told, before, _ = _told(begin)

    def rows(kind: Kind) -> NDArray[np.int64]:
        return np.sort(told.row[told.kind == kind])

    reachable = np.flatnonzero(before.state.is_reachable)
    delivered, undelivered = rows(Kind.DELIVERED), rows(Kind.UNDELIVERED)
    assert np.array_equal(np.union1d(delivered, undelivered), reachable)
    assert len(np.intersect1d(delivered, undelivered)) == 0
    assert np.array_equal(rows(Kind.DISPLAYED), delivered)
    for kind in Kind:
        if kind != Kind.UNDELIVERED:
            assert np.isin(rows(kind), delivered).all(), kind
            assert len(np.unique(rows(kind))) == len(rows(kind)), kind
    assert np.isin(rows(Kind.CLICKED), rows(Kind.SESSION)).all()
    assert np.isin(rows(Kind.CONVERTED), rows(Kind.SESSION)).all()


def test_nothing_happens_before_the_push_and_orders_come_after_their_visit(begin: Begin) -> None:
    """Delivery at the slot, the answer after it, the order after the answer; leaving within 1 h."""
    told, _, slot = _told(begin)
    sent_min = 60.0 * slot[told.row]
    assert (told.at_min >= sent_min).all()
    at = {kind: told.at_min[told.kind == kind] for kind in Kind}
    of = {kind: told.row[told.kind == kind] for kind in Kind}
    assert np.array_equal(at[Kind.DELIVERED], 60.0 * slot[of[Kind.DELIVERED]])
    visit = np.full(6000, np.inf)
    visit[of[Kind.SESSION]] = at[Kind.SESSION]
    assert (at[Kind.CONVERTED] >= visit[of[Kind.CONVERTED]]).all()
    assert np.array_equal(at[Kind.CLICKED], visit[of[Kind.CLICKED]])
    for kind in (Kind.UNSUBSCRIBED, Kind.UNINSTALLED):
        assert (at[kind] <= 60.0 * slot[of[kind]] + 60.0).all()


def test_a_clicked_item_is_bought_at_about_its_price(begin: Begin) -> None:
    """The mean ratio of value to price is 1 within four standard errors; others are baskets."""
    told, before, _ = _told(begin)
    orders = told.take(told.kind == Kind.CONVERTED)
    clicked = np.isin(orders.row, told.row[told.kind == Kind.CLICKED])
    price = before.ground.catalogue.price[orders.item]
    ratio = (orders.value / price)[clicked]
    assert abs(ratio.mean() - 1.0) < 4.0 * ratio.std() / np.sqrt(len(ratio))
    assert np.log(ratio).std() == pytest.approx(0.57, rel=0.15)


def _delays(begin: Begin, *, local_h: int, n: int = N_DRAWS) -> tuple[Any, NDArray[np.float64]]:
    config = load("ecommerce", clock={"zones": ["UTC"], "zone_shares": [1.0]})
    population = begin(config, n)
    sent_min = np.full(n, 60.0 * local_h)
    calendar = population.ground.calendar
    delay = pushes.click_delay_min(
        config, population.traits, population.state, sent_min, calendar=calendar
    )
    return config, delay


def test_click_delays_have_the_stated_quantiles_where_no_night_is_near(begin: Begin) -> None:
    """32 % ≤ 5 min, 64 % ≤ 1 h, 88 % ≤ 6 h, 97 % ≤ 24 h of pushes at nine in the morning.

    Each within four standard errors of the mixture, and the mixture within a point of the stated.
    """
    config, delay = _delays(begin, local_h=9)
    normal = NormalDist()
    delivery = config.delivery

    def mixture(within_min: float) -> float:
        fast = normal.cdf(np.log(within_min / delivery.fast_median_min) / delivery.fast_sd)
        slow = normal.cdf(np.log(within_min / delivery.slow_median_min) / delivery.slow_sd)
        tail = -np.expm1(-within_min / 60.0 / delivery.tail_mean_h)
        return float(np.dot(delivery.delay_shares, [fast, slow, tail]))

    for within_min, stated in ((5, 0.32), (60, 0.64), (360, 0.88), (1440, 0.97)):
        share = mixture(within_min)
        assert abs(share - stated) < 0.01
        error = np.sqrt(share * (1.0 - share) / len(delay))
        assert abs((delay <= within_min).mean() - share) < 4.0 * error


@pytest.mark.parametrize("local_h", [8, 12, 18, 21])
def test_whenever_sent_half_the_clicks_come_within_the_hour_and_nine_in_ten_in_a_day(
    begin: Begin, local_h: int
) -> None:
    """Nights shift some to the morning."""
    _, delay = _delays(begin, local_h=local_h)
    assert np.median(delay) < 60.0
    assert (delay < 24 * 60.0).mean() > 0.9


def test_who_does_not_answer_at_once_waits_for_the_end_of_the_night(begin: Begin) -> None:
    """From midnight to six only the fast ones click."""
    config, delay = _delays(begin, local_h=22)
    local = (22.0 + delay / 60.0) % 24.0
    in_the_night = local < 6.0
    assert in_the_night.mean() < config.delivery.delay_shares[0] * 0.05
    morning = (local >= 6.0) & (local < 7.0)
    assert morning.mean() > 0.1


def test_who_answers_at_once_is_awake_even_at_night(begin: Begin) -> None:
    """Of pushes at two, the fast ones are answered within the hour and all others after six."""
    config, delay = _delays(begin, local_h=2)
    at_once = (delay < 60.0).mean()
    share = config.delivery.delay_shares[0] * NormalDist().cdf(np.log(60.0 / 2.5) / 1.3)
    assert abs(at_once - share) < 4.0 * np.sqrt(share * (1.0 - share) / len(delay))
    between = (delay >= 60.0) & (delay < 240.0)
    assert between.mean() < 0.01


def test_uninstalling_has_a_hazard_of_its_own_share(begin: Begin) -> None:
    """1 − e^(−.5 h) at a hazard of one, by hand: not half of the chance of opting out."""
    often = load(
        "ecommerce",
        opt_out={"hazard": 1.0, "uninstall_share": 0.5, "frailty_shape": 0.0},
        delivery={"success": 1.0},
    )
    population = begin(often, N_DRAWS)
    zero = np.zeros((N_DRAWS, 1))
    answers = pushes.answer(often, population.traits, population.state, log_odds=zero, match=zero)
    for flags, hazard in ((answers.has_opted_out, 1.0), (answers.has_uninstalled, 0.5)):
        chance = -np.expm1(-hazard)
        assert abs(flags.mean() - chance) < 4.0 * np.sqrt(chance * (1.0 - chance) / N_DRAWS)


def test_a_users_draws_are_the_same_whatever_is_sent(begin: Begin) -> None:
    """Delivery does not depend on the item, nor does availability: outcomes are comonotone."""
    answers = _columns(begin, np.array([-3.0, 3.0]), np.array([-1.0, 1.0]))
    assert np.array_equal(answers.is_delivered[:, 0], answers.is_delivered[:, 1])


def test_step_and_truth_ask_with_the_same_bits(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log-odds of what is sent are those of its column, bit for bit, in a lived state."""
    from bandit.outcomes import UPLIFT
    from simulator.truth import outcome_of
    from simulator.worth import Worth

    asked: list[NDArray[Any]] = []
    real = pushes.answer

    def spy(*args: Any, **kwargs: Any) -> pushes.Answers:
        asked.append(np.asarray(kwargs["log_odds"]))
        return real(*args, **kwargs)

    population = _lived(begin)
    monkeypatch.setattr(pushes, "answer", spy)
    outcome_of(population, Worth(UPLIFT))
    sends = np.flatnonzero(population.state.is_alive & population.state.is_reachable)
    n_slots = len(population.offsets_h)
    position, slot = np.arange(60) % 20, np.arange(60) * 5 % n_slots
    population.step(position, slot)
    every, sent = asked
    assert every.dtype == sent.dtype
    assert np.array_equal(sent[:, 0], every[sends, (position * n_slots + slot)[sends]])


def test_chances_of_the_truth_are_those_the_sampler_draws_from(begin: Begin) -> None:
    """With availability fixed at never or always, both read the same probability."""
    config = load("ecommerce", **OFTEN)
    for share in (0.0, 1.0):
        fixed = replace(config, click=replace(config.click, available_share=share))
        odds = np.exp(np.linspace(-5, 5, 21))
        found = response.chances(fixed, odds, p_delivered=np.ones(21), displaced=np.zeros(21))
        shifted = odds * (config.click.available_gain if share else 1.0)
        assert np.allclose(found.click, shifted / (1.0 + shifted), rtol=1e-12)
