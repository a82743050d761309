from __future__ import annotations

import numpy as np

from simulator.state import NEVER_H
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
