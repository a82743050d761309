"""Level 3 of the truth: what an action is worth with everything it changes later.

A population at the start of a step, an action and a policy for the time after enter; paired
rollouts leave, one with the action and one with another first, both under the same random numbers,
so that all they do not share is caused. Level 1 (:mod:`simulator.truth`) leaves out what fatigue,
habit, excitation, tastes and opting out do to later steps; this does not. Reference: common random
numbers (Kahn and Marshall, 1953).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bandit.errors import BadInputError
from simulator.kernel import Population
from simulator.worth import Worth

__all__ = ["Advantage", "Choice", "Policy", "advantage", "always_hold", "choice_of", "returns_of"]

Float = NDArray[np.float64]
Whole = NDArray[np.int64]

_MAX_ROWS = 32_768  # lived on at once

Choice = tuple[Whole, Whole]  # place in the slate, −1 to hold; slot
Policy = Callable[[Population], Choice]


@dataclass(frozen=True, slots=True, kw_only=True)
class Advantage:
    """Differences of returns of N users in M futures, in units of the scheme."""

    of_future: Float  # (M, N)

    @property
    def by_user(self) -> Float:
        """Mean over futures, (N,)."""
        return np.asarray(self.of_future.mean(axis=0))

    @property
    def mean(self) -> float:
        """Mean over these users."""
        return float(self.of_future.mean())

    @property
    def standard_error(self) -> float:
        """Of :attr:`mean`, for these very users in the states that they are in."""
        m, n = self.of_future.shape
        return float(np.sqrt(self.of_future.var(axis=0, ddof=1).sum() / m) / n)


def advantage(
    population: Population,
    action: ArrayLike,
    policy: Policy,
    *,
    horizon: int,
    worth: Worth,
    instead_of: ArrayLike = 0,
    n_futures: int = 16,
) -> Advantage:
    """What doing ``action`` now rather than ``instead_of`` adds up to, ``policy`` acting after it.

    Parameters
    ----------
    population : Population
        At the start of a step; it is left as it is.
    action, instead_of : int or ndarray of int, (N,)
        0 holds, 1 + place · S + slot sends.
    policy : callable
        Population at the start of a later step → (place in the slate or −1, slot), one a row. It
        is asked for many futures of the users at once: M · N rows, row by row independent.
    horizon : int
        Steps that count, this one included. What a push displaces is missed only when the user
        would have come, so a short horizon counts too little of it.
    worth : Worth
        Of outcomes; a plan to send costs what it costs whether or not it can be carried out.
    n_futures : int
        Pairs of rollouts, at least 2. Offers are the same in all of them.

    Raises
    ------
    BadInputError
        For fewer than two futures, no step, or actions that there are not.
    """
    if n_futures < 2 or horizon < 1:
        raise BadInputError(
            f"expected at least 2 futures and 1 step, got n_futures = {n_futures}, "
            f"horizon = {horizon}: one future has no standard error"
        )
    firsts = [choice_of(population, each) for each in (action, instead_of)]
    a_block = max(1, _MAX_ROWS // max(population.n_users, 1))
    of_future = []
    for start in range(0, n_futures, a_block):
        numbers = np.arange(start, min(start + a_block, n_futures))
        one, other = (
            returns_of(
                population.futures(numbers),
                policy,
                horizon=horizon,
                worth=worth,
                first=(np.tile(place, len(numbers)), np.tile(slot, len(numbers))),
            )
            for place, slot in firsts
        )
        of_future.append((one - other).reshape(len(numbers), population.n_users))
    return Advantage(of_future=np.concatenate(of_future))


def returns_of(
    population: Population,
    policy: Policy,
    *,
    horizon: int,
    worth: Worth,
    first: Choice | None = None,
) -> Float:
    """Worth of all that ``horizon`` steps decide for each user, (N,); the population lives on.

    Parameters
    ----------
    population : Population
        It is moved ``horizon`` steps ahead: pass a copy to keep it.
    policy : callable
        See :func:`advantage`.
    horizon : int
        Number of steps.
    worth : Worth
        Of outcomes.
    first : pair of ndarray, optional
        What to do in the first step in place of the policy.
    """
    total = np.zeros(population.n_users)
    for step in range(horizon):
        place, slot = first if first is not None and step == 0 else policy(population)
        told = population.step(place, slot)
        weights = worth.of_outcomes(told)
        total += np.bincount(told.row, weights=weights, minlength=population.n_users)
        total += worth.of_send * (place >= 0)
    return total


def choice_of(population: Population, action: ArrayLike) -> Choice:
    """Place and slot of actions, (N,) each."""
    n_slots = len(population.offsets_h)
    n_actions = 1 + population.offer().items.shape[1] * n_slots
    actions = np.broadcast_to(np.asarray(action), population.n_users)
    is_action = np.issubdtype(actions.dtype, np.integer) and (
        ((actions >= 0) & (actions < n_actions)).all()
    )
    if not is_action:
        raise BadInputError(
            f"expected whole actions from 0 (hold) to {n_actions - 1}, got {action!r}"
        )
    place, slot = np.divmod(actions.astype(np.int64) - 1, n_slots)
    return place, np.where(place >= 0, slot, 0)


def always_hold(population: Population) -> Choice:
    """Send nothing, ever."""
    return np.full(population.n_users, -1), np.zeros(population.n_users, np.int64)
