"""Prices around policies: exact pmfs, budgets kept, and prices that a linear program confirms."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import linprog

from bandit.decide import Stamp, decide, decision_ids
from bandit.errors import BadInputError
from bandit.floor import NO_FLOOR, Floor, check_pmf
from policies.baselines.click_greedy import ClickGreedy
from policies.baselines.fixed import NeverSend, RandomEligible
from policies.budgets.budget import Budget, PriceParams, thinned
from policies.budgets.limits import Limit
from policies.budgets.price_report import price_lines, price_report
from policies.conformance import answers, learning, replays
from policies.conformance.case import Case
from policies.conformance.rows import feedback_of, request_of
from policies.conformance.suite import Law
from policies.conformance.world import HITS
from policies.explored import Explored
from policies.explorers.greedy import Greedy
from policies.explorers.softmax import Softmax
from policies.explorers.thompson import Thompson
from policies.models.linear import LinearModel
from policies.registry import DEFAULT, build, defaults, entry
from policies.shape import PolicyShape

SHAPE = PolicyShape(
    n_context=3, n_item_features=4, n_slot_features=3, n_users=7, n_items=5, n_slots=4
)
DEAR = (Limit(name="sends", amount=3.0, price=0.2), Limit(name="a", amount=1.0, items=(1,)))


def test_at_a_price_of_zero_it_is_the_inner_policy_to_the_bit() -> None:
    inner = Explored(LinearModel(SHAPE, HITS), Thompson())
    inner.update(feedback_of(SHAPE, 50))
    free = Budget(inner, [Limit(name="sends", amount=1e9)], n_users=7)
    asked = request_of(SHAPE, 40)
    assert free.pmf(asked, 3).tobytes() == inner.pmf(asked, 3).tobytes()
    assert free.estimate(asked).uplift_mean.tobytes() == inner.estimate(asked).uplift_mean.tobytes()


def test_a_priced_sampler_is_the_share_of_draws_that_are_best_at_their_price() -> None:
    """Row by row, draw by draw, in a loop that shares nothing with it."""
    inner = Explored(LinearModel(SHAPE, HITS), Thompson(n_draws=64))
    inner.update(feedback_of(SHAPE, 50))
    limits = (DEAR[0], Limit(name="a", amount=1.0, items=(1, 2), price=0.35))
    budget = Budget(inner, limits, n_users=7)
    mask = np.random.default_rng(1).random((20, 21)) < 0.7
    mask[:, 0] = True
    asked = request_of(SHAPE, 20, mask=mask)
    wanted = np.zeros((20, 21))
    ((_, drawn),) = inner.model.draws(asked, 3, n_draws=64, scale=1.0)
    for row in range(20):
        price = [0.0]
        for item in asked.items[row]:
            price += [0.2 + (0.35 if item in (1, 2) else 0.0)] * 4
        for draw in drawn[row]:
            left = np.where(mask[row], draw - price, -np.inf)
            wanted[row, left.argmax()] += 1 / 64
    got = budget.pmf(asked, 3)
    check_pmf(got, mask)
    np.testing.assert_allclose(got, wanted, atol=1e-12)
    assert (got[:, 0] > inner.pmf(asked, 3)[:, 0]).any()


def test_a_priced_softmax_is_the_softmax_of_what_is_left(known: Any, desk: Any) -> None:
    table = np.array([[0.0, 0.5, 0.1], [0.0, 0.2, 0.3]])
    budget = Budget(Explored(known(table), Softmax(inverse_temperature=10.0)), DEAR, n_users=1)
    left = (table - [0.0, 0.2, 0.2]) / 0.1
    wanted = np.exp(left) / np.exp(left).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(budget.pmf(desk.request(2), 1), wanted)


@pytest.mark.parametrize("inner", [RandomEligible(SHAPE, HITS), NeverSend(SHAPE, HITS)])
def test_what_has_no_belief_is_thinned(inner: Any) -> None:
    """A send is kept with probability exp(−price / worth): at .2 and .2, e⁻¹."""
    budget = Budget(inner, DEAR, n_users=7, params=PriceParams(worth=0.2))
    assert budget.is_thinned
    asked = request_of(SHAPE, 6)
    even = inner.pmf(asked, 1)
    got = budget.pmf(asked, 1)
    np.testing.assert_allclose(got[:, 1:], even[:, 1:] * np.exp(-1.0))
    np.testing.assert_allclose(got.sum(axis=1), 1.0)


def test_where_holding_is_masked_sends_keep_their_proportions() -> None:
    mask = np.array([[False, True, True], [True, True, True]])
    pmf = np.array([[0.0, 0.5, 0.5], [0.0, 0.5, 0.5]])
    got = thinned(pmf, mask, kept=np.array([[1.0, 0.2, 0.6]] * 2))
    np.testing.assert_allclose(got, [[0.0, 0.25, 0.75], [0.6, 0.1, 0.3]])


def test_explorers_that_read_no_values_are_thinned() -> None:
    model = LinearModel(SHAPE, HITS)
    assert Budget(Explored(model, ClickGreedy()), DEAR, n_users=7).is_thinned
    assert not Budget(Explored(model, Greedy()), DEAR, n_users=7).is_thinned


def _walk(
    budget: Budget, desk: Any, table: np.ndarray, *, n_days: int, floor: Floor
) -> list[float]:
    """Everybody once a day; the value of each day's pmf."""
    worth = []
    n, k = len(table), table.shape[1] - 1
    for day in range(n_days):
        asked = desk.request(n, k=k, day=day)
        done = decide(
            budget.pmf(asked, day),
            asked,
            key=1,
            stamp=Stamp(policy="budget", state_seq=day, floor=floor),
            decision_id=decision_ids(asked.at_ms),
        )
        budget.update(desk.feedback(done))
        worth.append(float((done.pmf * table).sum()))
    return worth


def test_prices_are_those_of_the_linear_program(known: Any, desk: Any) -> None:
    """300 users, one send each a day: 90 sends, of which 20 of item 0; HiGHS prices both.

    The mean price over the last 200 of 300 days is within a step of the program's, use within 2 %
    of the budgets, and at least 97 % of the program's value is had.
    """
    rng = np.random.default_rng(7)
    table = np.concatenate([np.zeros((300, 1)), rng.gamma(2.0, 0.05, (300, 2))], axis=1)
    table[:, 1] += 0.1
    worth = table[:, 1:].ravel()
    one_each = np.kron(np.eye(300), np.ones((1, 2)))
    of_item_0 = np.tile([1.0, 0.0], 300)[None]
    solved = linprog(
        -worth,
        A_ub=np.concatenate([one_each, np.ones((1, 600)), of_item_0]),
        b_ub=np.concatenate([np.ones(300), [90.0, 20.0]]),
        method="highs",
    )
    prices = -solved.ineqlin.marginals[-2:]
    assert (prices > 0.01).all()
    limits = (
        Limit(name="sends", amount=90.0, per="day"),
        Limit(name="spring", amount=20.0, per="day", items=(0,)),
    )
    params = PriceParams(worth=0.1, pace=0.03, growth=0.0)
    budget = Budget(Explored(known(table), Greedy()), limits, n_users=300, params=params)
    value = _walk(budget, desk, table, n_days=300, floor=NO_FLOOR)
    ledger = budget.ledger
    np.testing.assert_allclose(ledger.prices[-200:].mean(axis=0), prices, atol=ledger.step)
    np.testing.assert_allclose(ledger.use[-200:].mean(axis=0), [90.0, 20.0], rtol=0.02)
    assert np.mean(value[-200:]) >= 0.97 * -solved.fun


def test_the_budget_is_kept_and_a_slack_one_is_free(known: Any, desk: Any) -> None:
    """With the floor's own sends counted: 3 of 7 a user-week; campaigns with room cost nothing."""
    rng = np.random.default_rng(8)
    table = np.concatenate([np.zeros((210, 1)), rng.gamma(2.0, 0.05, (210, 2))], axis=1)
    limits = (
        Limit(name="sends", amount=3.0),
        Limit(name="roomy", amount=211.0, per="day", items=(0,)),
    )
    params = PriceParams(worth=0.1, pace=0.1, growth=0.0)
    budget = Budget(Explored(known(table), Greedy()), limits, n_users=210, params=params)
    _walk(budget, desk, table, n_days=120, floor=Floor())
    sends, roomy = price_report(budget)
    assert sends.excess <= sends.excess_bound + 1e-9
    assert sends.excess_bound == pytest.approx(sends.price_a_send / budget.ledger.step)
    assert budget.ledger.use[60:-1, 0].mean() == pytest.approx(90.0, rel=0.03)
    assert sends.price_a_send > 0
    assert (roomy.price_a_send, roomy.periods_priced) == (0.0, 0)


def test_prices_far_from_what_was_expected_are_found(known: Any, desk: Any) -> None:
    """Sends are worth forty times what the parameters say: 90 of 210 a day after three weeks."""
    rng = np.random.default_rng(8)
    table = np.concatenate([np.zeros((210, 1)), rng.gamma(2.0, 0.2, (210, 2))], axis=1)
    limits = [Limit(name="sends", amount=3.0)]
    budget = Budget(Explored(known(table), Greedy()), limits, n_users=210)
    _walk(budget, desk, table, n_days=120, floor=Floor())
    assert budget.ledger.use[21:-1, 0].mean() == pytest.approx(90.0, rel=0.1)
    assert budget.ledger.use[60:-1, 0].mean() == pytest.approx(90.0, rel=0.03)
    (row,) = price_report(budget)
    assert row.excess <= row.excess_bound + 1e-9


def test_random_sends_are_thinned_to_the_budget(desk: Any) -> None:
    """Two thirds of decisions send; 2 sends a user-week are left of 4.67."""
    shape = PolicyShape(
        n_context=1, n_item_features=1, n_slot_features=1, n_users=210, n_items=2, n_slots=1
    )
    inner = RandomEligible(shape, HITS)
    budget = Budget(inner, [Limit(name="sends", amount=2.0)], n_users=210)
    _walk(budget, desk, np.zeros((210, 3)), n_days=100, floor=NO_FLOOR)
    assert price_report(budget)[0].last == pytest.approx(60.0, rel=0.01)


def test_a_rate_limit_moves_sends_to_other_hours(known: Any, desk: Any) -> None:
    """Everybody's best hour is ten; a provider passes on forty an hour, so three hours are used."""
    rng = np.random.default_rng(9)
    table = np.concatenate(
        [np.zeros((100, 1)), 0.3 - 0.05 * np.arange(3) + 0.02 * rng.random((100, 3))], axis=1
    )
    limit = Limit(name="mail", amount=40.0, per="hour", each_hour=True)
    params = PriceParams(worth=0.1, pace=0.05)
    budget = Budget(Explored(known(table), Greedy()), [limit], n_users=100, params=params)
    for day in range(300):
        asked = desk.request(100, k=1, s=3, day=day, hour=10)
        done = decide(
            budget.pmf(asked, day),
            asked,
            key=1,
            stamp=Stamp(policy="budget", state_seq=day, floor=NO_FLOOR),
            decision_id=decision_ids(asked.at_ms),
        )
        budget.update(desk.feedback(done))
    used = budget.ledger.use[-200:-1].mean(axis=0)
    np.testing.assert_allclose(used[10:12], 40.0, rtol=0.05)
    assert used[12] == pytest.approx(20.0, abs=4.0)
    price = budget.ledger.in_force
    assert price[10] > price[11] > 0
    assert not np.delete(price, [10, 11]).any()
    assert "mail 10h" in "\n".join(price_lines(budget))


def test_the_report_says_what_one_more_would_be_worth() -> None:
    limit = Limit(name="spring", amount=700.0, per="week", cost=0.5, price=0.02)
    (row,) = price_report(Budget(RandomEligible(SHAPE, HITS), [limit], n_users=7))
    assert (row.price_a_send, row.price_a_unit, row.budget) == (0.02, 0.04, pytest.approx(200.0))
    assert (row.periods, row.used, row.last) == (0, 0.0, 0.0)


def test_it_comes_by_id_around_any_policy_with_options_of_toml() -> None:
    assert defaults("budget")["policy"] == DEFAULT
    options = {
        "policy": "lints",
        "options": {"explorer": {"n_draws": 8}},
        "limits": {"week": {"amount": 2.0}, "spring": {"amount": 5.0, "per": "day", "items": [1]}},
        "params": {"worth": 0.02},
    }
    budget = build("budget", SHAPE, scheme=HITS, options=options)
    assert isinstance(budget, Budget)
    assert budget.inner.explorer.n_draws == 8
    assert [limit.name for limit in budget.ledger.limits] == ["week", "spring"]
    with pytest.raises(BadInputError, match="a budget inside a budget"):
        build("budget", SHAPE, scheme=HITS, options={"policy": "budget"})
    with pytest.raises(BadInputError, match="finite worth"):
        build("budget", SHAPE, scheme=HITS, options={"params": {"worth": 0.0}})


_LAWS = (*answers.LAWS, *learning.LAWS[2:], *replays.LAWS)


@pytest.mark.parametrize("inner", ["lints", "squarecb_elim", "user_beta", "recovering_softmax"])
@pytest.mark.parametrize("law", _LAWS, ids=lambda law: law.__name__)
def test_the_laws_hold_at_prices_that_bite(inner: str, law: Law) -> None:
    """Of any send, of one item and of an hour; whatever is inside."""
    limits = {
        "week": {"amount": 1.0, "price": 0.05},
        "spring": {"amount": 1.0, "per": "day", "items": [1], "price": 0.02},
        "mail": {"amount": 1.0, "per": "hour", "each_hour": True},
    }
    options = {"policy": inner, "limits": limits, "params": {"worth": 0.1}}
    law(Case(entry=entry("budget"), options=options))


def test_what_the_inner_policy_has_is_reached_through_it() -> None:
    inner = build("best_hour", SHAPE, scheme=HITS)
    budget = Budget(inner, DEAR, n_users=7)
    assert budget.counts is inner.counts
    with pytest.raises(AttributeError):
        _ = budget.nothing_of_that_name
