"""What may happen to a writer of the log: killed, out of room, not alone, without rows."""

from __future__ import annotations

import pickle
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from bandit.actions import Request
from bandit.decide import Decisions
from bandit.errors import ForeignFileError, StateError
from bandit.log import LogWriter, read_log

Requests = Callable[..., Request]
Decides = Callable[..., Decisions]

ROOT = Path(__file__).resolve().parents[2]
APPENDS_FOR_EVER = """
import pathlib, pickle, sys
from bandit.log import LogWriter
writer = LogWriter(pathlib.Path(sys.argv[1]))
decisions = pickle.loads(pathlib.Path(sys.argv[2]).read_bytes())
while True:
    writer.append(decisions)
    print("durable", flush=True)
"""


@pytest.fixture
def batch_of(request_of: Requests, decisions_of: Decides) -> Callable[[int], Decisions]:
    """Twenty decisions with ids of their own."""
    return lambda number: decisions_of(request_of(n_rows=20), first=20 * number)


@contextmanager
def room_for(n_bytes: int) -> Iterator[None]:
    """Files of this process may not grow beyond so many bytes, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def batches(folder: Path) -> list[int]:
    """Batch number of every twentieth row; each batch is there whole."""
    found = read_log(folder, ["batch"])["batch"].to_numpy()
    np.testing.assert_array_equal(found, np.repeat(found[::20], 20))
    return [int(number) for number in found[::20]]


def test_a_killed_writer_loses_nothing_that_was_durable(
    batch_of: Callable[[int], Decisions], tmp_path: Path
) -> None:
    """SIGKILL in the middle of appending, three times: whole batches, at most one untold."""
    (tmp_path / "batch").write_bytes(pickle.dumps(batch_of(0)))
    folder, n_told = tmp_path / "log", 0
    command = [sys.executable, "-c", APPENDS_FOR_EVER, str(folder), str(tmp_path / "batch")]
    for life, n_wanted in enumerate((3, 8, 14)):
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            for _ in range(n_wanted):
                assert child.stdout.readline() == "durable\n"
            child.send_signal(signal.SIGKILL)
            n_told += n_wanted + len(child.stdout.readlines())
        found = batches(folder)
        assert found == list(range(len(found)))
        assert n_told <= len(found) <= n_told + life + 1


def test_a_full_disk_takes_nothing_and_the_batch_can_be_appended_again(
    batch_of: Callable[[int], Decisions], tmp_path: Path
) -> None:
    """The refused batch is not in the log, nor beside it, and is there once when it fits."""
    writer = LogWriter(tmp_path)
    writer.append(batch_of(0))
    with room_for(2_000), pytest.raises(OSError, match="too large"):
        writer.append(batch_of(1))
    assert [path.name for path in tmp_path.iterdir()] == ["decisions-000000.parquet"]
    writer.append(batch_of(1))
    assert batches(tmp_path) == [0, 1]
    ids = read_log(tmp_path)["decision_id"].to_numpy()
    assert len(np.unique(ids)) == len(ids) == 40


def test_gathered_batches_wait_for_room(
    batch_of: Callable[[int], Decisions], tmp_path: Path
) -> None:
    """What was taken stays taken; only the batch that asked for the flush is refused."""
    writer = LogWriter(tmp_path, batches_a_file=2)
    writer.append(batch_of(0))
    with room_for(2_000), pytest.raises(OSError, match="too large"):
        writer.append(batch_of(1))
    writer.flush()
    assert batches(tmp_path) == [0]


def test_a_second_writer_is_refused_before_it_replaces_anything(
    batch_of: Callable[[int], Decisions], tmp_path: Path
) -> None:
    """Both opened on the same log: the later append fails, and a new writer goes on."""
    one, two = LogWriter(tmp_path), LogWriter(tmp_path)
    one.append(batch_of(0))
    with pytest.raises(StateError, match=r"decisions-000000\.parquet.*one writer"):
        two.append(batch_of(1))
    one.append(batch_of(2))
    LogWriter(tmp_path).append(batch_of(1))
    assert batches(tmp_path) == [0, 1, 2]
    running = read_log(tmp_path)["decision_id"].to_numpy()[::20] & 0xFFFF
    assert running.tolist() == [0, 40, 20]


def test_a_batch_without_rows_leaves_nothing_behind(
    batch_of: Callable[[int], Decisions],
    request_of: Requests,
    decisions_of: Decides,
    tmp_path: Path,
) -> None:
    """Nobody was observed that day; a writer opened next goes on all the same."""
    nobody = decisions_of(request_of(n_rows=0), pmf=np.zeros((0, 13)))
    with LogWriter(tmp_path, batches_a_file=3) as writer:
        for decisions in (nobody, batch_of(0), nobody):
            writer.append(decisions)
    with LogWriter(tmp_path) as writer:
        for decisions in (nobody, batch_of(1), nobody):
            writer.append(decisions)
    assert batches(tmp_path) == [0, 1]


def test_a_part_that_is_missing_is_named(
    batch_of: Callable[[int], Decisions], tmp_path: Path
) -> None:
    """Between others; a log whose oldest files were moved elsewhere is read and written."""
    with LogWriter(tmp_path) as writer:
        for number in range(4):
            writer.append(batch_of(number))
    (tmp_path / "decisions-000000.parquet").unlink()
    assert batches(tmp_path) == [1, 2, 3]
    (tmp_path / "decisions-000002.parquet").unlink()
    for opened in (read_log, LogWriter):
        with pytest.raises(ForeignFileError, match=r"after decisions-000001\.parquet"):
            opened(tmp_path)


@pytest.mark.parametrize("name", ["decisions-000000 (copy)", "decisions-old", "decisions-0000000"])
def test_a_copy_in_the_folder_is_not_read_as_more_of_the_log(
    batch_of: Callable[[int], Decisions], tmp_path: Path, name: str
) -> None:
    with LogWriter(tmp_path) as writer:
        writer.append(batch_of(0))
    copy = tmp_path / f"{name}.parquet"
    shutil.copy(tmp_path / "decisions-000000.parquet", copy)
    for opened in (read_log, LogWriter):
        with pytest.raises(ForeignFileError) as refused:
            opened(tmp_path)
        assert copy.name in str(refused.value)


def test_the_millionth_file_comes_after_the_one_before_it(
    batch_of: Callable[[int], Decisions], tmp_path: Path
) -> None:
    """A service that appends every second gets there in twelve days."""
    LogWriter(tmp_path).append(batch_of(0))
    (tmp_path / "decisions-000000.parquet").rename(tmp_path / "decisions-999999.parquet")
    for number in (1, 2):
        LogWriter(tmp_path).append(batch_of(number))
    assert batches(tmp_path) == [0, 1, 2]
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {f"decisions-{number}.parquet" for number in (999999, 1000000, 1000001)}
