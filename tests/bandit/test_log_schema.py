from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest

from bandit.actions import Request
from bandit.decide import Decisions
from bandit.floor import Floor
from bandit.log_schema import KIND, SCHEMA, VERSION, table_of

Requests = Callable[..., Request]
Decides = Callable[..., Decisions]


@pytest.fixture
def decided(request_of: Requests, decisions_of: Decides) -> Decisions:
    """Nine decisions in two zones, one action masked."""
    reasons = np.zeros((9, 13), np.uint16)
    reasons[4, 2] = 5
    floor = Floor(hold=0.06, send=0.02, item=0.03, slot=0.04)
    return decisions_of(request_of(n_rows=9, zone="Asia/Tokyo", reasons=reasons), floor=floor)


def lists(column: pa.ChunkedArray) -> np.ndarray:
    return np.array(column.to_pylist())


def test_every_column_says_what_was_decided(decided: Decisions) -> None:
    """Column by column, bit by bit; the whole schema is looked at."""
    table = table_of(decided, batch=7)
    request, stamp = decided.request, decided.stamp
    expected = {
        "decision_id": decided.decision_id,
        "batch": np.full(9, 7),
        "user": request.user,
        "at_ms": request.at_ms,
        "zone": request.zone,
        "mode": decided.mode,
        "planned": decided.planned,
        "executed": decided.executed,
        "item": decided.item,
        "slot": decided.slot,
        "slot_start_ms": decided.slot_start_ms,
        "propensity": decided.propensity,
        "p_send": decided.p_send,
        "p_item": decided.p_item,
        "p_slot": decided.p_slot,
        "items": request.items,
        "slot_starts_ms": request.grid.start_ms,
        "slot_ends_ms": request.grid.end_ms,
        "context": request.context,
        "item_features": decided.item_features,
        "slot_features": decided.slot_features,
        "policy": np.full(9, stamp.policy),
        "state_seq": np.full(9, stamp.state_seq),
        "encoder": np.full(9, stamp.encoder),
        "scheme": np.full(9, stamp.scheme),
        "campaign": np.full(9, stamp.campaign),
        "topic": np.full(9, stamp.topic),
        "floor_hold": np.full(9, 0.06),
        "floor_send": np.full(9, 0.02),
        "floor_item": np.full(9, 0.03),
        "floor_slot": np.full(9, 0.04),
    }
    for name, values in expected.items():
        np.testing.assert_array_equal(lists(table[name]), values, err_msg=name)
    sparse = {"masked_actions", "masked_reasons", "pmf_actions", "pmf_values"}
    unknown_yet = {"consent", "pass_probability", "expires_ms", "collapse_key"}
    assert set(SCHEMA.names) == set(expected) | sparse | unknown_yet
    assert all(table[name].null_count == 9 for name in unknown_yet)


def test_pmfs_are_kept_where_they_are_above_zero_only(decided: Decisions) -> None:
    """Twelve of thirteen actions where one is masked."""
    table = table_of(decided, batch=0)
    actions, values = table["pmf_actions"].to_pylist(), table["pmf_values"].to_pylist()
    assert [len(row) for row in actions] == [13] * 4 + [12] + [13] * 4
    assert 2 not in actions[4]
    np.testing.assert_array_equal(values[4], decided.pmf[4][actions[4]])
    assert table["masked_actions"].to_pylist() == [[]] * 4 + [[2]] + [[]] * 4
    assert table["masked_reasons"][4].as_py() == [5]


def test_a_row_says_the_same_whatever_its_neighbours_are(
    request_of: Requests, decisions_of: Decides
) -> None:
    """Where nothing is masked the lists are empty, in a batch with masks and in one without."""
    reasons = np.zeros((2, 13), np.uint16)
    free = table_of(decisions_of(request_of(n_rows=2, reasons=reasons)), batch=0)
    reasons[1, 5] = 8
    mixed = table_of(decisions_of(request_of(n_rows=2, reasons=reasons)), batch=0)
    assert free.slice(0, 1).equals(mixed.slice(0, 1))
    assert free["masked_actions"].to_pylist() == free["masked_reasons"].to_pylist() == [[], []]


def test_the_schema_carries_its_kind_and_version(decided: Decisions) -> None:
    table = table_of(decided, batch=0, keeps_pmf=False)
    assert table.schema.metadata == {b"kind": KIND, b"version": VERSION}
    assert table.schema.equals(SCHEMA)
    assert table["pmf_values"].null_count == 9


def test_columns_of_this_version_are_these() -> None:
    """A column more, fewer or of another type is another version."""
    assert VERSION == b"1"
    assert len(SCHEMA) == 39
    required = [field.name for field in SCHEMA if not field.nullable]
    assert required[0] == "decision_id"
    assert {"propensity", "p_send", "p_item", "p_slot", "context"} <= set(required)
