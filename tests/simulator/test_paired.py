from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bandit.errors import BadInputError
from bandit.outcomes import UPLIFT, Kind, uplift_scheme
from simulator.config import load
from simulator.kernel import Population
from simulator.paired import Choice, advantage, always_hold, choice_of, returns_of
from simulator.truth import means_of, outcome_of
from simulator.worth import Worth
from tests.simulator.conftest import Begin

NO_CARRY_OVER: dict[str, dict[str, Any]] = {
    "activity": {"excitation": 0.0, "churn_per_day": 0.0, "sessions_per_day": 1.0, "spread": 0.5},
    "click": {"rate": 0.3, "template_penalty": 0.0, "item_penalty": 0.0},
    "fatigue": {"slope": 0.0, "habituation_floor": 1.0},
    "opt_out": {"hazard": 0.0, "opt_in_share": 1.0},
    "orders": {"per_click": 0.2, "per_session": 0.1},
    "taste": {"substitutes": 1.0, "complements": 1.0, "drift_share": 0.0},
}
NOON = 12


def _every_day(population: Population) -> Choice:
    n = population.n_users
    return np.zeros(n, np.int64), np.full(n, NOON)


@pytest.mark.parametrize("scheme", [UPLIFT, uplift_scheme(mean_order_value=60.0)])
def test_without_carry_over_it_is_the_uplift_of_level_one(begin: Begin, scheme: Any) -> None:
    """Displacement included, over three weeks; within four standard errors."""
    population, worth = begin(load("ecommerce", **NO_CARRY_OVER), 250), Worth(scheme)
    found = advantage(population, 1 + NOON, always_hold, horizon=21, worth=worth, n_futures=24)
    uplift = means_of(population).uplift[:, 1 + NOON] @ worth.of_quantity
    assert found.standard_error < 0.15 * uplift.mean()
    assert abs(found.mean - uplift.mean()) < 4.0 * found.standard_error
    assert np.corrcoef(found.by_user, uplift)[0, 1] > 0.3


def test_displacement_is_a_part_of_it(begin: Begin) -> None:
    """Where no visit displaces another, what is caused is all there is, and more."""
    nothing = {**NO_CARRY_OVER, "orders": {"cannibalised": 0.0, "recent_share": 1.0}}
    worth = Worth(UPLIFT)
    free = begin(load("ecommerce", **nothing), 200)
    bound = begin(load("ecommerce", **{**nothing, "orders": {"cannibalised": 1.0}}), 200)
    gains = [
        advantage(p, 1 + NOON, always_hold, horizon=21, worth=worth, n_futures=8)
        for p in (free, bound)
    ]
    assert gains[0].mean > gains[1].mean + 2.0 * gains[0].standard_error


def test_with_fatigue_a_push_is_worth_less_to_a_frequent_sender(begin: Begin) -> None:
    """It takes clicks from the pushes that follow: below the same push before silence.

    Both under the same futures, so the difference is paired too.
    """
    tiring = {**NO_CARRY_OVER, "fatigue": {"slope": 0.8, "habituation_floor": 1.0, "per_push": 2.0}}
    population, worth = begin(load("ecommerce", **tiring), 300), Worth(UPLIFT)
    alone, among = (
        advantage(population, 1 + NOON, policy, horizon=8, worth=worth, n_futures=16)
        for policy in (always_hold, _every_day)
    )
    lost = (alone.of_future - among.of_future).mean(axis=1)
    assert lost.mean() > 4.0 * lost.std(ddof=1) / np.sqrt(len(lost))


def test_without_fatigue_the_policy_after_does_not_matter(begin: Begin) -> None:
    """With all carry-over off the futures differ by the first push alone, whoever acts after it.

    Displacement is left out: a later push's visit may take what the first one's would have.
    """
    still = {**NO_CARRY_OVER, "orders": {"cannibalised": 0.0, "recent_share": 1.0}}
    population, worth = begin(load("ecommerce", **still), 60), Worth(UPLIFT)
    alone, among = (
        advantage(population, 1 + NOON, policy, horizon=6, worth=worth, n_futures=4)
        for policy in (always_hold, _every_day)
    )
    assert np.allclose(alone.of_future, among.of_future, atol=1e-9)


def test_an_action_has_no_advantage_over_itself(begin: Begin) -> None:
    """Common random numbers: the same first step, the same life, exactly."""
    population, worth = begin("ecommerce", 50), Worth(UPLIFT)
    action = np.arange(50) % 481
    found = advantage(
        population, action, _every_day, horizon=5, worth=worth, instead_of=action, n_futures=3
    )
    assert not found.of_future.any()
    assert found.standard_error == 0.0


def test_one_step_of_the_real_future_is_level_two(begin: Begin) -> None:
    """Horizon 1 with the life's own numbers pays what outcome_of says."""
    population, worth = begin("ecommerce", 60), Worth(UPLIFT)
    for _ in range(3):
        population.step(*_every_day(population))
    outcome = outcome_of(population, worth)
    for action in (0, 1, 77, 480):
        first = choice_of(population, action)
        paid = returns_of(population.copy(), always_hold, horizon=1, worth=worth, first=first)
        assert np.allclose(paid, outcome[:, action], atol=1e-12)


def test_the_population_is_left_as_it_was(begin: Begin) -> None:
    """Rollouts are lived by copies."""
    population = begin("ecommerce", 20)
    before = population.state.copy()
    advantage(population, 1, _every_day, horizon=3, worth=Worth(UPLIFT), n_futures=2)
    for name, column in population.state.columns():
        assert np.array_equal(column, getattr(before, name)), name


def test_other_futures_befall_the_same_people_with_the_same_offers(begin: Begin) -> None:
    """Traits, ties, slates and wants stay; what comes of itself is drawn apart in each."""
    real = begin(load("identity", click={"tie_gain": 1.0}), 400)
    other = real.futures(np.array([0, 1]))
    rows = np.tile(np.arange(400), 2)
    for name, column in other.traits.columns():
        if name != "key":
            assert np.array_equal(column, getattr(real.traits, name)[rows]), name
    odds = real.item_log_odds(real.matches())
    assert np.array_equal(other.item_log_odds(other.matches()), odds[rows])
    for _ in range(4):
        assert np.array_equal(other.offer().items, real.offer().items[rows])
        told = [p.step(*_every_day_tiny(p)) for p in (real, other)]
    sessions = [t.row[(t.kind == Kind.SESSION) & ~t.is_caused] for t in told]
    happened = [sessions[0], sessions[1][sessions[1] < 400], sessions[1][sessions[1] >= 400] - 400]
    counts = np.stack([np.bincount(rows, minlength=400) for rows in happened])
    between = np.corrcoef(counts) - np.eye(3)
    assert np.abs(between).max() < 4.0 / np.sqrt(400)


def test_futures_do_not_depend_on_how_many_are_asked_for(begin: Begin) -> None:
    """Three futures are the first three of five."""
    population, worth = begin("ecommerce", 20), Worth(UPLIFT)
    three, five = (
        advantage(population, 1 + NOON, _every_day, horizon=4, worth=worth, n_futures=n)
        for n in (3, 5)
    )
    assert np.array_equal(three.of_future, five.of_future[:3])


def _every_day_tiny(population: Population) -> Choice:
    return np.zeros(population.n_users, np.int64), np.zeros(population.n_users, np.int64)


@pytest.mark.parametrize("action", [-1, 481, 1.5, np.arange(3) * 400])
def test_actions_that_there_are_not_are_refused(begin: Begin, action: Any) -> None:
    """With how many there are."""
    population = begin("ecommerce", 3)
    with pytest.raises(BadInputError, match="480"):
        advantage(population, action, always_hold, horizon=2, worth=Worth(UPLIFT))


@pytest.mark.parametrize(("n_futures", "horizon"), [(1, 5), (4, 0)])
def test_one_future_or_no_step_is_refused(begin: Begin, n_futures: int, horizon: int) -> None:
    """One future has no standard error."""
    with pytest.raises(BadInputError, match="futures"):
        advantage(
            begin("ecommerce", 3),
            1,
            always_hold,
            horizon=horizon,
            worth=Worth(UPLIFT),
            n_futures=n_futures,
        )
