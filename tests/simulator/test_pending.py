from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bandit.outcomes import Kind
from simulator.happened import Happened, happened
from simulator.pending import Pending


def outcomes(row: list[int], kind: Kind = Kind.CONVERTED) -> Happened:
    return happened(kind, np.array(row, np.int64), at_min=np.zeros(len(row)))


def test_a_reward_arrives_at_its_step_and_not_before() -> None:
    """Three of one row, due now, next and never within the run."""
    ledger = Pending(2)
    ledger.add(outcomes([1, 1, 1]), np.array([1.0, 2.0, 4.0]), due=np.array([0, 1, 9]))
    assert ledger.pay(0)[0].tolist() == [0.0, 1.0]
    assert ledger.pay(1)[0].tolist() == [0.0, 2.0]
    assert ledger.waiting().tolist() == [0.0, 4.0]


def test_the_rest_of_a_life_is_paid_out_or_expires() -> None:
    """By the flag, for the rows that ended and for no others."""
    for pays_rest, paid, expired in ((True, 3.0, 0.0), (False, 0.0, 3.0)):
        ledger = Pending(2)
        ledger.add(outcomes([0, 1]), np.array([3.0, 5.0]), due=np.array([7, 7]))
        assert ledger.settle(np.array([True, False]), pays_rest=pays_rest)[0] == paid
        assert ledger.expired.tolist() == [expired, 0.0]
        assert ledger.waiting().tolist() == [0.0, 5.0]


def test_what_is_worth_nothing_waits_only_if_a_server_will_hear_of_it() -> None:
    """Deliveries are dropped, clicks are kept, though neither pays."""
    ledger = Pending(1)
    for kind in (Kind.DELIVERED, Kind.CLICKED):
        ledger.add(outcomes([0], kind), np.zeros(1), due=np.array([3]))
    assert ledger.n_entries == 1
    assert ledger.pay(3)[1].kind.tolist() == [Kind.CLICKED]


def test_a_copy_lives_on_apart() -> None:
    """Paying one leaves the other's rewards waiting."""
    ledger = Pending(1)
    ledger.add(outcomes([0]), np.ones(1), due=np.array([2]))
    twin = ledger.copy()
    ledger.pay(2)
    assert (ledger.waiting()[0], twin.waiting()[0]) == (0.0, 1.0)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-8, 8), st.integers(0, 9)), max_size=40))
def test_what_is_decided_has_arrived_or_waits_or_has_expired(
    entries: list[tuple[int, int, int]],
) -> None:
    """For every row, whatever comes in which order."""
    ledger = Pending(4)
    for now in range(6):
        part = entries[now::6]
        row = [entry[0] for entry in part]
        worth = np.array([entry[1] for entry in part], np.float64)
        due = now + np.array([entry[2] for entry in part], np.int64)
        ledger.add(outcomes(row), worth, due=due)
        ledger.pay(now)
        ledger.settle(np.arange(4) == now, pays_rest=now % 2 == 0)
    whole = ledger.arrived + ledger.waiting() + ledger.expired
    assert np.array_equal(ledger.decided, whole)
