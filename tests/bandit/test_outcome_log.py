from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bandit.errors import ForeignFileError, StateError
from bandit.log import read_log
from bandit.outcome_log import OUTCOME_SCHEMA, OutcomeWriter, read_outcomes
from bandit.outcomes import Kind, Outcomes, no_outcomes, outcomes_of


def made(first: int, n: int = 5) -> Outcomes:
    """Orders with amounts, told a minute after they happened."""
    ids = first + np.arange(n)
    at_ms = 1_700_000_000_000 + 1000 * ids
    return outcomes_of(
        Kind.CONVERTED,
        ids,
        user=ids % 3,
        at_ms=at_ms,
        received_ms=at_ms + 60_000,
        value=ids / 7.0,
        currency=np.where(ids % 2, "EUR", ""),
        decision_id=np.where(ids % 2, ids, -1),
    )


def test_what_is_told_comes_back_in_the_order_of_telling(tmp_path: Path) -> None:
    """Every column, floats bit by bit, over two writers; what is told twice is there twice."""
    OutcomeWriter(tmp_path).append(made(0))
    writer = OutcomeWriter(tmp_path)
    for batch in (made(5), no_outcomes(), made(0)):
        writer.append(batch)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [f"outcomes-{number:06d}.parquet" for number in range(3)]
    found = read_outcomes(tmp_path)
    for column in fields(Outcomes):
        expected = np.concatenate([getattr(made(first), column.name) for first in (0, 5, 0)])
        np.testing.assert_array_equal(getattr(found, column.name), expected)
        assert getattr(found, column.name).dtype.kind == expected.dtype.kind


def test_truncated_and_foreign_outcome_files_are_refused_by_name(tmp_path: Path) -> None:
    """Cut short, another table, another version, a gap, an empty folder, the other log."""
    OutcomeWriter(tmp_path).append(made(0))
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    for cut in (0, 3, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(ForeignFileError, match=path.name):
            read_outcomes(tmp_path)
    pq.write_table(pa.table({"a": [1]}), path)
    with pytest.raises(ForeignFileError, match="to be an outcome log, got another Parquet file"):
        read_outcomes(tmp_path)
    later = OUTCOME_SCHEMA.with_metadata({**OUTCOME_SCHEMA.metadata, b"version": b"99"})
    pq.write_table(later.empty_table(), path)
    with pytest.raises(ForeignFileError, match="99"):
        read_outcomes(tmp_path)
    path.write_bytes(whole)
    path.rename(tmp_path / "outcomes-000002.parquet")
    OutcomeWriter(tmp_path).append(made(5))
    (tmp_path / "outcomes-000000.parquet").write_bytes(whole)
    with pytest.raises(ForeignFileError, match="missing"):
        read_outcomes(tmp_path)
    with pytest.raises(ForeignFileError, match="expected decision log files"):
        read_log(tmp_path)


def test_rows_that_are_no_outcomes_are_refused(tmp_path: Path) -> None:
    """A file of the right kind may still say what cannot be."""
    OutcomeWriter(tmp_path).append(made(0))
    (path,) = tmp_path.iterdir()
    table = pq.read_table(path)
    kind = OUTCOME_SCHEMA.get_field_index("kind")
    wrong = pa.array(np.full(5, 99, np.uint8))
    pq.write_table(table.set_column(kind, OUTCOME_SCHEMA.field(kind), wrong), path)
    with pytest.raises(ForeignFileError, match=r"bandit\.outcomes\.Kind"):
        read_outcomes(tmp_path)


def test_a_second_writer_is_refused_before_it_replaces_anything(tmp_path: Path) -> None:
    """One writer a folder; a new one goes on after what is there."""
    first, second = OutcomeWriter(tmp_path), OutcomeWriter(tmp_path)
    first.append(made(0))
    with pytest.raises(StateError, match="another writer"):
        second.append(made(5))
    OutcomeWriter(tmp_path).append(made(5))
    np.testing.assert_array_equal(read_outcomes(tmp_path).outcome_id, np.arange(10))


def test_a_batch_that_could_not_be_written_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same writer may append it again."""
    writer = OutcomeWriter(tmp_path)

    def dies(*args: object) -> None:
        raise OSError("the power went")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", dies)
        with pytest.raises(OSError, match="power"):
            writer.append(made(0))
    assert not list(tmp_path.iterdir())
    writer.append(made(0))
    assert read_outcomes(tmp_path).n_rows == 5
