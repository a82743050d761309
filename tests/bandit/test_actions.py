from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from bandit.actions import ItemSet, Reason, Request, SlotGrid, take_requests
from bandit.errors import BadInputError, BadShapeError

Requests = Callable[..., Request]


def test_reasons_keep_their_bits_for_ever() -> None:
    """They are stored in the log: these are golden."""
    assert {reason.name: int(reason) for reason in Reason} == {
        "CONSENT": 1,
        "SUPPRESSED": 2,
        "UNKNOWN_ZONE": 4,
        "QUIET_HOURS": 8,
        "MIN_GAP": 16,
        "CAP": 32,
        "EXPIRED": 64,
        "STOCK": 128,
        "OPEN_PLAN": 256,
        "NOT_ELIGIBLE": 512,
        "PAST": 1024,
        "TASK": 2048,
    }


def test_an_item_named_twice_in_a_row_is_refused(request_of: Requests) -> None:
    """Its propensity would be that of one of its places; in different rows it is no twin."""
    items = np.array([[7, 8, 9], [7, 9, 7]])
    ItemSet(items=items[:1].repeat(2, axis=0), features=np.zeros((2, 3, 1)))
    with pytest.raises(BadInputError, match="item 7 twice in row 1"):
        ItemSet(items=items, features=np.zeros((2, 3, 1)))


def test_a_slot_that_does_not_end_after_its_start_is_named() -> None:
    start = np.array([[0, 10], [0, 10]])
    with pytest.raises(BadInputError, match=r"\[10, 10\) in row 1, slot 1"):
        SlotGrid(start_ms=start, end_ms=np.array([[10, 20], [10, 10]]))


@pytest.mark.parametrize("shape", [(4,), (4, 2, 1)])
def test_a_grid_has_a_row_a_user_and_a_column_a_slot(shape: tuple[int, ...]) -> None:
    with pytest.raises(BadShapeError, match="a column a slot"):
        SlotGrid(start_ms=np.zeros(shape, np.int64), end_ms=np.ones(shape, np.int64))


def test_a_grid_without_slots_is_refused() -> None:
    """There would be no action but hold, and no horizon."""
    none = np.zeros((4, 0), np.int64)
    with pytest.raises(BadInputError, match="at least one slot"):
        SlotGrid(start_ms=none, end_ms=none)


def test_the_horizon_is_the_end_of_the_last_slot() -> None:
    """Whatever the order of slots."""
    grid = SlotGrid(start_ms=np.array([[0, 10], [15, 5]]), end_ms=np.array([[10, 20], [30, 15]]))
    assert grid.horizon_ms.tolist() == [20, 30]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("user", np.zeros(5, np.int64)),
        ("at_ms", np.zeros((6, 1), np.int64)),
        ("zone", np.array(["UTC"] * 7)),
        ("context", np.zeros((5, 2))),
        ("item_features", np.zeros((6, 3, 3))),
        ("slot_features", np.zeros((6, 2, 2))),
        ("reasons", np.zeros((6, 12), np.uint16)),
    ],
)
def test_a_request_whose_parts_do_not_fit_is_refused_by_name(
    request_of: Requests, name: str, value: np.ndarray
) -> None:
    with pytest.raises(BadShapeError, match=f"expected {name} of shape"):
        replace(request_of(n_rows=6), **{name: value})


def test_a_request_has_a_grid_for_each_of_its_rows(request_of: Requests) -> None:
    request = request_of(n_rows=6)
    one = SlotGrid(start_ms=request.grid.start_ms[:1], end_ms=request.grid.end_ms[:1])
    with pytest.raises(BadShapeError, match="a grid for each row"):
        replace(request, grid=one)


def test_rows_taken_from_a_request_are_those_rows(request_of: Requests) -> None:
    """By index or by claim, every column."""
    request = request_of(n_rows=6)
    rows = np.array([4, 1])
    taken = take_requests(request, rows)
    for name in ("user", "at_ms", "zone", "context", "items", "item_features", "slot_features"):
        np.testing.assert_array_equal(getattr(taken, name), getattr(request, name)[rows])
    np.testing.assert_array_equal(taken.grid.start_ms, request.grid.start_ms[rows])
    assert take_requests(request, np.arange(6) < 2).user.tolist() == request.user[:2].tolist()
    assert taken.n_actions == 13
    np.testing.assert_array_equal(taken.mask, request.mask[rows])
