from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from bandit.decide import Mode
from bandit.errors import BadInputError
from bandit.outcomes import Kind, Outcomes, outcomes_of
from bandit.slots import DAY_MS, HOUR_MS
from simulator.logged import LOG_COLUMNS, Logged, logged_of, plan_of

START_MS = 1_772_409_600_000  # Monday 2 March 2026, 00:00 UTC


def table_of(**columns: Any) -> pa.Table:
    """Decisions of users 7 and 9 over three days: 7 is sent to at noon of the second."""
    day = np.tile(np.arange(3), 2)
    sent = np.array([0, 1, 0, 0, 0, 0], bool)
    made: dict[str, Any] = {
        "decision_id": np.array([13, 11, 12, 21, 22, 23]),
        "user": np.repeat([7, 9], 3),
        "at_ms": START_MS + day * DAY_MS,
        "zone": pa.array(["Europe/Berlin"] * 3 + [""] * 3).dictionary_encode(),
        "mode": np.zeros(6, np.uint8),
        "planned": np.where(sent, 25, 0).astype(np.int32),
        "executed": np.where(sent, 25, 0).astype(np.int32),
        "item": np.where(sent, 40, -1),
        "slot_start_ms": START_MS + day * DAY_MS + np.where(sent, 12 * HOUR_MS, 0),
        "propensity": np.where(sent, 0.01, [0.8, 0.0, 0.8, 1.0, 1.0, 1.0]),
        "p_send": np.repeat([0.2, 0.0], 3),
        "items": pa.array([[30, 40]] * 6),
    } | columns
    assert set(made) == set(LOG_COLUMNS)
    return pa.table(made)


def outcomes(rows: list[tuple[Kind, int, float, int]]) -> Outcomes:
    """(kind, user, hours since the start, decision id)."""
    kinds, users, hours, ids = (np.array(column) for column in zip(*rows, strict=True))
    made = outcomes_of(
        Kind.SESSION,
        np.arange(len(rows)),
        user=users,
        at_ms=START_MS + (hours * HOUR_MS).astype(np.int64),
        decision_id=ids,
    )
    made.kind[:] = kinds
    return made


HEARD = [
    (Kind.DELIVERED, 7, 36.0, 11),
    (Kind.CLICKED, 7, 37.5, 11),
    (Kind.SESSION, 7, 37.5, -1),
    (Kind.SESSION, 9, 5.0, -1),
    (Kind.CONVERTED, 9, 6.0, -1),
    (Kind.UNSUBSCRIBED, 7, 50.0, -1),
    (Kind.SESSION, 9, 99.0, -1),
]


def test_responses_are_joined_by_id_and_behaviour_by_user_and_time() -> None:
    logged = logged_of(table_of(), outcomes(HEARD))
    plan = logged.plan
    assert plan.n_users == 2
    assert (plan.step_h, plan.n_steps) == (24, 3)
    assert (plan.n_items, plan.n_candidates) == (2, 2)
    assert plan.item.tolist() == [-1, 1, -1, -1, -1, -1]
    assert logged.is_delivered.tolist() == [False, True] + [False] * 4
    assert logged.is_clicked.tolist() == logged.is_delivered.tolist()
    assert logged.click_min[1] == 90.0
    assert logged.sessions.user.tolist() == [0, 1]  # the one after the log's end is not looked at
    assert logged.orders.user.tolist() == [1]
    assert logged.left_ms[0] == START_MS + 50 * HOUR_MS
    assert logged.left_ms[1] > START_MS + 10**6 * HOUR_MS


def test_only_holds_that_were_drawn_at_random_have_a_weight() -> None:
    """1 / P(hold); nothing where only hold was possible; 1 in the holdout."""
    plan = logged_of(table_of(), outcomes(HEARD)).plan
    np.testing.assert_allclose(plan.hold_weight, [1.25, 0, 1.25, 0, 0, 0])
    assert plan.is_reachable.tolist() == [True, False]
    mode = np.array([0, 0, 0, Mode.HOLDOUT, Mode.HOLDOUT, Mode.HOLDOUT], np.uint8)
    held = logged_of(table_of(mode=mode), outcomes(HEARD)).plan
    np.testing.assert_allclose(held.hold_weight[3:], 1.0)


def test_hours_are_those_of_the_user_and_unknown_zones_have_none() -> None:
    plan = logged_of(table_of(), outcomes(HEARD)).plan
    hours = plan.hour_of_week(np.array([0, 1]), np.full(2, START_MS + 26 * HOUR_MS))
    assert hours.tolist() == [27, -1]  # Berlin is an hour ahead in March


def test_doubles_count_once_and_corrections_replace_the_amount() -> None:
    heard = outcomes([*HEARD, (Kind.CONVERTED, 9, 6.0, -1)])
    heard.outcome_id[7], heard.outcome_id[6] = 4, 3
    assert logged_of(table_of(), heard).orders.user.tolist() == [1]
    corrected = outcomes([*HEARD, (Kind.CONVERTED, 9, 7.0, -1)])
    corrected.corrects[7] = 4
    told = np.array(corrected.value)
    told[7] = 12.5
    fixed = Outcomes(**{n: getattr(corrected, n) for n in Outcomes.__slots__} | {"value": told})
    assert logged_of(table_of(), fixed).orders.value.tolist() == [12.5]


def test_a_send_that_was_cancelled_was_none() -> None:
    logged = logged_of(table_of(), outcomes([*HEARD, (Kind.CANCELLED, 7, 36.0, 11)]))
    assert not logged.plan.is_sent.any()


def test_several_decisions_a_day_make_steps_of_an_hour() -> None:
    at_ms = START_MS + np.tile(np.arange(3), 2) * HOUR_MS
    assert plan_of(table_of(at_ms=at_ms))[2].step_h == 1
    day = table_of(
        executed=np.full(6, 1, np.int32), slot_start_ms=START_MS + np.arange(6) * HOUR_MS
    )
    assert plan_of(day)[2].step_h == 1


@pytest.mark.parametrize(
    ("columns", "heard", "words"),
    [
        ({"mode": np.full(6, Mode.SHADOW, np.uint8)}, HEARD, "carried out"),
        ({}, [(Kind.SESSION, 5, 1.0, -1)], "outcomes of the users"),
    ],
)
def test_logs_that_say_nothing_are_refused(
    columns: Mapping[str, Any], heard: list[tuple[Kind, int, float, int]], words: str
) -> None:
    with pytest.raises(BadInputError, match=words):
        logged_of(table_of(**columns), outcomes(heard))


def test_the_record_of_a_world_is_whole(small_log: Callable[[], Logged]) -> None:
    """Clicks are delivered, delays are not below 0, who has left is sent nothing."""
    logged = small_log()
    assert logged.is_delivered[logged.is_clicked].all()
    assert (logged.click_min[logged.is_clicked] >= 0).all()
    sent = logged.plan.is_sent
    late = logged.plan.send_ms - DAY_MS > logged.left_ms[logged.plan.user]
    assert not (sent & late).any()
    assert 0.8 < logged.is_delivered[sent].mean() < 0.97
