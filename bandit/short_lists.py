"""What else was on offer: each decision's eligible items with the probability of every one.

Decisions enter, fresh or from the log; columns of a fixed width leave, for learners that weigh a
row by what could have been sent instead (as Yancey and Settles 2020). Both ways give the same
bits, so that a replay learns the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from bandit.decide import Decisions
from bandit.errors import BadInputError

__all__ = ["NO_ITEM", "logged_lists", "told_lists"]

NO_ITEM = -1
"""Fills places where no item stands, or one that might not be sent."""

Columns = Mapping[str, NDArray[Any]]


def told_lists(decisions: Decisions, *, width: int) -> Columns:
    """Columns ``short_list`` and ``p_items`` of fresh decisions, (N, width) each.

    Parameters
    ----------
    decisions : Decisions
        N rows with K candidates each.
    width : int
        Places a row; 0 tells nothing.

    Raises
    ------
    BadInputError
        If a short list is longer than that.
    """
    request = decisions.request
    short_list, p_items = _nothing(request.n_rows, width)
    if width:
        _expect_room(request.n_items, width)
        shape = (request.n_rows, request.n_items, request.n_slots)
        may_be_sent = request.mask[:, 1:].reshape(shape).any(axis=2)
        short_list[:, : request.n_items] = np.where(may_be_sent, request.items, NO_ITEM)
        # One after the other, as the log's sparse entries are added up.
        summed = decisions.pmf[:, 1:].reshape(shape).cumsum(axis=2)[:, :, -1]
        p_items[:, : request.n_items] = summed
    return {"short_list": short_list, "p_items": p_items}


def logged_lists(log: pa.Table, *, width: int) -> Columns:
    """The same columns as the log tells them.

    Raises
    ------
    BadInputError
        If a short list is longer than ``width``, or the log was written without pmfs.
    """
    short_list, p_items = _nothing(log.num_rows, width)
    if not width:
        return {"short_list": short_list, "p_items": p_items}
    if log["pmf_actions"].null_count:
        raise BadInputError(
            "expected logged pmfs to learn from short lists, got rows without: they were left out "
            "when the log was written"
        )
    _expect_room(int(pc.max(pc.list_value_length(log["items"])).as_py() or 0), width)
    n_slots = np.asarray(pc.list_value_length(log["slot_starts_ms"]), np.int64)
    row, item = _entries(log["items"])
    short_list[row, np.arange(len(row)) - np.searchsorted(row, row)] = item
    row, action = _entries(log["pmf_actions"])
    _, value = _entries(log["pmf_values"])
    is_send = action > 0
    row, action = row[is_send], action[is_send]
    np.add.at(p_items, (row, (action - 1) // n_slots[row]), value[is_send])
    row, action = _entries(log["masked_actions"])
    row, action = row[action > 0], action[action > 0]
    n_masked = np.zeros(short_list.shape, np.int64)
    np.add.at(n_masked, (row, (action - 1) // n_slots[row]), 1)
    short_list[n_masked >= n_slots[:, None]] = NO_ITEM
    return {"short_list": short_list, "p_items": p_items}


def _nothing(n: int, width: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    return np.full((n, width), NO_ITEM, np.int64), np.zeros((n, width))


def _expect_room(n_items: int, width: int) -> None:
    if n_items > width:
        raise BadInputError(
            f"expected short lists of at most {width} items, got one of {n_items}: give the join "
            "that list_width"
        )


def _entries(column: pa.ChunkedArray) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Row and value of every entry of a column of lists, in order."""
    lists = column.combine_chunks()
    return np.asarray(pc.list_parent_indices(lists), np.int64), np.asarray(pc.list_flatten(lists))
