from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bandit.actions import Request
from bandit.decide import Decisions, Mode, draw_actions
from bandit.errors import BadInputError, ForeignFileError, StateError
from bandit.log import LogWriter, logged_hash, pmf_of, read_log
from bandit.log_schema import SCHEMA

Requests = Callable[..., Request]
Decides = Callable[..., Decisions]


@pytest.fixture
def decided(request_of: Requests, decisions_of: Decides) -> Decisions:
    """Twenty decisions, some actions masked, some rows held out."""
    reasons = np.zeros((20, 13), np.uint16)
    reasons[3, 4], reasons[7, 1:4] = 8, 33
    mode = np.zeros(20, np.uint8)
    mode[::5] = Mode.HOLDOUT
    return decisions_of(request_of(n_rows=20, reasons=reasons), mode=mode)


def test_what_is_written_comes_back(decided: Decisions, tmp_path: Path) -> None:
    """Every column, floats bit by bit."""
    with LogWriter(tmp_path) as writer:
        writer.append(decided)
    table = read_log(tmp_path)
    assert table.schema.equals(SCHEMA)
    for name in ("planned", "executed", "propensity", "p_send", "p_item", "p_slot", "mode"):
        np.testing.assert_array_equal(np.asarray(table[name]), getattr(decided, name))
    np.testing.assert_array_equal(np.asarray(table["item"]), decided.item)
    np.testing.assert_array_equal(np.asarray(table["slot_start_ms"]), decided.slot_start_ms)
    context = np.array(table["context"].to_pylist())
    np.testing.assert_array_equal(context, decided.request.context)
    np.testing.assert_array_equal(pmf_of(table, n_actions=13), decided.pmf)
    masked = table["masked_actions"].to_pylist()
    assert (masked[3], masked[7], masked[0]) == ([4], [1, 2, 3], [])
    assert table["masked_reasons"][7].as_py() == [33, 33, 33]
    assert set(table["policy"].to_pylist()) == {"test"}


def test_a_stored_pmf_draws_the_same_action_again(decided: Decisions, tmp_path: Path) -> None:
    """Anyone with the key can check every draw from the log alone."""
    with LogWriter(tmp_path) as writer:
        writer.append(decided)
    table = read_log(tmp_path)
    pmf = pmf_of(table, n_actions=13)
    again = draw_actions(pmf, np.asarray(table["decision_id"]), key=1)
    np.testing.assert_array_equal(again, np.asarray(table["planned"]))


def test_files_are_read_in_the_order_they_were_written(decided: Decisions, tmp_path: Path) -> None:
    """Batch numbers go on over writers; gathered batches make fewer files, the same log."""
    for _ in range(2):
        with LogWriter(tmp_path / "one") as writer:
            writer.append(decided)
            writer.append(decided)
    with LogWriter(tmp_path / "few", batches_a_file=3) as writer:
        for _ in range(4):
            writer.append(decided)
    one, few = read_log(tmp_path / "one"), read_log(tmp_path / "few")
    assert np.unique(np.asarray(one["batch"])).tolist() == [0, 1, 2, 3]
    assert len(list((tmp_path / "few").glob("*.parquet"))) == 2
    assert logged_hash(one) == logged_hash(few)


def test_the_hash_is_of_what_is_said(decided: Decisions, tmp_path: Path) -> None:
    """One propensity off by one bit, one zone, one mode: another hash."""
    changed = decided.propensity.copy()
    changed[5] = np.nextafter(changed[5], 1)
    zone = decided.request.zone.astype("U20").copy()
    zone[2] = "Europe/Berlin"
    variants = {
        "same": decided,
        "bit": replace(decided, propensity=changed),
        "zone": replace(decided, request=replace(decided.request, zone=zone)),
        "mode": replace(decided, mode=np.zeros(20, np.uint8)),
    }
    hashes = set()
    for name, decisions in variants.items():
        with LogWriter(tmp_path / name) as writer:
            writer.append(decisions)
        hashes.add(logged_hash(read_log(tmp_path / name)))
    assert len(hashes) == 4


def test_pmfs_may_be_left_out_and_then_cannot_be_asked_for(
    decided: Decisions, tmp_path: Path
) -> None:
    """Propensities stay exact."""
    with LogWriter(tmp_path, keeps_pmf=False) as writer:
        writer.append(decided)
    table = read_log(tmp_path)
    np.testing.assert_array_equal(np.asarray(table["propensity"]), decided.propensity)
    with pytest.raises(StateError, match="keeps_pmf"):
        pmf_of(table, n_actions=13)


def test_truncated_and_foreign_files_are_refused_by_name(
    decided: Decisions, tmp_path: Path
) -> None:
    """Cut short, another Parquet file, another version, an empty folder."""
    with LogWriter(tmp_path) as writer:
        writer.append(decided)
    (path,) = tmp_path.glob("*.parquet")
    whole = path.read_bytes()
    for cut in (0, 3, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(ForeignFileError, match=path.name):
            read_log(tmp_path)
    pq.write_table(pa.table({"a": [1]}), path)
    with pytest.raises(ForeignFileError, match="another Parquet file"):
        read_log(tmp_path)
    later = SCHEMA.with_metadata({**SCHEMA.metadata, b"version": b"99"})
    pq.write_table(later.empty_table(), path)
    with pytest.raises(ForeignFileError, match="99"):
        read_log(tmp_path)
    path.unlink()
    with pytest.raises(ForeignFileError, match="found none"):
        read_log(tmp_path)


def test_a_crash_while_writing_leaves_what_was_there(
    decided: Decisions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The part that was not renamed is not looked at, and the next writer goes on."""
    with LogWriter(tmp_path) as writer:
        writer.append(decided)

    def dies(*args: object, **more: object) -> None:
        raise OSError("the power went")

    writer = LogWriter(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", dies)
        with pytest.raises(OSError, match="power"):
            writer.append(decided)
    assert read_log(tmp_path).num_rows == 20
    with LogWriter(tmp_path) as writer:
        writer.append(decided)
    assert read_log(tmp_path)["batch"].to_pylist() == [0] * 20 + [1] * 20


def test_chosen_columns_are_read_alone(decided: Decisions, tmp_path: Path) -> None:
    """For evaluations that need four of forty."""
    with LogWriter(tmp_path) as writer:
        writer.append(decided)
    assert read_log(tmp_path, ["user", "propensity"]).column_names == ["user", "propensity"]


def test_a_column_that_no_log_has_is_refused(decided: Decisions, tmp_path: Path) -> None:
    with LogWriter(tmp_path) as writer:
        writer.append(decided)
    with pytest.raises(BadInputError, match="regret"):
        read_log(tmp_path, ["user", "regret"])


def test_one_bit_that_turned_on_disk_is_never_read_as_another_log(
    decided: Decisions, tmp_path: Path
) -> None:
    """Refused by name, or without meaning: what is read says what was written."""
    with LogWriter(tmp_path) as writer:
        writer.append(decided)
    (path,) = tmp_path.glob("*.parquet")
    whole, said = path.read_bytes(), logged_hash(read_log(tmp_path))
    rng = np.random.default_rng(5)
    n_refused = 0
    for at in rng.choice(len(whole), 80, replace=False):
        turned = bytearray(whole)
        turned[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(turned)
        try:
            assert logged_hash(read_log(tmp_path)) == said
        except ForeignFileError as error:
            assert path.name in str(error)
            n_refused += 1
    assert n_refused > 40


def test_an_absent_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ForeignFileError, match=r"none\.parquet"):
        read_log(tmp_path / "none.parquet")


def test_one_file_is_read_alone_and_many_in_order(decided: Decisions, tmp_path: Path) -> None:
    """Twelve files: the tenth comes after the ninth."""
    with LogWriter(tmp_path) as writer:
        for _ in range(12):
            writer.append(decided)
    assert read_log(tmp_path)["batch"].to_pylist() == [n for n in range(12) for _ in range(20)]
    ninth = sorted(tmp_path.glob("*.parquet"))[9]
    assert read_log(ninth)["batch"].to_pylist() == [9] * 20


def test_a_log_goes_on_while_batches_wait_and_loses_none(
    decided: Decisions, tmp_path: Path
) -> None:
    """An error in the caller's block still makes durable what was appended."""
    with pytest.raises(RuntimeError, match="caller"), LogWriter(tmp_path, batches_a_file=9) as log:
        log.append(decided)
        assert not list(tmp_path.glob("*.parquet"))
        raise RuntimeError("the caller's")
    assert read_log(tmp_path).num_rows == 20


def test_a_hash_hangs_on_what_is_said_and_not_on_how_it_is_cut(
    decided: Decisions, tmp_path: Path
) -> None:
    """Chunks and slices; the order of rows is said."""
    with LogWriter(tmp_path) as writer:
        writer.append(decided)
        writer.append(decided)
    table = read_log(tmp_path)
    assert logged_hash(table.combine_chunks()) == logged_hash(table)
    pieces = pa.concat_tables([table.slice(0, 7), table.slice(7, 20), table.slice(27)])
    assert logged_hash(pieces) == logged_hash(table)
    turned = table.take(np.arange(table.num_rows)[::-1])
    assert logged_hash(turned) != logged_hash(table)


def test_pmfs_of_a_part_of_a_log_are_of_that_part(decided: Decisions, tmp_path: Path) -> None:
    with LogWriter(tmp_path) as writer:
        writer.append(decided)
    part = read_log(tmp_path).slice(5, 6)
    np.testing.assert_array_equal(pmf_of(part, n_actions=13), decided.pmf[5:11])
    with pytest.raises(BadInputError, match="expected 12 actions, got number 12"):
        pmf_of(part, n_actions=12)
