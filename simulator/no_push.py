"""What users did in the steps in which a draw sent them nothing.

A :class:`~simulator.logged.Logged` record enters; one row a step without a push leaves, with the
sessions and orders in it and the weight that makes such rows stand for all. Only holds that were
drawn at random count: what users do while a rule or a confident policy keeps silent says nothing
about what they would do at other times. Reference: Horvitz and Thompson (1952).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bandit.errors import BadInputError
from bandit.slots import HOUR_MS
from simulator.logged import Behaviour, Logged

__all__ = ["NoPush", "count_within", "no_push_of", "place_of"]

Float = NDArray[np.float64]
Whole = NDArray[np.int64]

_MOST_WEIGHT = 50.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NoPush:
    """M steps without a push, by user and time."""

    user: Whole  # (M,)
    day: Whole  # (M,) since the start
    weight: Float  # (M,) 1 / P(hold)
    n_sessions: Whole  # (M,)
    n_orders: Whole  # (M,)
    days: float  # length of a step
    session_user: Whole  # (J,) of the sessions in these steps
    session_hour: Whole  # (J,) local hour of the week; −1 where the zone is unknown
    session_weight: Float  # (J,)


def no_push_of(logged: Logged, *, from_ms: int) -> NoPush:
    """Find the steps without a push from ``from_ms`` on, of users who have not left.

    Raises
    ------
    BadInputError
        If no hold was drawn at random.
    """
    plan = logged.plan
    drawn = np.flatnonzero((plan.hold_weight > 0) & ~plan.is_sent)
    if not len(drawn):
        raise BadInputError(
            "expected decisions to hold that were drawn at random, with a propensity below 1, or "
            "a holdout, got none: what users do without a push cannot be told from such a log; "
            "log with an exploration floor (hold .05 by default)"
        )
    at_ms = plan.at_ms[drawn]
    rows = drawn[(at_ms >= from_ms) & (at_ms < logged.left_ms[plan.user[drawn]])]
    if not len(rows):
        raise BadInputError(
            f"expected decisions to hold after the warm-up, got {len(drawn)} of them before its "
            "end: give a longer log or a shorter warm-up"
        )
    user, at_ms = plan.user[rows], plan.at_ms[rows]
    weight = np.minimum(plan.hold_weight[rows], _MOST_WEIGHT)
    step_ms = plan.step_h * HOUR_MS
    sessions = logged.sessions
    place = place_of(sessions, user, at_ms, plan.start_ms, plan.end_ms)
    end = place_of(sessions, user, at_ms + step_ms, plan.start_ms, plan.end_ms)
    inside = _ranges(place, end)
    who = np.repeat(np.arange(len(rows)), end - place)
    return NoPush(
        user=user,
        day=(at_ms - plan.start_ms) // (24 * HOUR_MS),
        weight=weight,
        n_sessions=end - place,
        n_orders=count_within(
            logged.orders, user, at_ms, at_ms + step_ms, start_ms=plan.start_ms, end_ms=plan.end_ms
        ),
        days=plan.step_h / 24.0,
        session_user=user[who],
        session_hour=plan.hour_of_week(sessions.user[inside], sessions.at_ms[inside]),
        session_weight=weight[who],
    )


def count_within(
    behaviour: Behaviour,
    user: Whole,
    from_ms: Whole,
    to_ms: Whole,
    *,
    start_ms: int,
    end_ms: int,
) -> Whole:
    """How many of each user's outcomes lie in [from, to), within the log, (M,)."""
    begin = place_of(behaviour, user, from_ms, start_ms, end_ms)
    return place_of(behaviour, user, to_ms, start_ms, end_ms) - begin


def place_of(behaviour: Behaviour, user: Whole, at_ms: Whole, start_ms: int, end_ms: int) -> Whole:
    """How many outcomes come before (user, time), in order of user and time."""
    span = np.int64(end_ms - start_ms + 2)
    key = behaviour.user * span + (behaviour.at_ms - start_ms) + 1
    wanted = user * span + np.clip(at_ms - start_ms, -1, span - 2) + 1
    return np.searchsorted(key, wanted, side="left")


def _ranges(begin: Whole, end: Whole) -> Whole:
    """begin[0] … end[0] − 1, begin[1] … end[1] − 1, … as one array."""
    counts = end - begin
    offset = np.repeat(begin - np.concatenate([[0], np.cumsum(counts)[:-1]]), counts)
    return offset + np.arange(counts.sum())
