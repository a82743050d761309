from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bandit.errors import BadInputError
from bandit.outcomes import Feedback
from bandit.slots import DAY_MS
from policies.budgets.ledger import Ledger
from policies.budgets.limits import Limit
from policies.conformance.rows import feedback_of
from policies.shape import PolicyShape

SHAPE = PolicyShape(
    n_context=1, n_item_features=1, n_slot_features=1, n_users=9, n_items=4, n_slots=3
)
LIMITS = (
    Limit(name="sends", amount=7.0, price=0.25),
    Limit(name="spring", amount=2.0, per="day", items=(1,)),
)


def ledger_of(**changes: float) -> Ledger:
    settings = {"step": 0.1, "growth": 0.0, "highest": 9.0} | changes
    return Ledger(LIMITS, period_ms=DAY_MS, n_users=10, **settings)


def ten_days(seed: int = 1) -> Feedback:
    rows = feedback_of(SHAPE, 300, seed=seed)
    rng = np.random.default_rng(seed)
    at_ms = (20_000 + rng.integers(0, 10, 300)) * DAY_MS + rng.integers(0, DAY_MS, 300)
    return replace(rows, at_ms=at_ms, p_send=rng.random(300))


def test_prices_follow_the_days_that_are_closed() -> None:
    """Ten a day may be sent and two of item 1; the day of the newest row does not count yet."""
    rows, ledger = ten_days(), ledger_of()
    np.testing.assert_array_equal(ledger.in_force, [0.25, 0.0])
    ledger.add(rows)
    price = np.array([0.25, 0.0])
    for day in range(9):
        today = rows.at_ms // DAY_MS == 20_000 + day
        use = rows.p_send[today].sum(), (rows.item[today] == 1).sum()
        price = np.clip(price + 0.1 * (np.array(use) / [10.0, 2.0] - 1.0), 0.0, 9.0)
    np.testing.assert_allclose(ledger.in_force, price)
    assert len(ledger.prices) == 10


def test_the_same_rows_end_in_the_same_prices_whatever_their_batches() -> None:
    """Backwards, one by one, or at once: a late row moves the past as if it had been on time."""
    rows, at_once = ten_days(), ledger_of()
    at_once.add(rows)
    for order in (np.arange(300)[::-1], np.random.default_rng(2).permutation(300)):
        ledger = ledger_of()
        for row in order:
            ledger.add(rows.take(np.array([row])))
        np.testing.assert_allclose(ledger.prices, at_once.prices, rtol=1e-12, atol=1e-12)
        assert ledger.first == at_once.first == 20_000


def test_days_without_decisions_use_nothing() -> None:
    rows = ten_days()
    gap = ledger_of()
    gap.add(replace(rows, at_ms=np.where(rows.at_ms % 2 == 0, 5 * DAY_MS, 9 * DAY_MS)))
    assert len(gap.prices) == 5
    np.testing.assert_array_equal(gap.excess[1:], -1.0)
    gap.add(rows.take(np.arange(0)))
    assert len(gap.prices) == 5


def test_a_saved_ledger_goes_on_as_if_never_stopped() -> None:
    rows, ledger, resumed = ten_days(), ledger_of(), ledger_of()
    ledger.add(rows)
    saved = ledger.state()
    resumed.load(saved)
    assert resumed.prices.tobytes() == ledger.prices.tobytes()
    before = saved["use"].copy()
    for one in (ledger, resumed):
        one.add(ten_days(seed=2))
    assert resumed.prices.tobytes() == ledger.prices.tobytes()
    np.testing.assert_array_equal(saved["use"], before)
    with pytest.raises(BadInputError, match="saved use"):
        resumed.load(saved | {"use": np.zeros((3, 7))})


def test_without_limits_there_are_no_prices() -> None:
    ledger = Ledger((), period_ms=DAY_MS, n_users=1, step=1.0, growth=0.1, highest=1.0)
    ledger.add(ten_days())
    assert ledger.in_force.shape == (0,)
