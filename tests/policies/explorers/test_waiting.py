from __future__ import annotations

import numpy as np
import pytest

from bandit.actions import Request
from bandit.errors import BadInputError
from bandit.slots import HOUR_MS
from policies.baselines.click_greedy import ClickGreedy
from policies.budgets.budget import Budget
from policies.budgets.limits import Limit
from policies.conformance.rows import feedback_of, request_of
from policies.conformance.world import HITS
from policies.exploration.waiting import wait_values
from policies.explored import Explored
from policies.explorers.greedy import Greedy
from policies.explorers.thompson import Thompson
from policies.explorers.waiting import Waiting
from policies.models.linear import LinearModel
from policies.registry import build
from policies.shape import PolicyShape

SHAPE = PolicyShape(
    n_context=3, n_item_features=4, n_slot_features=3, n_users=7, n_items=5, n_slots=4
)


def taught(explorer: object) -> Explored:
    policy = Explored(LinearModel(SHAPE, HITS), explorer)  # type: ignore[arg-type]
    policy.update(feedback_of(SHAPE, 50))
    return policy


def asked_now(n: int = 200, scale: float = 0.2) -> Request:
    return request_of(SHAPE, n, scale=scale)


def test_without_news_a_greedy_choice_is_what_it_was() -> None:
    """Planning the best slot is as good as waiting for it, and costs nothing."""
    asked = asked_now()
    patient = taught(Waiting(explorer=Greedy(), news_sd=0.0, cost=1e-6))
    np.testing.assert_array_equal(patient.pmf(asked, 1), taught(Greedy()).pmf(asked, 1))


def test_it_holds_exactly_where_deciding_again_is_worth_more_than_any_send() -> None:
    waiting = Waiting(explorer=Greedy(), news_sd=0.3, cost=0.001)
    policy, asked = taught(waiting), asked_now()
    values = waiting.weigh(policy.model, asked)
    holds = policy.pmf(asked, 1)[:, 0] == 1.0
    np.testing.assert_array_equal(holds, np.maximum(values.again, 0.0) > values.best)
    eager = taught(Greedy()).pmf(asked, 1)[:, 0] == 1.0
    assert 0.1 < holds.mean() < 0.9
    assert holds[eager].all()
    assert holds.sum() > eager.sum()


def test_samplers_have_every_draw_beat_waiting() -> None:
    """As a share of draws, in a loop of its own."""
    waiting = Waiting(explorer=Thompson(n_draws=64), news_sd=0.3)
    policy, asked = taught(waiting), asked_now(20)
    again = np.maximum(waiting.weigh(policy.model, asked).again, 0.0)
    wanted = np.zeros((20, 21))
    for rows, drawn in policy.model.draws(asked, 3, n_draws=64, scale=1.0):
        for row, draws in zip(np.arange(20)[rows], drawn, strict=True):
            for draw in draws:
                wanted[row, (draw - np.r_[0.0, np.full(20, again[row])]).argmax()] += 1 / 64
    np.testing.assert_allclose(policy.pmf(asked, 3), wanted, atol=1e-12)


def test_the_time_to_decide_again_is_the_start_of_a_slot_to_come() -> None:
    policy = taught(Waiting(explorer=Greedy(), news_sd=0.3))
    asked = asked_now()
    wakes = policy.wake_up_ms(asked)
    is_waiting = wakes >= 0
    assert is_waiting.all()
    assert (asked.grid.start_ms[:, 1:] == wakes[:, None]).any(axis=1).all()
    assert (wakes > asked.at_ms).all()
    nothing = taught(Waiting(explorer=Greedy(), news_sd=0.3, cost=10.0)).wake_up_ms(asked)
    np.testing.assert_array_equal(nothing, -1)
    np.testing.assert_array_equal(taught(Greedy()).wake_up_ms(asked), -1)


def test_in_a_world_with_news_waiting_gains_what_it_said() -> None:
    """20,000 users, worth −.1 … .1 in the mean; in a day everybody's true worth is seen.

    Sending at once what pays in the mean, or holding and deciding again where that is worth more:
    the gain of waiting is the one that it states, within four standard errors.
    """
    rng = np.random.default_rng(4)
    n, sd, cost = 20_000, 0.1, 0.002
    mean = rng.uniform(-0.1, 0.1, n)
    truth = mean + rng.logistic(scale=sd * np.sqrt(3) / np.pi, size=n)
    values = wait_values(
        np.repeat(mean[:, None], 2, axis=1),
        np.tile([0.0, 24.0], (n, 1)),
        news_sd=sd,
        cost=cost,
    )
    at_once = np.where(mean > 0, truth, 0.0)
    waits = values.again > np.maximum(values.best, 0.0)
    had = np.where(waits, np.maximum(truth, 0.0) - cost, at_once)
    stated = np.maximum(values.again, np.maximum(values.best, 0.0))
    gain, said = had - at_once, stated - np.maximum(values.best, 0.0)
    error = (gain - said).std() / np.sqrt(n)
    assert gain.mean() == pytest.approx(said.mean(), abs=4 * error)
    assert said.mean() > 0.01
    assert 0.5 < waits.mean() <= 1.0


def test_in_a_budget_values_are_net_of_prices() -> None:
    """A price of .1 a send: less is worth waiting for, and it is asked again all the same."""
    waiting = Waiting(explorer=Greedy(), news_sd=0.3)
    policy, asked = taught(waiting), asked_now()
    budget = Budget(policy, [Limit(name="week", amount=1.0, price=0.1)], n_users=7)
    holds = budget.pmf(asked, 1)[:, 0]
    assert holds.sum() > policy.pmf(asked, 1)[:, 0].sum()
    wakes = budget.wake_up_ms(asked)
    assert ((wakes - asked.at_ms) % HOUR_MS == 0).all()
    clicks = Budget(taught(ClickGreedy()), [Limit(name="week", amount=1.0)], n_users=7)
    np.testing.assert_array_equal(clicks.wake_up_ms(asked), -1)


def test_an_explorer_that_reads_no_values_cannot_wait() -> None:
    with pytest.raises(BadInputError, match="got ClickGreedy"):
        taught(Waiting(explorer=ClickGreedy())).pmf(asked_now(), 1)
    with pytest.raises(BadInputError, match="finite news_sd"):
        Waiting(news_sd=-1.0)


def test_the_explorer_inside_is_set_by_toml() -> None:
    options = {"explorer": {"news_sd": 0.01, "explorer": {"n_draws": 8}}}
    policy = build("lints_wait", SHAPE, scheme=HITS, options=options)
    assert isinstance(policy, Explored)
    assert policy.explorer == Waiting(explorer=Thompson(n_draws=8), news_sd=0.01)
