from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.stats import chisquare

from bandit.actions import HOLD, Request, action_of, item_position, slot_position
from bandit.decide import (
    ID_BITS,
    LAST_DECISION_MS,
    Decisions,
    Mode,
    decision_ids,
    draw_actions,
    with_executed,
)
from bandit.errors import BadInputError, BadPmfError, BadShapeError, StateError
from bandit.floor import NO_FLOOR
from bandit.log_schema import table_of

Requests = Callable[..., Request]
Decides = Callable[..., Decisions]


def random_pmf(request: Request, seed: int = 0) -> Any:
    pmf = np.random.default_rng(seed).random(request.mask.shape) * request.mask
    return pmf / pmf.sum(axis=1, keepdims=True)


def test_propensities_are_the_entries_and_margins_of_the_stored_pmf(
    request_of: Requests, decisions_of: Decides
) -> None:
    """Joint, send, item and slot, recomputed from the pmf that was drawn from."""
    request = request_of(n_rows=200)
    done = decisions_of(request, pmf=random_pmf(request))
    rows = np.arange(200)
    np.testing.assert_array_equal(done.propensity, done.pmf[rows, done.planned])
    np.testing.assert_allclose(done.p_send, 1 - done.pmf[:, HOLD])
    pairs = done.pmf[:, 1:].reshape(200, 4, 3)
    for row in rows:
        if done.planned[row] == HOLD:
            assert done.p_item[row] == done.p_slot[row] == done.pmf[row, HOLD]
            continue
        item, slot = divmod(int(done.planned[row]) - 1, 3)
        assert done.p_item[row] == pytest.approx(pairs[row, item].sum())
        assert done.p_slot[row] == pytest.approx(pairs[row, :, slot].sum())


def test_actions_are_drawn_as_often_as_their_probability(
    request_of: Requests, decisions_of: Decides
) -> None:
    """One row's pmf, drawn forty thousand times under running ids."""
    n = 40_000
    pmf = np.tile(random_pmf(request_of(n_rows=1)), (n, 1))
    drawn = draw_actions(pmf, decision_ids(np.full(n, 1_767_254_400_000)), key=9)
    counts = np.bincount(drawn, minlength=pmf.shape[1])
    assert chisquare(counts, pmf[0] * n).pvalue > 1e-4


def test_the_same_decision_drawn_again_is_the_same(
    request_of: Requests, decisions_of: Decides
) -> None:
    """From the stored pmf, the key and the id alone, bit by bit; another key draws another."""
    done = decisions_of(request_of(n_rows=500), key=4)
    again = draw_actions(done.pmf, done.decision_id, key=4)
    np.testing.assert_array_equal(again, done.planned)
    assert (draw_actions(done.pmf, done.decision_id, key=5) != done.planned).any()


def test_a_draw_does_not_depend_on_its_batch(request_of: Requests, decisions_of: Decides) -> None:
    """Every row alone draws what it drew among the others."""
    done = decisions_of(request_of(n_rows=40))
    for row in range(40):
        alone = draw_actions(done.pmf[[row]], done.decision_id[[row]], key=1)
        assert alone[0] == done.planned[row]


def test_an_action_of_probability_zero_is_never_drawn() -> None:
    """Neither before, between nor after the others, whatever the rounding."""
    n = 20_000
    pmf = np.tile([0.0, 0.1, 0.0, 0.9 - 1e-16, 0.0], (n, 1))
    drawn = draw_actions(pmf, np.arange(n), key=3)
    assert set(np.unique(drawn)) == {1, 3}


def test_masked_actions_are_never_planned(request_of: Requests, decisions_of: Decides) -> None:
    """Whatever the floor."""
    reasons = np.zeros((300, 13), np.uint16)
    reasons[:, [0, 3, 7]] = 8
    done = decisions_of(request_of(n_rows=300, reasons=reasons))
    assert not np.isin(done.planned, [0, 3, 7]).any()


@pytest.mark.parametrize(
    ("mode", "is_executed"),
    [(Mode.LIVE, True), (Mode.LOG_ONLY, True), (Mode.HOLDOUT, False), (Mode.SHADOW, False)],
)
def test_a_plan_is_kept_whatever_is_executed(
    request_of: Requests, decisions_of: Decides, mode: Mode, is_executed: bool
) -> None:
    """Holdout and shadow rows hold, and keep plan and propensity."""
    request = request_of(n_rows=60)
    done = decisions_of(request, mode=np.full(60, mode, np.uint8))
    np.testing.assert_array_equal(done.planned, decisions_of(request).planned)
    expected = done.planned if is_executed else np.zeros(60)
    np.testing.assert_array_equal(done.executed, expected)


def test_modes_keep_their_numbers_for_ever() -> None:
    """They are stored in the log: these are golden."""
    assert [mode.name for mode in Mode] == ["LIVE", "HOLDOUT", "SHADOW", "LOG_ONLY", "ESTIMATE"]
    assert [int(mode) for mode in Mode] == [0, 1, 2, 3, 4]


def test_an_estimate_is_not_a_decision(request_of: Requests, decisions_of: Decides) -> None:
    """It has no draw and no id."""
    with pytest.raises(StateError, match="estimate"):
        decisions_of(request_of(n_rows=2), mode=np.array([0, Mode.ESTIMATE], np.uint8))


@pytest.mark.parametrize("mode", [5, 300, -1, 0.5])
def test_a_mode_that_there_is_not_is_refused(
    request_of: Requests, decisions_of: Decides, mode: float
) -> None:
    """It would be executed as if it were live."""
    with pytest.raises(BadInputError, match=rf"holdout.*got {mode} in row 1"):
        decisions_of(request_of(n_rows=2), mode=np.array([0, mode]))


def test_an_empty_short_list_leaves_hold(request_of: Requests, decisions_of: Decides) -> None:
    """Nothing to send is no fault: every row holds for certain, and can be logged."""
    done = decisions_of(request_of(n_rows=3, n_items=0))
    assert done.planned.tolist() == [HOLD] * 3
    for chance in (done.propensity, done.p_item, done.p_slot):
        assert chance.tolist() == [1.0] * 3
    assert done.item.tolist() == done.slot.tolist() == [-1] * 3
    assert done.item_features.shape == (3, 3)
    assert table_of(done, batch=0)["items"].to_pylist() == [[]] * 3


def test_features_of_a_hold_are_zero_whatever_the_first_pair_has(
    request_of: Requests, decisions_of: Decides
) -> None:
    """A NaN of an action that was not taken does not reach the learner."""
    request = request_of(n_rows=4)
    request.item_features[:, 0] = np.nan
    request.slot_features[:, 0] = np.inf
    held = np.zeros((4, 13))
    held[:, HOLD] = 1.0
    done = decisions_of(request, pmf=held, floor=NO_FLOOR)
    assert not done.item_features.any()
    assert not done.slot_features.any()


def test_a_cancelled_send_keeps_its_plan(request_of: Requests, decisions_of: Decides) -> None:
    """Intention to treat: only what was executed changes."""
    done = decisions_of(request_of(n_rows=30))
    stopped = with_executed(done, np.zeros(30, np.int64))
    np.testing.assert_array_equal(stopped.planned, done.planned)
    np.testing.assert_array_equal(stopped.propensity, done.propensity)
    with pytest.raises(BadShapeError):
        with_executed(done, np.zeros(29, np.int64))


def test_ids_sort_by_time_and_never_repeat() -> None:
    """Across batches of one millisecond and of many."""
    first = decision_ids(np.array([5, 5, 6]), first=0)
    second = decision_ids(np.array([6, 7]), first=3)
    ids = np.concatenate([first, second])
    assert (np.diff(ids) > 0).all()
    assert (ids >= 0).all()


def test_a_batch_of_more_rows_than_ids_is_refused() -> None:
    """22 bits of running numbers: the last rows would have the ids of the first."""
    many = np.broadcast_to(np.int64(5), ((1 << ID_BITS) + 1,))
    with pytest.raises(BadInputError, match=r"at most 4194304 decisions .* split the batch"):
        decision_ids(many)


@pytest.mark.parametrize("at_ms", [-1, 1 << 41])
def test_times_that_do_not_fit_an_id_are_refused(at_ms: int) -> None:
    """41 bits of milliseconds end in 2039."""
    with pytest.raises(BadInputError, match=f"2039, in milliseconds, got {at_ms} in row 1"):
        decision_ids(np.array([LAST_DECISION_MS - 1, at_ms]))


def test_the_order_of_actions_is_hold_then_item_by_slot() -> None:
    """Action 1 + k·S + s sends item k at slot s; hold has neither."""
    actions = np.arange(13)
    item, slot = item_position(actions, n_slots=3), slot_position(actions, n_slots=3)
    assert (item[0], slot[0]) == (-1, -1)
    np.testing.assert_array_equal(action_of(item[1:], slot[1:], n_slots=3), actions[1:])


def test_item_and_slot_of_a_decision_are_those_of_its_plan(
    request_of: Requests, decisions_of: Decides
) -> None:
    """Ids from the row's own short list, features of the planned pair, zeros for hold."""
    request = request_of(n_rows=80)
    done = decisions_of(request, floor=NO_FLOOR)
    for row in range(80):
        if done.planned[row] == HOLD:
            assert done.item[row] == -1
            assert not done.item_features[row].any()
            assert done.slot_start_ms[row] == request.at_ms[row]
            continue
        item, slot = divmod(int(done.planned[row]) - 1, 3)
        assert done.item[row] == request.items[row, item]
        np.testing.assert_array_equal(done.item_features[row], request.item_features[row, item])
        np.testing.assert_array_equal(done.slot_features[row], request.slot_features[row, slot])
        assert done.slot_start_ms[row] == request.grid.start_ms[row, slot]


def test_a_pmf_over_masked_actions_is_refused(request_of: Requests, decisions_of: Decides) -> None:
    """Before anything is drawn."""
    reasons = np.zeros((2, 13), np.uint16)
    reasons[1, 5] = 1
    request = request_of(n_rows=2, reasons=reasons)
    with pytest.raises(BadPmfError, match="row 1, action 5"):
        decisions_of(request, pmf=np.full((2, 13), 1 / 13))
