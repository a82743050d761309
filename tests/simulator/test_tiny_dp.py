from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bandit.errors import BadInputError
from bandit.outcomes import UPLIFT
from simulator.config import WorldConfig, load
from simulator.kernel import Population
from simulator.paired import advantage, returns_of
from simulator.tiny_dp import (
    TinyProblem,
    optimum,
    policy_of,
    regret_dp,
    tiny_problem,
    values_of,
)
from simulator.truth import means_of
from simulator.worth import Worth
from tests.simulator.conftest import Begin

WORTH = Worth(UPLIFT)
EVENING = 4  # item 0 in the last of four slots
N_USERS = 6000


def _problem(**changes: dict[str, Any]) -> TinyProblem:
    return tiny_problem(load("tiny", **changes), WORTH)


def _always(problem: TinyProblem, action: int) -> NDArray[np.int64]:
    return np.full(problem.reward.shape[1], action)


def _when_rested(problem: TinyProblem, action: int) -> NDArray[np.int64]:
    actions = _always(problem, 0)
    actions[0] = action
    return actions


def test_rows_of_chances_sum_to_one(begin: Begin) -> None:
    """From every state under every action; who has left never comes back."""
    problem = _problem()
    assert np.allclose(problem.moves.sum(axis=2), 1.0)
    assert problem.moves.min() >= 0.0
    assert (problem.moves[:, -1, -1] == 1.0).all()
    assert problem.n_levels == 3


def test_all_users_of_the_preset_are_alike_and_stay_so(begin: Begin) -> None:
    """The mean of every action depends on the state alone, in any user, at any age of a life.

    Three weeks of mixed choices make pasts as different as they can be.
    """
    population = begin("tiny", 400)
    problem = _problem()
    rng = np.random.default_rng(1)
    seen = set()
    for _ in range(21):
        n = population.n_users
        population.step(rng.integers(-1, 2, n), rng.integers(0, 4, n))
        states = problem.states_of(population)
        means = means_of(population)
        reward = (means.base[:, None, :] + means.uplift) @ WORTH.of_quantity
        assert np.allclose(reward, problem.reward[0, states], atol=1e-6)
        seen |= set(states.tolist())
    assert seen == set(range(5))


@pytest.mark.parametrize("hours", [6, 1])
def test_within_the_day_only_the_hour_matters_besides(begin: Begin, hours: int) -> None:
    """Steps of six hours or of one: rewards repeat with the day."""
    population = begin("tiny", 60, hours=hours)
    problem = tiny_problem(load("tiny"), WORTH, hours=hours)
    rng = np.random.default_rng(1)
    for step in range(2 * 24 // hours):
        means = means_of(population)
        reward = (means.base[:, None, :] + means.uplift) @ WORTH.of_quantity
        states = problem.states_of(population)
        assert np.allclose(reward, problem.reward[step % (24 // hours), states], atol=1e-6)
        position = np.where(rng.random(60) < 0.3, rng.integers(0, 2, 60), -1)
        population.step(position, rng.integers(0, len(population.offsets_h), 60))


def test_states_move_as_often_as_the_chances_say(begin: Begin) -> None:
    """From each level under hold and send, within 4.5 binomial errors; leaving made frequent."""
    config = load("tiny", opt_out={"hazard": 0.1})
    problem = tiny_problem(config, WORTH)
    n = 20_000
    for level in range(3):
        for action in (0, EVENING):
            population = begin(config, n, seed=level)
            population.state.fatigue[:] = level
            population.step(*policy_of(problem, _always(problem, action))(population))
            share = np.bincount(problem.states_of(population), minlength=5) / n
            chance = problem.moves[action, level]
            error = np.sqrt(chance * (1.0 - chance) / n)
            assert (np.abs(share - chance) <= 4.5 * error + 1e-12).all(), (level, action)


def _returns(begin: Begin, config: WorldConfig, policy: Any, *, seed: int, hours: int = 24) -> Any:
    population = begin(config, N_USERS, seed=seed, hours=hours)
    horizon = 24 * config.clock.horizon_days // hours
    return returns_of(population, policy, horizon=horizon, worth=WORTH)


@pytest.mark.parametrize("name", ["best", "every evening", "evenings when rested", "never"])
def test_simulated_lives_are_worth_what_the_program_says(begin: Begin, name: str) -> None:
    """Means of 6,000 whole lives within four standard errors of the exact value."""
    config, problem = load("tiny"), _problem()
    actions = {
        "best": optimum(problem).action,
        "every evening": _always(problem, EVENING),
        "evenings when rested": _when_rested(problem, EVENING),
        "never": _always(problem, 0),
    }[name]
    paid = _returns(begin, config, policy_of(problem, actions), seed=11)
    error = paid.std() / np.sqrt(N_USERS)
    assert abs(paid.mean() - values_of(problem, actions)[0, 0]) < 4.0 * error


def test_lives_by_the_hour_are_worth_what_the_program_says_too(begin: Begin) -> None:
    """A week of hourly steps, pushing when rested between six and ten."""
    config = load("tiny", clock={"horizon_days": 7})
    problem = tiny_problem(config, WORTH, hours=1)
    plan = np.zeros((problem.n_steps, 5), np.int64)
    hour = np.arange(problem.n_steps) % 24
    plan[(hour >= 18) & (hour < 22), 0] = 1
    paid = _returns(begin, config, policy_of(problem, plan, hours=1), seed=3, hours=1)
    error = paid.std() / np.sqrt(N_USERS)
    assert abs(paid.mean() - values_of(problem, plan)[0, 0]) < 4.0 * error


def test_no_stationary_policy_beats_the_optimum() -> None:
    """All policies over the levels with one action a level; regret is zero for the best plan."""
    problem = _problem()
    best = optimum(problem)
    n_actions = problem.reward.shape[2]
    for code in range(n_actions**3):
        actions = np.zeros(5, np.int64)
        actions[:3] = np.unravel_index(code, (n_actions,) * 3)
        value = values_of(problem, actions)
        assert (value <= best.value + 1e-9).all()
    assert regret_dp(problem, best.action) == pytest.approx(0.0, abs=1e-12)
    assert regret_dp(problem, _always(problem, 0)) > 0.0


def test_the_value_is_the_sum_worked_by_hand() -> None:
    """Two days of one policy: reward now plus the mean of what the next state pays."""
    problem = _problem(clock={"horizon_days": 2})
    actions = _when_rested(problem, EVENING)
    now, then = problem.reward[0, :, EVENING][0], problem.reward[0, :, 0].copy()
    then[0] = now
    by_hand = now + problem.moves[EVENING, 0] @ then
    assert values_of(problem, actions)[0, 0] == pytest.approx(by_hand)


def test_the_myopic_best_is_not_the_best() -> None:
    """Level 1 would send at every level of fatigue; the best plan sends to rested users only.

    By about half of what the best plan gains over silence.
    """
    problem = _problem()
    myopic = problem.reward[0].argmax(axis=1)
    best = optimum(problem).action[0]
    assert (myopic[:3] > 0).all()
    assert (best > 0).tolist() == [True, False, False, False, False]
    silence = _always(problem, 0)
    assert 0.3 < regret_dp(problem, myopic) / regret_dp(problem, silence) < 0.7


def test_the_paired_advantage_is_the_programs(begin: Begin) -> None:
    """Level 3 against level 4: sending now, then resting, within four standard errors."""
    config = load("tiny", clock={"horizon_days": 8}, activity={"sessions_per_day": 0.5})
    problem = tiny_problem(config, WORTH)
    policy = _when_rested(problem, EVENING)
    value = values_of(problem, policy)[1]
    exact = problem.reward[0, 0] + problem.moves[:, 0] @ value
    population = begin(config, 200)
    found = advantage(
        population, EVENING, policy_of(problem, policy), horizon=8, worth=WORTH, n_futures=100
    )
    assert abs(found.mean - (exact[EVENING] - exact[0])) < 4.0 * found.standard_error


def test_the_best_plan_rests_before_the_end_and_sends_at_it() -> None:
    """On the last day nothing is spared: the best step reward is the best action."""
    problem = _problem()
    plan = optimum(problem)
    assert np.array_equal(plan.action[-1], problem.reward[0].argmax(axis=1))
    assert plan.value[-1].tolist() == [0.0] * 5


@pytest.mark.parametrize(
    ("preset", "changes", "named"),
    [
        ("ecommerce", {}, "activity.spread"),
        ("identity", {}, "click.wanted_gain"),
        ("tiny", {"activity": {"excitation": 0.3}}, "activity.excitation"),
        ("tiny", {"click": {"actor_penalty": 0.3}}, "click.actor_penalty"),
        ("tiny", {"fatigue": {"levels": 0}}, "fatigue.levels"),
        ("tiny", {"items": {"n_items": 3}}, "items.n_items"),
        ("tiny", {"delivery": {"success": 0.0}}, "delivery.success"),
    ],
)
def test_a_population_with_more_states_is_refused_by_what_makes_them(
    preset: str, changes: dict[str, Any], named: str
) -> None:
    """And told where to go instead."""
    with pytest.raises(BadInputError, match=named) as refused:
        tiny_problem(load(preset, **changes), WORTH)
    assert "simulator.paired" in str(refused.value)


@pytest.mark.parametrize("hours", [5, 48, 0, -24])
def test_steps_that_do_not_divide_the_day_are_refused(hours: int) -> None:
    """Five hours are no part of 24, nor is none."""
    with pytest.raises(BadInputError, match="divisor"):
        tiny_problem(load("tiny"), WORTH, hours=hours)


@pytest.mark.parametrize(
    "actions",
    [np.zeros(3, np.int64), np.zeros(0, np.int64), np.full(5, 9), np.full(5, -1), np.ones(5)],
)
def test_policies_of_other_shapes_or_actions_are_refused(actions: NDArray[Any]) -> None:
    """With the shape that is meant."""
    with pytest.raises(BadInputError, match=r"\(5,\)"):
        values_of(_problem(), actions)


def test_states_are_read_off_a_population(begin: Begin) -> None:
    """Levels of who can be reached, then who opted out, then who has left."""
    population: Population = begin("tiny", 6)
    population.state.fatigue[:] = [0, 1, 2, 2, 1, 0]
    population.state.is_reachable[3:] = False
    population.state.is_alive[4:] = False
    assert _problem().states_of(population).tolist() == [0, 1, 2, 3, 4, 4]


def test_leaving_is_as_likely_as_the_hazard_says() -> None:
    """By hand: .92 delivered, opt-out 1 − e^−.002, uninstall 1 − e^−.0006, independent."""
    problem = _problem()
    uninstalls, opts_out = -np.expm1(-0.0006), -np.expm1(-0.002)
    assert np.allclose(problem.moves[1:, :3, -1], 0.92 * uninstalls, rtol=1e-5)
    assert np.allclose(problem.moves[1:, :3, -2], 0.92 * opts_out * (1 - uninstalls), rtol=1e-5)
