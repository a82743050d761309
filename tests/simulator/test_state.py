from __future__ import annotations

import numpy as np
import pytest

from simulator.state import NEVER_H, sends_in_week
from tests.simulator.conftest import Begin


def test_rows_that_are_taken_and_put_back_leave_all_as_it_was(begin: Begin) -> None:
    """Every column, and only those rows."""
    lived, other = begin("ecommerce", 20), begin("ecommerce", 20, seed=2)
    for _ in range(10):
        lived.step(np.full(20, 1), np.zeros(20, np.int64))
    before, rows = lived.state.copy(), np.array([3, 5, 11])
    held = lived.state.take(rows)
    lived.state.put(rows, other.state.take(rows))
    for name, column in lived.state.columns():
        assert np.array_equal(column[rows], getattr(other.state, name)[rows]), name
        rest = np.delete(np.arange(20), rows)
        assert np.array_equal(column[rest], getattr(before, name)[rest]), name
    lived.state.put(rows, held)
    for name, column in lived.state.columns():
        assert np.array_equal(column, getattr(before, name)), name


def test_some_rows_read_as_rows_that_were_taken(begin: Begin) -> None:
    """Column by column, also some of some; what is read is a copy."""
    lived = begin("ecommerce", 20)
    rows, of_those = np.array([11, 3, 5]), np.array([2, 0])
    some, taken = lived.traits.some(rows), lived.traits.take(rows)
    fewer, fewer_taken = some.some(of_those), taken.take(of_those)
    for name, column in lived.traits.columns():
        assert np.array_equal(getattr(some, name), getattr(taken, name)), name
        assert np.array_equal(getattr(fewer, name), getattr(fewer_taken, name)), name
        assert not np.shares_memory(getattr(some, name), column), name
        assert getattr(some, name) is getattr(some, name), name
    with pytest.raises(AttributeError, match="wings"):
        getattr(some, "wings")  # noqa: B009 - what is asked for is not there


def test_sends_in_week_is_the_sum_over_the_days(begin: Begin) -> None:
    """Full counters do not overflow."""
    state = begin("ecommerce", 3).state
    state.sent_by_day[:] = 255
    state.sent_by_day[1] = np.arange(7)
    assert sends_in_week(state).tolist() == [7 * 255, 21, 7 * 255]


def test_a_copy_shares_no_memory(begin: Begin) -> None:
    """What happens to one life does not happen to its copy."""
    lived = begin("ecommerce", 5)
    copied = lived.state.copy()
    for name, column in lived.state.columns():
        assert not np.shares_memory(column, getattr(copied, name)), name


def test_a_newborn_has_no_past_and_can_be_reached_if_it_opted_in(begin: Begin) -> None:
    """Nothing was sent, clicked, ordered or looked at."""
    lived = begin("ecommerce", 200)
    state = lived.state
    assert np.array_equal(state.is_reachable, lived.traits.has_opted_in)
    assert state.is_alive.all()
    for name in ("hour", "episode", "fatigue", "habit", "n_sends", "debt", "streak_days"):
        assert not getattr(state, name).any(), name
    for name in ("session_h", "send_h", "click_h", "bought_h", "template_h", "recent_h"):
        assert (getattr(state, name) == NEVER_H).all(), name


def test_a_user_costs_at_most_four_kilobytes(begin: Begin) -> None:
    """Traits and state together."""
    lived = begin("ecommerce", 100)
    assert lived.traits.n_bytes + lived.state.n_bytes <= 4096 * 100
