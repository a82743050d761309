from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bandit.outcomes import UPLIFT
from simulator.config import load
from simulator.solved import solved
from simulator.tiny_dp import losses_of, optimum, regret_dp, tiny_problem
from simulator.worth import Worth
from tests.simulator.conftest import Begin

WORTH = Worth(UPLIFT)
EVENING = 4  # item 0 in the last of four slots
FREE = {"cap_per_day": 24, "cap_per_week": 168}


def test_the_best_plan_loses_nothing_and_every_other_action_something() -> None:
    """At each step and state; no loss is below 0."""
    problem = tiny_problem(load("tiny"), WORTH)
    losses, best = losses_of(problem), optimum(problem).action
    assert losses.shape == (28, 5, 9)
    assert losses.min() >= 0.0
    assert np.take_along_axis(losses, best[:, :, None], axis=2).max() == 0.0


def test_losses_along_a_life_add_up_to_the_regret() -> None:
    """The performance difference, exactly: states of a policy's own making, step by step."""
    problem = tiny_problem(load("tiny"), WORTH)
    losses = losses_of(problem)
    for actions in (np.full(5, EVENING), np.array([1, 0, 3, 0, 0]), np.zeros(5, np.int64)):
        share, lost = np.eye(5)[0], 0.0
        for step in range(problem.n_steps):
            lost += share @ losses[step, np.arange(5), actions]
            share = share @ problem.moves[actions, np.arange(5)]
        assert lost == pytest.approx(regret_dp(problem, actions))


def test_a_loss_is_that_of_the_users_state_and_step(begin: Begin) -> None:
    """Weighed by the probabilities drawn from, on the last day as on the first."""
    found = solved(load("tiny"), WORTH)
    assert found is not None
    population = begin("tiny", 5)
    population.state.fatigue[:] = [0, 1, 2, 0, 0]
    population.state.is_reachable[3:] = False
    population.state.is_alive[4:] = False
    pmf = np.zeros((5, 9))
    pmf[:, [0, EVENING]] = 0.25, 0.75
    for day in (0, 27):
        population.state.hour[:] = 24 * day
        of = found.losses[day, np.arange(5)]
        by_hand = 0.25 * of[:, 0] + 0.75 * of[:, EVENING]
        assert found.loss(population, pmf) == pytest.approx(by_hand)
    assert found.loss(population, np.eye(9)[np.zeros(5, np.int64)])[3:] == pytest.approx([0, 0])


def test_the_step_is_counted_in_its_own_length(begin: Begin) -> None:
    """In the last evening steps of six hours are at their last, when nothing is spared any more."""
    found = solved(load("tiny", rules=FREE), WORTH, hours=6)
    assert found is not None
    population = begin("tiny", 1, hours=6)
    population.state.hour[:] = 27 * 24 + 18
    pmf = np.array([[1.0, 0.0, 0.0]])
    assert found.loss(population, pmf) == pytest.approx(found.losses[111, :1, 0])
    assert abs(found.losses[111, 0, 0] - found.losses[27, 0, 0]) > 1e-3


@pytest.mark.parametrize("hours", [24, 12, 6, 1])
def test_worlds_without_rules_are_solved_at_every_length_of_a_step(hours: int) -> None:
    """Slots of six hours; caps that nobody can reach."""
    found = solved(load("tiny", rules=FREE), WORTH, hours=hours)
    assert found is not None
    assert len(found.losses) == 28 * 24 // hours


@pytest.mark.parametrize(
    ("preset", "hours", "changes"),
    [
        ("ecommerce", 24, {}),
        ("identity", 24, {}),
        ("tiny", 1, {}),  # one a day: sends of today would be a state
        ("tiny", 24, {"rules": {"cap_per_day": 0}}),
        ("tiny", 24, {"rules": {"cap_per_week": 6}}),
        ("tiny", 24, {"rules": {"gap_h": 25}}),
        ("tiny", 24, {"rules": {"quiet_from_h": 18, "quiet_to_h": 19}}),
        ("tiny", 24, {"rules": {"quiet_from_h": 17, "quiet_to_h": 2}}),
        ("tiny", 24, {"clock": {"unknown_zone_share": 0.1}}),
        ("tiny", 6, {"rules": FREE | {"gap_h": 7}}),
    ],
)
def test_worlds_whose_best_plan_is_not_known_are_not_solved(
    preset: str, hours: int, changes: dict[str, Any]
) -> None:
    """More states than the program has, or rules that the best plan might break."""
    assert solved(load(preset, **changes), WORTH, hours=hours) is None


@pytest.mark.parametrize(
    "rules",
    [
        {"gap_h": 24},
        {"quiet_from_h": 19, "quiet_to_h": 18},
        {"quiet_from_h": 19, "quiet_to_h": 2},
        {"cap_per_day": 1, "cap_per_week": 7},
    ],
)
def test_rules_that_the_best_plan_keeps_do_not_matter(rules: dict[str, int]) -> None:
    """It sends at 18:00 and never twice a day."""
    config = load("tiny", rules=rules)
    plan = optimum(tiny_problem(config, WORTH)).action
    assert set((plan[plan > 0] - 1) % 4) == {3}
    assert solved(config, WORTH) is not None


def test_a_plan_that_never_sends_keeps_every_rule() -> None:
    """Where leaving is nearly certain, silence is best under any cap."""
    config = load("tiny", opt_out={"hazard": 1.0}, rules={"cap_per_day": 0, "cap_per_week": 0})
    assert not optimum(tiny_problem(config, WORTH)).action.any()
    assert solved(config, WORTH) is not None
