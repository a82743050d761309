"""Regret by the exact optimum, decision by decision, in worlds small enough to be solved.

A configuration and a scheme enter; a :class:`Solved` leaves, or none where the world is not small
enough. Probabilities of a step's actions then make a loss a user; summed over a run they are in
the mean what the policy is worth less than the best plan, whatever it has learned on the way.
Reference: Kakade and Langford (2002), lemma 6.1, the performance difference.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bandit.actions import slot_position
from simulator.config import WorldConfig
from simulator.kernel import Population
from simulator.sections import Rules
from simulator.tiny_dp import TinyProblem, is_solvable, losses_of, optimum, tiny_problem
from simulator.worth import Worth

__all__ = ["Solved", "solved"]

Float = NDArray[np.float64]
Whole = NDArray[np.int64]

_DAY_H, _WEEK_H = 24, 168


@dataclass(frozen=True, slots=True, kw_only=True)
class Solved:
    """A world whose best plan is known."""

    problem: TinyProblem
    losses: Float  # (T, X, A) of each action, where the best plan follows it

    def loss(self, population: Population, pmf: Float) -> Float:
        """What drawing from ``pmf`` (N, A) costs each user of a step's start, (N,)."""
        step = population.state.hour // population.hours
        losses = self.losses[step, self.problem.states_of(population)]
        return np.asarray((losses * pmf).sum(axis=1))


def solved(config: WorldConfig, worth: Worth, *, hours: int = 24) -> Solved | None:
    """Solve a world, or none where it cannot be solved.

    None also where the best plan could break a rule of the world (quiet hours, gap, caps, unknown
    zones), of which it knows nothing: the rules would be states, and it no oracle of what may be
    sent.

    Parameters
    ----------
    config : WorldConfig
        Such as the preset ``tiny``.
    worth : Worth
        Of outcomes.
    hours : int
        Length of a step, a divisor of 24.
    """
    if not is_solvable(config, hours=hours) or config.clock.unknown_zone_share > 0.0:
        return None
    problem = tiny_problem(config, worth, hours=hours)
    n_slots = -(-hours // config.clock.slot_hours)
    if not _keeps(config.rules, _sends_h(config, optimum(problem).action, hours, n_slots), hours):
        return None
    return Solved(problem=problem, losses=losses_of(problem))


def _sends_h(config: WorldConfig, action: Whole, hours: int, n_slots: int) -> Whole:
    """Hours of the day at which a plan (T, X) sends, −1 where it holds, (T, X)."""
    step_h = hours * (np.arange(len(action)) % (_DAY_H // hours))[:, None]
    slot_h = config.clock.slot_hours * slot_position(np.maximum(action, 1), n_slots=n_slots)
    return np.where(action > 0, step_h + slot_h, -1)


def _keeps(rules: Rules, sends_h: Whole, hours: int) -> bool:
    """True where sending at every one of these hours would break no rule."""
    at_h = np.unique(sends_h[sends_h >= 0])
    if not len(at_h):
        return True
    within = at_h % hours  # of its step
    spread = int(within.max() - within.min())
    more = int(spread > 0)  # one more may fall into a window where slots change
    from_h, to_h = rules.quiet_from_h, rules.quiet_to_h
    is_quiet = np.mod(at_h - from_h, _DAY_H) < np.mod(to_h - from_h, _DAY_H)
    return bool(
        not is_quiet.any()
        and rules.gap_h <= hours - spread
        and rules.cap_per_day >= _DAY_H // hours + more
        and rules.cap_per_week >= _WEEK_H // hours + more
    )
