from __future__ import annotations

import numpy as np

from bandit.join_counts import JoinCounts, JoinState


def test_states_keep_their_numbers() -> None:
    """They may be stored."""
    assert {state.name: state.value for state in JoinState} == {
        "UNKNOWN": -1,
        "PENDING": 0,
        "REWARDED": 1,
        "DEFAULTED": 2,
        "DROPPED": 3,
        "LATE": 4,
    }


def test_every_decision_is_counted_under_one_state() -> None:
    """Final, then late: once, however often something comes late."""
    counts = JoinCounts(decisions=6, pending=5, dropped=1)
    counts.mark_final(np.array([True, True, False]))
    assert counts.states() == {
        "pending": 2,
        "rewarded": 2,
        "defaulted": 1,
        "late": 0,
        "dropped": 1,
    }
    counts.mark_late(np.array([JoinState.REWARDED, JoinState.DEFAULTED], np.int8))
    counts.mark_late(np.array([JoinState.LATE, JoinState.LATE], np.int8))
    assert counts.states() == {
        "pending": 2,
        "rewarded": 1,
        "defaulted": 0,
        "late": 2,
        "dropped": 1,
    }
    assert sum(counts.states().values()) == counts.decisions
    assert JoinCounts.of_state(counts.state()) == counts
