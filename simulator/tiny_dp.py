"""Level 4 of the truth: a population small enough to be solved exactly.

A configuration such as the preset ``tiny`` and a scheme enter; a Markov decision problem leaves,
whose rewards and chances are the closed forms that the sampler draws from, with the value of any
stationary policy and the optimum. Nothing but the level of fatigue, being reachable, being alive
and the hour of the day is a state there; a configuration with more is refused. Reference: backward
induction (Bellman, 1957).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit.errors import BadInputError
from simulator.config import WorldConfig
from simulator.kernel import Population, ground_of
from simulator.paired import Choice, Policy, choice_of
from simulator.streams import life_keys
from simulator.truth import means_of
from simulator.worth import Quantity, Worth

__all__ = [
    "Plan",
    "TinyProblem",
    "is_solvable",
    "losses_of",
    "optimum",
    "policy_of",
    "regret_dp",
    "tiny_problem",
    "values_of",
]

Float = NDArray[np.float64]
Whole = NDArray[np.int64]

# What must be off, or it would be a state or a difference between users.
_REQUIRED: dict[str, Any] = {
    "clock.zones": ("UTC",),
    "items.popularity_half_life_h": 0.0,
    "items.lifetime_h": 0.0,
    "items.stock_out_per_day": 0.0,
    "activity.spread": 0.0,
    "activity.excitation": 0.0,
    "activity.churn_per_day": 0.0,
    "hours.weekday_spread": 0.0,
    "hours.weekend_shift_h": 0.0,
    "hours.chronotype_sd_h": 0.0,
    "hours.receptivity_spread": 0.0,
    "click.spread": 0.0,
    "click.activity_slope": 0.0,
    "click.match_gain": 0.0,
    "click.template_penalty": 0.0,
    "click.item_penalty": 0.0,
    "click.actor_penalty": 0.0,
    "click.tie_gain": 0.0,
    "click.streak_gain": 0.0,
    "click.wanted_gain": 0.0,
    "fatigue.habituation_floor": 1.0,
    "opt_out.frequency_slope": 0.0,
    "opt_out.relevance_slope": 0.0,
    "opt_out.frailty_shape": 0.0,
    "opt_out.opt_in_share": 1.0,
    "delivery.device_shares": (1.0, 0.0, 0.0),
    "orders.cannibalised": 0.0,
    "orders.recent_share": 1.0,
    "taste.substitutes": 1.0,
    "taste.complements": 1.0,
    "taste.streak_gain": 0.0,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TinyProblem:
    """One user as a decision problem: X states, A actions, P steps a day.

    States 0 … L − 1 are the levels of fatigue of a reachable user; L is one who has opted out,
    L + 1 one who has left. The hour of the day is the step modulo P.
    """

    reward: Float  # (P, X, A) mean worth of what a step decides
    moves: Float  # (A, X, X) chance of each next state
    n_steps: int

    @property
    def n_levels(self) -> int:
        """Levels of fatigue L."""
        return int(self.reward.shape[1]) - 2

    def states_of(self, population: Population) -> Whole:
        """State of each user, (N,)."""
        state = population.state
        level = state.fatigue.astype(np.int64)
        away = np.where(state.is_alive, self.n_levels, self.n_levels + 1)
        return np.where(state.is_alive & state.is_reachable, level, away)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is best at each step and state, and what it is worth from there to the end."""

    action: Whole  # (T, X)
    value: Float  # (T + 1, X)


def tiny_problem(config: WorldConfig, worth: Worth, *, hours: int = 24) -> TinyProblem:
    """Build the decision problem of a configuration whose users are all alike.

    Parameters
    ----------
    config : WorldConfig
        The preset ``tiny``, or it with other numbers.
    worth : Worth
        Of outcomes.
    hours : int
        Length of a step, a divisor of 24.

    Raises
    ------
    BadInputError
        Naming what would make the state larger than this.
    """
    _check(config, hours)
    worth.expect_refunds_of(config)
    n_levels = config.fatigue.levels
    rows = Population.begin(
        ground_of(config), life_keys(0, np.zeros(n_levels + 2, np.int64)), hours=hours
    )
    rows.state.fatigue[:n_levels] = np.arange(n_levels)
    rows.state.is_reachable[n_levels:] = False
    rows.state.is_alive[n_levels + 1] = False
    reward = []
    for hour in range(0, 24, hours):
        at_hour = rows.copy()
        at_hour.state.hour[:] = hour
        means = means_of(at_hour)
        reward.append((means.base[:, None, :] + means.uplift) @ worth.of_quantity)
    leaving = means.caused[:, :, [Quantity.OPT_OUT, Quantity.UNINSTALL]]
    return TinyProblem(
        reward=np.stack(reward),
        moves=_moves(leaving, delivered=float(rows.traits.p_delivered[0]), n_levels=n_levels),
        n_steps=24 * config.clock.horizon_days // hours,
    )


def is_solvable(config: WorldConfig, *, hours: int = 24) -> bool:
    """True for a configuration of which :func:`tiny_problem` makes a problem."""
    return not _too_much(config, hours)


def optimum(problem: TinyProblem) -> Plan:
    """Return the best plan over the whole horizon, by backward induction."""
    horizon, x = problem.n_steps, problem.reward.shape[1]
    action, value = np.zeros((horizon, x), np.int64), np.zeros((horizon + 1, x))
    for step in reversed(range(horizon)):
        worth = _worth_of_actions(problem, step, value[step + 1])
        action[step] = worth.argmax(axis=1)
        value[step] = worth.max(axis=1)
    return Plan(action=action, value=value)


def values_of(problem: TinyProblem, actions: Whole) -> Float:
    """Exact worth of a policy from each step and state to the end, (T + 1, X).

    Parameters
    ----------
    problem : TinyProblem
        See :func:`tiny_problem`.
    actions : ndarray of int, (X,) or (T, X)
        What it does in each state, the same at every step or not.
    """
    horizon, x = problem.n_steps, problem.reward.shape[1]
    planned = _planned(problem, actions)
    value = np.zeros((horizon + 1, x))
    for step in reversed(range(horizon)):
        worth = _worth_of_actions(problem, step, value[step + 1])
        value[step] = worth[np.arange(x), planned[step]]
    return value


def losses_of(problem: TinyProblem) -> Float:
    """What one action costs where the best plan follows it, at each step and state, (T, X, A).

    Notes
    -----
    Along any policy's life, one that learns included, the mean sum of its losses is what it is
    worth less than the best plan: Kakade and Langford (2002), lemma 6.1.
    """
    value = optimum(problem).value
    worth = [_worth_of_actions(problem, t, value[t + 1]) for t in range(problem.n_steps)]
    return np.asarray(value[:-1, :, None] - np.stack(worth))


def regret_dp(problem: TinyProblem, actions: Whole) -> float:
    """What a rested, reachable user's whole life is worth less than under the best plan."""
    return float(optimum(problem).value[0, 0] - values_of(problem, actions)[0, 0])


def policy_of(problem: TinyProblem, actions: Whole, *, hours: int = 24) -> Policy:
    """The same policy for a population that is lived on, see :mod:`simulator.paired`."""
    planned = _planned(problem, actions)

    def choose(population: Population) -> Choice:
        step = np.minimum(population.state.hour // hours, len(planned) - 1)
        return choice_of(population, planned[step, problem.states_of(population)])

    return choose


def _worth_of_actions(problem: TinyProblem, step: int, after: Float) -> Float:
    """Reward of a step plus what is to come, (X, A)."""
    reward = problem.reward[step % len(problem.reward)]
    return np.asarray(reward + np.einsum("axy,y->xa", problem.moves, after))


def _planned(problem: TinyProblem, actions: Whole) -> Whole:
    """Actions by step and state, (T, X), of a policy that is stationary or not."""
    shape = (problem.n_steps, problem.reward.shape[1])
    n_actions = problem.reward.shape[2]
    given = np.asarray(actions)
    is_action = np.issubdtype(given.dtype, np.integer) and given.shape in (shape, shape[1:])
    if not is_action or given.min() < 0 or given.max() >= n_actions:
        raise BadInputError(
            f"expected whole actions from 0 to {n_actions - 1}, one a state {shape[1:]} or one a "
            f"step and state {shape}, got {given.dtype} of shape {given.shape}: {actions!r}"
        )
    return np.broadcast_to(given, shape)


def _moves(leaving: Float, *, delivered: float, n_levels: int) -> Float:
    """Chance of each next state, (A, X, X), from those of leaving, (X, A, 2), per push sent."""
    x, n_actions = leaving.shape[:2]
    out, gone = n_levels, n_levels + 1
    moves = np.zeros((n_actions, x, x))
    moves[:, out, out] = moves[:, gone, gone] = 1.0
    for level in range(n_levels):
        higher, lower = min(level + 1, n_levels - 1), max(level - 1, 0)
        moves[0, level, lower] = 1.0
        opts_out, uninstalls = leaving[level, 1:].T / delivered  # of who is reached, independent
        moves[1:, level, gone] += delivered * uninstalls
        moves[1:, level, out] += delivered * opts_out * (1.0 - uninstalls)
        moves[1:, level, higher] += delivered * (1.0 - opts_out) * (1.0 - uninstalls)
        moves[1:, level, lower] += 1.0 - delivered
    return moves


def _check(config: WorldConfig, hours: int) -> None:
    """Refuse what would be a state, a difference between users, or never sent."""
    wrong = _too_much(config, hours)
    if wrong:
        raise BadInputError(
            f"expected a population whose only states are fatigue, reach and life, such as the "
            f"preset tiny, got {'; '.join(wrong)}: level 3 (simulator.paired) answers for any"
        )


def _too_much(config: WorldConfig, hours: int) -> list[str]:
    """What stands in the way of an exact solution, in words."""
    wrong = []
    for key, wanted in _REQUIRED.items():
        section, name = key.split(".")
        value = getattr(getattr(config, section), name)
        if value != wanted:
            wrong.append(f"{key} = {value!r} (expected {wanted!r})")
    if config.fatigue.levels < 2:
        wrong.append(f"fatigue.levels = {config.fatigue.levels} (expected 2 or more)")
    if config.items.n_items != config.clock.n_candidates:
        wrong.append(f"items.n_items = {config.items.n_items} (expected clock.n_candidates)")
    if config.delivery.success <= 0.0:
        wrong.append("delivery.success = 0.0 (expected more)")
    if hours < 1 or 24 % hours:
        wrong.append(f"steps of {hours} hours (expected a divisor of 24)")
    return wrong
