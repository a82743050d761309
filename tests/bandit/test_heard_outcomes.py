from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandit.heard_outcomes import HeardOutcomes
from bandit.outcomes import Kind, Outcomes, outcomes_of


def told(ids: list[int], *, kind: Kind = Kind.CONVERTED, **more: object) -> Outcomes:
    n = len(ids)
    fine = {"user": np.arange(n), "at_ms": np.arange(n) * 10, "value": np.array(ids, np.float64)}
    return outcomes_of(kind, np.array(ids, np.int64), **(fine | more))  # type: ignore[arg-type]


def corrects(outcome_id: int, target: int, at_ms: int, value: float) -> Outcomes:
    one = told([outcome_id], at_ms=np.array([at_ms]), value=value)
    return replace(one, corrects=np.array([target]))


def value_of(heard: HeardOutcomes, outcome_id: int) -> float:
    _, row = heard.table.find("outcome_id", np.array([outcome_id]))
    return float(heard.table["value"][row][0])


def test_a_corrected_value_is_in_the_currency_of_its_correction() -> None:
    """What was told as 5 dollars and was 4 euros is 4 euros."""
    heard = HeardOutcomes()
    heard.tell(told([1], value=5.0, currency="USD"))
    heard.tell(replace(corrects(2, 1, 10, 4.0), currency=np.array(["EUR"])))
    _, row = heard.table.find("outcome_id", np.array([1]))
    assert (value_of(heard, 1), heard.table["currency"][row].tolist()) == (4.0, ["EUR"])


@given(st.permutations(range(6)), st.integers(0, 6))
def test_outcomes_are_one_table_however_they_were_told(order: list[int], cut: int) -> None:
    """Each once, the first telling of an id kept; apart, together, and twice in one batch."""
    heard = HeardOutcomes()
    first, _ = heard.tell(told(order[:cut]))
    again, _ = heard.tell(told(order + order, value=99.0))
    assert (len(first), len(again)) == (cut, 6 - cut)
    assert sorted(heard.table["outcome_id"].tolist()) == list(range(6))
    for n in order:
        assert value_of(heard, n) == (float(n) if n in order[:cut] else 99.0)


def test_outcomes_are_found_by_user_and_by_decision() -> None:
    """Behaviour by user; what carries a decision's id by that; corrections by neither."""
    heard = HeardOutcomes()
    heard.tell(told([1, 2], user=np.array([7, 8])))
    heard.tell(told([3], kind=Kind.CLICKED, decision_id=np.array([70]), user=np.array([7])))
    heard.tell(told([4], decision_id=np.array([70]), user=np.array([8])))
    heard.tell(replace(told([5], user=np.array([7])), corrects=np.array([1])))
    position, row = heard.by_user(np.array([8, 7]))
    found = zip(position.tolist(), heard.table["outcome_id"][row].tolist(), strict=True)
    assert sorted(found) == [(0, 2), (0, 4), (1, 1)]
    _, row = heard.by_decision(np.array([70]))
    assert sorted(heard.table["outcome_id"][row].tolist()) == [3, 4]
    assert len(heard.deliveries(np.array([70]))[1]) == 0


@pytest.mark.parametrize("order", list(permutations(range(5))))
def test_the_latest_correction_is_in_force_whatever_the_order(order: tuple[int, ...]) -> None:
    """Chains, and two at the same instant, of which the larger id stands."""
    batches = [
        told([1], value=50.0),
        corrects(2, 1, 30, 40.0),
        corrects(3, 2, 60, 30.0),
        corrects(4, 1, 60, 35.0),
        corrects(5, 3, 20, 20.0),
    ]
    heard, moved = HeardOutcomes(), set()
    for n in order:
        _, rows = heard.tell(batches[n])
        moved |= set(heard.table["outcome_id"][rows].tolist())
    assert value_of(heard, 1) == 35.0
    assert moved == {1}
    assert [value_of(heard, n) for n in (2, 3, 4, 5)] == [40.0, 30.0, 35.0, 20.0]


def test_corrections_in_a_circle_or_of_themselves_wait_for_ever() -> None:
    """They correct nothing, cost nothing, and go with their time."""
    heard = HeardOutcomes()
    for batch in (corrects(1, 2, 10, 1.0), corrects(2, 1, 10, 2.0), corrects(3, 3, 10, 3.0)):
        _, moved = heard.tell(batch)
        assert len(moved) == 0
    assert [value_of(heard, n) for n in (1, 2, 3)] == [1.0, 2.0, 3.0]
    assert heard.forget(1000) == 0
    assert heard.table.n_rows == 0


def test_ids_may_be_negative_but_for_the_one_that_stands_for_none() -> None:
    heard = HeardOutcomes()
    heard.tell(told([-7], value=5.0))
    heard.tell(corrects(1, -7, 10, 6.0))
    assert value_of(heard, -7) == 6.0


def test_what_is_forgotten_is_old_by_both_of_its_times() -> None:
    """Told late about long ago, or dated ahead: neither is old. Unclaimed answers are counted."""
    heard = HeardOutcomes()
    at_ms, received_ms = np.array([5, 5, 900]), np.array([5, 900, 5])
    answers = told(
        [1, 2, 3],
        kind=Kind.CLICKED,
        at_ms=at_ms,
        received_ms=received_ms,
        decision_id=np.array([70, 71, 72]),
    )
    heard.tell(answers)
    heard.tell(told([4], at_ms=np.array([5])))
    heard.tell(replace(answers, outcome_id=np.array([11, 12, 13]), corrects=np.array([1, 2, 3])))
    assert heard.forget(100) == 1
    assert sorted(heard.table["outcome_id"][heard.table.rows].tolist()) == [2, 3, 12, 13]


def test_a_state_goes_on_where_it_was() -> None:
    """Waiting corrections wait on, and what is in force stays in force."""
    one, two = HeardOutcomes(), HeardOutcomes()
    one.tell(told([1], value=50.0))
    one.tell(corrects(2, 1, 30, 40.0))
    one.tell(corrects(4, 3, 30, 44.0))
    two.load(one.state())
    for heard in (one, two):
        heard.tell(corrects(5, 1, 20, 99.0))
        heard.tell(told([3], value=10.0))
        assert [value_of(heard, n) for n in (1, 3)] == [40.0, 44.0]
