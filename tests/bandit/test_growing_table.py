from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bandit.errors import BadShapeError
from bandit.growing_table import GrowingTable, KeyIndex, spans


def every(columns: Mapping[str, Any]) -> np.ndarray:
    return np.ones(len(columns["key"]), np.bool_)


def is_even(columns: Mapping[str, Any]) -> np.ndarray:
    return columns["value"] % 2 == 0


def table_of(keys: list[int]) -> GrowingTable:
    columns = {"key": np.array(keys, np.int64), "value": np.arange(len(keys))}
    return GrowingTable(columns, keys={"key": every})


@settings(deadline=None)
@given(
    st.lists(st.lists(st.integers(-3, 5), max_size=6), max_size=12),
    st.lists(st.integers(-3, 7), max_size=5),
)
def test_an_index_finds_what_a_plain_loop_finds(batches: list[list[int]], asked: list[int]) -> None:
    """However it grew, keys negative and repeated, in the index and in the question."""
    index, known = KeyIndex(), []
    for batch in batches:
        rows = np.arange(len(known), len(known) + len(batch))
        index.add(np.array(batch, np.int64), rows)
        known += batch
    position, row = index.find(np.array(asked, np.int64))
    expected = [(p, r) for p, key in enumerate(asked) for r, k in enumerate(known) if k == key]
    assert sorted(zip(position.tolist(), row.tolist(), strict=True)) == expected


def test_runs_stay_few_however_small_the_batches() -> None:
    """A thousand rows one by one: each swallowed a logarithmic number of times."""
    index = KeyIndex()
    for n in range(1000):
        index.add(np.array([n % 7]), np.array([n]))
    assert len(index._runs) <= 10
    assert len(index.find(np.array([3]))[1]) == len(range(3, 1000, 7))


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=8), st.integers(1, 20))
def test_spans_are_all_pairs_in_order_and_no_row_is_cut(
    ranges: list[tuple[int, int]], most: int
) -> None:
    low, high = (np.array(c, np.int64) for c in (zip(*ranges, strict=True) if ranges else ([], [])))
    parts = [(n.tolist(), at.tolist()) for n, at in spans(low, high, most=most)]
    pairs = [pair for n, at in parts for pair in zip(n, at, strict=True)]
    assert pairs == [(n, at) for n, (lo, hi) in enumerate(ranges) for at in range(lo, hi)]
    owners = [set(n) for n, _ in parts]
    assert sum(map(len, owners)) == len(set().union(*owners))
    assert all(len(n) <= most or len(set(n)) == 1 for n, _ in parts)


def test_rows_that_are_gone_are_not_found_and_numbers_change_only_when_tidied() -> None:
    table = table_of([])
    for start in range(0, 3000, 500):
        rows = table.append({"key": np.arange(500) % 10, "value": np.arange(start, start + 500)})
        assert rows.tolist() == list(range(start, start + 500))
    table.remove(np.arange(0, 3000, 2))
    assert table.n_rows == 1500
    assert len(table.find("key", np.array([4]))[1]) == 0
    assert not table_of([1, 2]).tidy()
    table.remove(np.array([1]))
    assert table.tidy()
    assert table["value"].tolist() == list(range(3, 3000, 2))
    position, row = table.find("key", np.array([4, 5]))
    assert set(position.tolist()) == {1}
    assert (table["key"][row] == 5).all()
    assert len(row) == 300


def test_an_index_may_hold_some_rows_only() -> None:
    columns = {"key": np.array([1, 1, 1]), "value": np.array([2, 3, 4])}
    table = GrowingTable(columns, keys={"key": is_even})
    table.append({"key": np.array([1, 1]), "value": np.array([5, 6])})
    assert sorted(table.find("key", np.array([1]))[1].tolist()) == [0, 2, 4]


def test_an_empty_table_takes_the_width_of_what_comes_and_keeps_it() -> None:
    """Another encoder's contexts are refused by their shape, and nothing of them is kept."""
    table = GrowingTable(
        {"key": np.zeros(0, np.int64), "context": np.zeros((0, 0))}, keys={"key": every}
    )
    table.append({"key": np.zeros(0, np.int64), "context": np.zeros((0, 5))})
    table.append({"key": np.array([1, 2]), "context": np.full((2, 3), 7.0)})
    with pytest.raises(BadShapeError, match="context"):
        table.append({"key": np.array([3]), "context": np.zeros((1, 4))})
    assert table.n_rows == 2
    assert table["context"].tolist() == [[7.0] * 3] * 2


def test_appending_nothing_costs_nothing() -> None:
    """Nor does room grow by it."""
    table = table_of([])
    for _ in range(200):
        table.append({"key": np.zeros(0, np.int64), "value": np.zeros(0, np.int64)})
    assert len(table._is_kept) <= 1024


def test_a_table_is_restored_without_what_was_gone() -> None:
    table = table_of([5, 6, 7])
    table.remove(np.array([1]))
    saved = table.state()
    table.append({"key": np.array([6]), "value": np.array([9])})
    other = table_of([])
    other.load(saved)
    assert other["key"].tolist() == [5, 7]
    assert other.find("key", np.array([7, 6]))[1].tolist() == [1]
