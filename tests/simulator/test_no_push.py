from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from bandit.errors import BadInputError
from bandit.slots import DAY_MS, HOUR_MS
from simulator.logged import Logged
from simulator.no_push import count_within, no_push_of

SmallLog = Callable[[], Logged]


def test_sessions_of_a_step_are_those_of_a_slow_count(small_log: SmallLog) -> None:
    """Row by row over the first two hundred steps without a push."""
    logged = small_log()
    plan = logged.plan
    from_ms = plan.start_ms + 7 * DAY_MS
    found = no_push_of(logged, from_ms=from_ms)
    is_row = (plan.hold_weight > 0) & ~plan.is_sent & (plan.at_ms >= from_ms)
    is_row &= plan.at_ms < logged.left_ms[plan.user]
    rows = np.flatnonzero(is_row)
    assert len(rows) == len(found.user)
    for place, row in enumerate(rows[:200]):
        begin = plan.at_ms[row]
        for counted, told in (
            (logged.sessions, found.n_sessions),
            (logged.orders, found.n_orders),
        ):
            own = counted.at_ms[counted.user == plan.user[row]]
            assert told[place] == ((own >= begin) & (own < begin + DAY_MS)).sum()
    assert found.n_sessions.sum() == len(found.session_user)


def test_only_what_lies_in_the_log_is_counted(small_log: SmallLog) -> None:
    logged = small_log()
    user = np.arange(logged.plan.n_users)
    span = {"start_ms": logged.plan.start_ms, "end_ms": logged.plan.end_ms}
    begin = np.full(len(user), logged.plan.start_ms - 100 * HOUR_MS)
    all_of_it = count_within(logged.sessions, user, begin, begin + 10_000 * HOUR_MS, **span)
    expected = np.bincount(logged.sessions.user, minlength=len(user))
    np.testing.assert_array_equal(all_of_it, expected)


def test_a_row_that_was_nearly_never_held_stands_for_fifty_at_most(small_log: SmallLog) -> None:
    """One such row would else be the whole estimate."""
    logged = small_log()
    rare = replace(logged.plan, hold_weight=1e6 * logged.plan.hold_weight)
    weight = no_push_of(replace(logged, plan=rare), from_ms=0).weight
    assert weight.max() == weight.min() == 50.0
    assert no_push_of(logged, from_ms=0).weight.max() < 50.0


def test_a_log_without_random_holds_is_refused(small_log: SmallLog) -> None:
    """What users do without a push cannot be told from it."""
    logged = small_log()
    certain = replace(logged.plan, hold_weight=np.zeros_like(logged.plan.hold_weight))
    with pytest.raises(BadInputError, match="propensity below 1"):
        no_push_of(replace(logged, plan=certain), from_ms=0)
    with pytest.raises(BadInputError, match="warm-up"):
        no_push_of(logged, from_ms=logged.plan.end_ms)
