from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from bandit.actions import Request
from bandit.decide import Decisions
from bandit.errors import BadShapeError
from bandit.join_counts import JoinState
from bandit.join_rows import ClosedDecisions, Columns, OpenDecisions, told_rows
from bandit.outcomes import UPLIFT

Requests = Callable[..., Request]
Decides = Callable[..., Decisions]


@pytest.fixture
def decisions(request_of: Requests, decisions_of: Decides) -> Decisions:
    return decisions_of(request_of(n_rows=6))


def told(decisions: Decisions, rows: np.ndarray) -> Columns:
    return {name: column[rows] for name, column in told_rows(decisions).items()}


def test_open_rows_are_looked_at_at_once_unless_they_wait(decisions: Decisions) -> None:
    """Touched either way, because outcomes may have come before their decision."""
    now_ms = int(decisions.request.at_ms[0])
    for waits, due in ((False, [0, 1, 2]), (True, [])):
        rows = OpenDecisions(UPLIFT)
        added = rows.add(told(decisions, np.array([0, 2, 4])), waits=waits)
        rows.set_final(added, np.full(3, now_ms + 5))
        assert rows.touched().tolist() == [0, 1, 2]
        assert rows.touched().tolist() == []
        assert rows.due(now_ms, also=rows.touched()).tolist() == due
        assert rows.due(now_ms, also=added[1:2]).tolist() == (due or [1])
        assert rows.due(now_ms + 5, also=added[:0]).tolist() == [0, 1, 2]


def test_feedback_and_claims_are_the_decisions_own(decisions: Decisions) -> None:
    rows = OpenDecisions(UPLIFT)
    added = rows.add(told_rows(decisions), waits=False)
    rows.set_sent(added[:1], np.array([77]))
    wide = np.ones((2, len(UPLIFT)))
    found = rows.feedback(added[[0, 3]], wide, wide)
    assert found.decision_id.tolist() == decisions.decision_id[[0, 3]].tolist()
    np.testing.assert_array_equal(found.context, decisions.request.context[[0, 3]])
    np.testing.assert_array_equal(found.item_features, decisions.item_features[[0, 3]])
    assert rows.claims(added).sent_ms[0] == 77
    assert rows.claims(added, as_planned=True).sent_ms[0] == decisions.slot_start_ms[0]


def test_contexts_of_another_length_are_refused_by_name(
    decisions: Decisions, request_of: Requests, decisions_of: Decides
) -> None:
    """Nothing of them is kept, and what was there stays."""
    rows = OpenDecisions(UPLIFT)
    rows.add(told_rows(decisions), waits=False)
    columns = decisions.request
    wider = type(columns)(
        **{
            name: getattr(columns, name) if name != "context" else np.zeros((6, 9))
            for name in type(columns).__slots__
        }
    )
    with pytest.raises(BadShapeError, match="context"):
        rows.add(told_rows(decisions_of(wider, first=10)), waits=False)
    assert rows.table.n_rows == 6


def test_closed_decisions_are_forgotten_by_their_age(decisions: Decisions) -> None:
    rows, closed = OpenDecisions(UPLIFT), ClosedDecisions()
    claims = rows.claims(rows.add(told_rows(decisions), waits=False))
    closed.add(claims, np.full(6, JoinState.REWARDED, np.int8))
    at_ms = int(claims.at_ms[0])
    closed.forget(at_ms)
    assert closed.table.n_rows == 6
    assert closed.claims(np.array([2])).user.tolist() == [2]
    closed.forget(at_ms + 1)
    assert closed.table.n_rows == 0
