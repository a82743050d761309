"""What else was on offer: by hand, and the same bits from the log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bandit.actions import Request
from bandit.decide import Decisions
from bandit.errors import BadInputError, BadShapeError
from bandit.join import Emission, Joiner
from bandit.log import LogWriter, read_log
from bandit.outcomes import UPLIFT
from bandit.short_lists import logged_lists, told_lists
from bandit.slots import DAY_MS

Requests = Callable[..., Request]
Decides = Callable[..., Decisions]


@pytest.fixture
def decisions(request_of: Requests, decisions_of: Decides) -> Decisions:
    """Five rows; in row 1 the first item may not be sent, in row 2 not at the first slot."""
    asked = request_of(n_rows=5)
    reasons = asked.reasons.copy()
    reasons[1, 1 : 1 + asked.n_slots] = 8
    reasons[2, 1] = 8
    return decisions_of(replace(asked, reasons=reasons))


def test_eligible_items_come_with_their_probability(decisions: Decisions) -> None:
    """P(item) over all slots; −1 and 0 where it may not be sent, or nothing stands."""
    request = decisions.request
    told = told_lists(decisions, width=request.n_items + 2)
    for row in range(5):
        for k in range(request.n_items):
            of_item = slice(1 + k * request.n_slots, 1 + (k + 1) * request.n_slots)
            may_be_sent = request.mask[row, of_item].any()
            assert told["short_list"][row, k] == (request.items[row, k] if may_be_sent else -1)
            assert told["p_items"][row, k] == pytest.approx(decisions.pmf[row, of_item].sum())
    np.testing.assert_array_equal(told["short_list"][:, -2:], -1)
    np.testing.assert_allclose(told["p_items"].sum(axis=1), decisions.p_send)


def test_the_log_tells_the_same_bits(decisions: Decisions, tmp_path: Path) -> None:
    LogWriter(tmp_path).append(decisions)
    log = read_log(tmp_path)
    for width in (0, decisions.request.n_items, 9):
        told, logged = told_lists(decisions, width=width), logged_lists(log, width=width)
        for name, column in told.items():
            assert column.shape == (5, width)
            np.testing.assert_array_equal(logged[name], column)


def test_lists_that_are_too_long_and_logs_without_pmfs_are_refused(
    decisions: Decisions, tmp_path: Path
) -> None:
    LogWriter(tmp_path, keeps_pmf=False).append(decisions)
    log = read_log(tmp_path)
    with pytest.raises(BadInputError, match="expected logged pmfs"):
        logged_lists(log, width=9)
    with pytest.raises(BadInputError, match="expected short lists of at most 1 items"):
        told_lists(decisions, width=1)


def test_feedback_carries_them_where_the_join_was_asked(decisions: Decisions) -> None:
    """Also from a saved state, and not where it was not."""
    n_items = decisions.request.n_items
    for width in (0, n_items):
        join = Joiner(UPLIFT, emission=Emission.DELAY_AWARE, list_width=width)
        join.add(decisions)
        resumed = Joiner(UPLIFT, emission=Emission.DELAY_AWARE, list_width=width)
        resumed.load(join.state())
        now_ms = int(decisions.request.at_ms.max()) + DAY_MS
        for one in (join, resumed):
            fresh, _ = one.advance(now_ms)
            told = told_lists(decisions, width=width)
            np.testing.assert_array_equal(fresh.short_list, told["short_list"])
            np.testing.assert_array_equal(fresh.p_items, told["p_items"])
    with pytest.raises(BadShapeError, match=r"rows\.short_list"):
        Joiner(UPLIFT, list_width=n_items + 1).load(join.state())
