from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bandit.errors import BadInputError
from bandit.slots import DAY_MS, HOUR_MS
from policies.budgets.limits import Limit, limits_of, prices_of_actions, used
from policies.conformance.rows import feedback_of
from policies.shape import PolicyShape

SHAPE = PolicyShape(
    n_context=1, n_item_features=1, n_slot_features=1, n_users=9, n_items=4, n_slots=3
)
MAIL = Limit(name="mail", amount=100.0, per="hour", each_hour=True)


def test_what_a_period_may_have_by_hand() -> None:
    """Seven users at three a week: three a day; 700 € a week at .5 € a send: 200 a day."""
    day = {"period_ms": DAY_MS, "n_users": 7}
    assert Limit(name="sends", amount=3.0).sends_a_period(**day) == pytest.approx(3.0)
    euros = Limit(name="spring", amount=700.0, per="week", cost=0.5)
    assert euros.sends_a_period(**day) == pytest.approx(200.0)
    assert MAIL.sends_a_period(**day) == pytest.approx(100.0)
    stock = Limit(name="stock", amount=50.0, per="run", starts_ms=DAY_MS, ends_ms=11 * DAY_MS)
    assert stock.sends_a_period(**day) == pytest.approx(5.0)


def test_a_limit_is_there_from_its_start_to_its_end() -> None:
    half = Limit(name="x", amount=1.0, starts_ms=DAY_MS // 2, ends_ms=2 * DAY_MS)
    np.testing.assert_allclose(half.share_of(-1, 5, period_ms=DAY_MS), [0, 0.5, 1, 0, 0])
    always = Limit(name="x", amount=1.0)
    np.testing.assert_array_equal(always.share_of(7, 2, period_ms=DAY_MS), 1.0)


def test_an_action_pays_for_its_item_and_the_hour_of_its_slot(desk: Any) -> None:
    """Any send .1, items 1 and 3 .5 more, the hour from ten to eleven .02 more; hold nothing."""
    limits = (
        Limit(name="sends", amount=1.0),
        Limit(name="spring", amount=1.0, items=(1, 3)),
        MAIL,
    )
    by_hour = np.zeros(24)
    by_hour[10] = 0.02
    request = desk.request(2, k=2, s=2, hour=9)
    paid = prices_of_actions(limits, np.concatenate([[0.1, 0.5], by_hour]), request)
    np.testing.assert_allclose(paid, [[0.0, 0.1, 0.12, 0.6, 0.62]] * 2)
    nothing = prices_of_actions(limits, np.zeros(26), request)
    np.testing.assert_array_equal(nothing, np.zeros((2, 5)))


def test_a_plan_uses_what_it_was_allocated() -> None:
    """P(send) of every row, whatever was drawn; the item and the hour that were planned."""
    feedback = feedback_of(SHAPE, 200, seed=3)
    feedback = replace(
        feedback,
        p_send=np.linspace(0.1, 0.9, 200),
        at_ms=np.full(200, 22 * HOUR_MS + 17),
    )
    limits = (
        Limit(name="sends", amount=1.0),
        Limit(name="spring", amount=1.0, items=(1, 3)),
        MAIL,
    )
    use = used(limits, feedback)
    np.testing.assert_array_equal(use[:, 0], feedback.p_send)
    np.testing.assert_array_equal(use[:, 1], feedback.is_send & np.isin(feedback.item, [1, 3]))
    for row in range(200):
        hours = np.zeros(24)
        if feedback.is_send[row]:
            hours[(22 + feedback.slot[row]) % 24] = 1.0
        np.testing.assert_array_equal(use[row, 2:], hours)


def test_limits_come_from_toml_tables() -> None:
    made = limits_of({"spring": {"amount": 3, "per": "day", "items": [2, 5]}})
    assert made == (Limit(name="spring", amount=3, per="day", items=(2, 5)),)
    assert limits_of({}) == ()


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"amount": 1.0, "every": "day"}, "expected limit 'x' to be a table with an amount"),
        ({"per": "day"}, "expected limit 'x' to be a table with an amount"),
        ({"amount": 1.0, "per": "month"}, "got 'month'"),
        ({"amount": 0.0}, "amount and cost above 0"),
        ({"amount": 1.0, "cost": np.inf}, "amount and cost above 0"),
        ({"amount": 1.0, "price": -1.0}, "price of at least 0"),
        ({"amount": 1.0, "per": "run"}, "a limit per run needs both"),
        ({"amount": 1.0, "starts_ms": 5, "ends_ms": 4}, "to end after it starts"),
    ],
)
def test_limits_that_make_no_sense_are_refused(table: dict[str, Any], words: str) -> None:
    with pytest.raises(BadInputError, match=words):
        limits_of({"x": table})
