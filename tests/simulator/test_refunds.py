from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bandit.classic import classic_table
from bandit.decide import Decisions
from bandit.errors import BadInputError
from bandit.events import ACTIONS, histories_of
from bandit.join import Emission, Joiner
from bandit.outcomes import UPLIFT, Kind, uplift_scheme
from bandit.slots import DAY_MS
from simulator.config import load
from simulator.face import Face
from simulator.happened import Happened
from simulator.kernel import Population
from simulator.lives import Lives
from simulator.tiny_dp import tiny_problem
from simulator.truth import mean_reward, means_of, outcome_of
from simulator.world import World
from simulator.worth import Worth
from tests.simulator.conftest import Begin

Make = Callable[..., World]
Choose = Callable[..., Decisions]
Float = NDArray[np.float64]

SHARE, MEAN_DAYS = 0.4, 0.5
NET = uplift_scheme(mean_order_value=40.0)
SHOP: dict[str, dict[str, Any]] = {
    "clock": {"n_candidates": 3, "slot_hours": 6},
    "items": {"n_items": 30, "price_sd": 0.3},
    "activity": {"sessions_per_day": 2.0, "spread": 0.4, "churn_per_day": 0.0},
    "click": {"rate": 0.3},
    "orders": {
        "per_click": 0.5,
        "per_session": 0.3,
        "value_sd": 0.3,
        "refund_share": SHARE,
        "refund_mean_days": MEAN_DAYS,
    },
}
WITHOUT = {**SHOP, "orders": {**SHOP["orders"], "refund_share": 0.0}}


def lived(population: Population, n_steps: int) -> list[Happened]:
    """What each step decides, of sends at random."""
    rng, n = np.random.default_rng(0), population.n_users
    return [
        population.step(rng.integers(-1, 3, n), rng.integers(0, len(population.offsets_h), n))
        for _ in range(n_steps)
    ]


def of_kind(told: Happened, kind: Kind) -> Happened:
    return told.take(told.kind == kind)


@pytest.mark.parametrize("hours", [1, 24])
def test_refunds_leave_all_else_as_it_is(begin: Begin, hours: int) -> None:
    """A stream of their own: without them every life goes the same way to the last bit."""
    given, kept = (begin("ecommerce", 200, hours=hours, **shop) for shop in (SHOP, WITHOUT))
    n_back = 0
    for told, other in zip(lived(given, 20), lived(kept, 20), strict=True):
        is_refund = told.kind == Kind.REFUNDED
        n_back += np.count_nonzero(is_refund)
        for name in Happened.__slots__:
            np.testing.assert_array_equal(
                getattr(told.take(~is_refund), name), getattr(other, name)
            )
    for name, column in given.state.columns():
        np.testing.assert_array_equal(column, getattr(kept.state, name), err_msg=name)
    assert n_back > 50


def test_a_refund_gives_a_whole_order_back_and_comes_after_it(begin: Begin) -> None:
    """As often and as late as configured, within four standard errors."""
    whole, delays = 0, []
    for told in lived(begin("ecommerce", 1000, **SHOP), 10):
        orders, refunds = of_kind(told, Kind.CONVERTED), of_kind(told, Kind.REFUNDED)
        whole += orders.n_rows
        keys = list(zip(orders.row.tolist(), orders.value.tolist(), strict=True))
        found = dict(zip(keys, range(len(keys)), strict=True))  # money tells a user's orders apart
        assert len(found) == len(keys)
        pairs = zip(refunds.row.tolist(), refunds.value.tolist(), strict=True)
        of = np.array([found[pair] for pair in pairs], np.int64)
        assert len(np.unique(of)) == len(of)
        for name in ("item", "ref", "is_caused"):
            np.testing.assert_array_equal(getattr(refunds, name), getattr(orders, name)[of])
        delays += (refunds.at_min - orders.at_min[of]).tolist()
    assert abs(len(delays) / whole - SHARE) < 4.0 * np.sqrt(SHARE * (1.0 - SHARE) / whole)
    days = np.array(delays) / (24.0 * 60.0)
    assert (days > 0.0).all()
    assert abs(days.mean() - MEAN_DAYS) < 4.0 * MEAN_DAYS / np.sqrt(len(days))
    assert len(days) > 1000


@pytest.mark.parametrize("hours", [1, 24])
def test_money_net_of_refunds_has_the_mean_that_the_truth_states(begin: Begin, hours: int) -> None:
    """Over 60 futures of 100 users, every action, within 4.5 standard errors."""
    population = begin("ecommerce", 100, hours=hours, **SHOP)
    lived(population, 6)
    worth, futures = Worth(NET, SHARE), 60
    outcome = outcome_of(population.futures(np.arange(futures)), worth).reshape(futures, 100, -1)
    means = means_of(population)
    expected = (means.base[:, None, :] + means.caused) @ worth.of_quantity
    error = np.sqrt(outcome.var(axis=0, ddof=1).sum(axis=0) / futures) / 100
    assert (np.abs(outcome.mean(axis=(0, 1)) - expected.mean(axis=0)) < 4.5 * error).all()
    gross = (means.base[:, None, :] + means.caused) @ Worth(NET).of_quantity
    assert (gross.mean(axis=0) - expected.mean(axis=0) > 4.5 * error).all()  # the test can tell
    apart = (means.base[:, None, :] + means.uplift) @ worth.of_quantity
    np.testing.assert_allclose(mean_reward(population, worth), apart, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("hours", [1, 24])
def test_an_outcome_net_of_refunds_is_what_its_action_pays(begin: Begin, hours: int) -> None:
    population = begin("ecommerce", 300, hours=hours, **SHOP)
    lived(population, 5)
    worth, n_slots = Worth(NET, SHARE), len(population.offsets_h)
    outcome, n_back = outcome_of(population, worth), 0
    for action in range(outcome.shape[1]):
        item, slot = divmod(action - 1, n_slots) if action else (-1, 0)
        told = population.copy().step(np.full(300, item), np.full(300, slot))
        paid = np.bincount(told.row, weights=worth.of_outcomes(told), minlength=300)
        np.testing.assert_allclose(
            paid + worth.of_send * (action > 0), outcome[:, action], rtol=0, atol=1e-12
        )
        n_back += of_kind(told, Kind.REFUNDED).is_caused.sum()
    assert n_back > 0


def test_the_truth_of_another_share_is_refused_where_refunds_count(begin: Begin) -> None:
    population = begin("ecommerce", 3, **SHOP)
    with pytest.raises(BadInputError, match=r"0\.4 are given back, got 0\.0: make it with"):
        mean_reward(population, Worth(NET))
    with pytest.raises(BadInputError, match="refund_share"):
        tiny_problem(load("tiny", orders={"refund_share": 0.1}), Worth(NET))
    assert mean_reward(population, Worth(UPLIFT)).shape[0] == 3  # counts orders, given back or not


def test_a_gym_pays_what_is_left_of_its_orders() -> None:
    """Over whole lives whose rest is paid: what was ordered less what was given back."""
    face = Face(clock="daily", changes=SHOP, horizon_days=8, scheme="uplift_value")
    ground = face.ground()
    scheme = face.reward_scheme(ground.config)
    money = next(c.weight for c in scheme.components if c.measure == "value")
    lives = Lives.begin(face, ground, np.arange(200, dtype=np.uint64), worth=Worth(scheme, SHARE))
    no = np.zeros(200, np.bool_)
    paid, worth, value = np.zeros(200), np.zeros(200), 0.0
    for _ in range(8):
        passed = lives.step(np.full(200, -1), np.zeros(200, np.int64), is_idle=no)
        paid += passed.reward
        told = passed.decided
        sign = 1.0 * (told.kind == Kind.CONVERTED) - 1.0 * (told.kind == Kind.REFUNDED)
        worth += np.bincount(told.row, weights=sign * told.value * money, minlength=200)
        worth += np.bincount(told.row, weights=0.05 * (told.kind == Kind.SESSION), minlength=200)
        worth -= np.bincount(
            told.row, weights=10.0 * (told.kind == Kind.UNINSTALLED), minlength=200
        )
        value += of_kind(told, Kind.REFUNDED).value.sum()
    np.testing.assert_allclose(paid, worth, atol=1e-9)
    assert value > 0.0


def test_a_join_credits_what_is_left_inside_the_interval(make_world: Make, choose: Choose) -> None:
    """Late, twice and in disorder: a refund counts by its own time, for sends and holds alike."""
    noisy = {"emission": {"late_share": 0.5, "duplicate_share": 0.3}}
    world = make_world("ecommerce", 400, 5, sections={**SHOP, **noisy})
    twin = make_world("ecommerce", 400, 5, sections=SHOP).population
    hold, action = np.full(400, -1), np.arange(400) % 13
    told = []
    for day in range(33):
        if day == 3:
            decisions = choose(world, action)
            told.append(twin.step((action - 1) // 4, np.maximum(action - 1, 0) % 4))
            continue
        world.rest()
        told.append(twin.step(hold, np.zeros_like(hold)))
    join = Joiner(NET, emission=Emission.WHEN_FINAL)
    join.add(decisions)
    join.receive(world.arrived())
    fresh, _ = join.advance(world.now_ms)
    expected, first_ms = np.zeros(400), 3 * DAY_MS
    for part in told:
        at_ms = np.rint(part.at_min * 6e4)
        inside = (at_ms >= first_ms) & (at_ms < first_ms + 2 * DAY_MS)
        sign = 1.0 * (part.kind == Kind.CONVERTED) - 1.0 * (part.kind == Kind.REFUNDED)
        expected += np.bincount(part.row, weights=sign * part.value * inside, minlength=400)
    column = [c.name for c in NET.components].index("conversion")
    order = np.argsort(fresh.user)
    np.testing.assert_allclose(fresh.components[order, column], expected, rtol=1e-9, atol=1e-9)
    assert join.counts.duplicates > 0
    assert (expected < 0.0).any()  # refunds of orders before the interval


def test_a_refund_carries_the_decision_of_its_order_and_no_correction(
    make_world: Make, choose: Choose
) -> None:
    world = make_world("ecommerce", 300, 7, sections=SHOP, by_device=True)
    choose(world, 2)
    for _ in range(20):
        world.rest()
    told = world.arrived()
    back = told.kind == Kind.REFUNDED
    assert (told.decision_id[back] >= 0).sum() > 5
    assert (told.decision_id[back] == -1).sum() > 5
    assert set(told.decision_id[back]) <= set(told.decision_id[told.kind == Kind.CONVERTED])
    assert (told.corrects == -1).all()
    assert np.isin(told.user[back], world.users).all()  # an account's, not a device's


def test_a_history_shows_refunds_with_their_amounts(make_world: Make, choose: Choose) -> None:
    """The classic features take them off what was spent."""
    world = make_world("ecommerce", 200, 8, sections=SHOP, events=True)
    for day in range(6):
        choose(world, 1 + day % 3, first=1000 * day)
    events = world.events()
    bought, back = (events.action == ACTIONS.index(name) for name in ("purchase", "refund"))
    assert back.sum() > 20
    assert np.isin(events.amount[back], events.amount[bought]).all()
    now = np.full((len(world.users), 1), world.now_ms)
    table = classic_table(histories_of(events, world.users), now)
    signed = np.where(bought, 1.0, -1.0 * back) * np.nan_to_num(events.amount)
    spent = np.bincount(events.user, weights=signed, minlength=len(world.users))
    np.testing.assert_allclose(np.asarray(table["spent_total"]), spent, atol=1e-9)
