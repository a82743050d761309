from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bandit.join_rows import DecisionRows, OutcomeRows
from bandit.outcomes import UPLIFT, Kind, no_outcomes, outcomes_of

a_row = st.tuples(st.integers(0, 3), st.integers(0, 20), st.integers(0, 10))
an_outcome = st.tuples(st.integers(0, 4), st.integers(0, 25), st.integers(-3, 3))


def heard(told: list[tuple[int, int, int]]) -> OutcomeRows:
    owner, at_ms, value = (np.array(c, np.int64) for c in zip(*told, strict=True))
    table, _, _ = OutcomeRows.empty().joined(
        outcomes_of(
            Kind.CONVERTED,
            np.arange(len(told)),
            user=owner,
            at_ms=at_ms,
            value=value.astype(np.float64),
            decision_id=owner,
        )
    )
    return table


@given(st.lists(a_row, min_size=1, max_size=15), st.lists(an_outcome, min_size=1, max_size=20))
def test_sums_by_time_are_what_a_plain_loop_says(
    rows: list[tuple[int, int, int]], told: list[tuple[int, int, int]]
) -> None:
    """Users with several rows and none, outcomes of strangers, windows of no length."""
    user, start, length = (np.array(c, np.int64) for c in zip(*rows, strict=True))
    found = heard(told)
    sums = found.sums_by_time(user, start, start + length, found.value)
    row, outcome = found.pairs_by_time(user, start, start + length)
    pairs = set(zip(row.tolist(), outcome.tolist(), strict=True))
    for n, (owner, begin, width) in enumerate(rows):
        inside = [
            m for m, (u, t, _) in enumerate(told) if u == owner and begin <= t < begin + width
        ]
        assert sums[n] == sum(told[m][2] for m in inside)
        assert {m for r, m in pairs if r == n} == set(inside)


@given(st.permutations(range(4)), st.lists(an_outcome, min_size=1, max_size=20))
def test_sums_by_id_are_what_a_plain_loop_says(
    ids: list[int], told: list[tuple[int, int, int]]
) -> None:
    """Decisions in any order, responses to unknown ones, each row's own window."""
    found = heard(told)
    decision, start = np.array(ids), np.array(ids) * 3
    sums = found.sums_by_id(decision, start, start + 10, found.value)
    for n, own in enumerate(ids):
        inside = [v for d, t, v in told if d == own and 3 * own <= t < 3 * own + 10]
        assert sums[n] == sum(inside)


def test_nothing_heard_and_nobody_open_add_up_to_nothing() -> None:
    whole = np.zeros(0, np.int64)
    some = np.arange(3)
    nothing = OutcomeRows.empty()
    assert nothing.sums_by_time(some, some, some + 5, np.zeros(0)).tolist() == [0, 0, 0]
    assert nothing.sums_by_id(some, some, some + 5, np.zeros(0)).tolist() == [0, 0, 0]
    told = heard([(1, 2, 3)])
    assert told.sums_by_time(whole, whole, whole, told.value).shape == (0,)
    assert told.sums_by_id(whole, whole, whole, told.value).shape == (0,)
    assert DecisionRows.empty_like(UPLIFT).n_rows == 0
    again, duplicates, corrections = told.joined(no_outcomes())
    assert (again.n_rows, duplicates, corrections) == (1, 0, 0)


@given(st.permutations(range(6)), st.integers(1, 5))
def test_outcomes_are_one_table_however_they_were_told(order: list[int], cut: int) -> None:
    """Sorted by id, each once, the first telling of an id kept."""
    told = outcomes_of(
        Kind.SESSION, np.array(order), user=np.array(order), at_ms=np.array(order) * 10
    )
    columns = {name: getattr(told, name) for name in type(told).__slots__}
    parts = [
        type(told)(**{name: column[part] for name, column in columns.items()})
        for part in (slice(None, cut), slice(0, 6))
    ]
    table, first, _ = OutcomeRows.empty().joined(parts[0])
    table, second, _ = table.joined(parts[1])
    assert (first, second) == (0, cut)
    assert table.outcome_id.tolist() == list(range(6))
    assert table.at_ms.tolist() == [0, 10, 20, 30, 40, 50]


def test_copies_of_rows_do_not_write_back() -> None:
    told = heard([(1, 2, 3), (2, 3, 4)])
    copy = told.take(np.array([0]))
    copy.value[:] = 99.0
    assert told.value.tolist() == [3.0, 4.0]
