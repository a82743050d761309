"""The decision log: appended before anything is carried out, read whole or refused.

Decisions enter, one Parquet file a flush leaves, each written aside and moved into place when
durable; a table in log order comes back. The log is the truth: what a learner has consumed is
rebuilt from it. A folder has one writer; a second one is refused before it replaces anything.
Format: Apache Parquet with the versioned schema of :mod:`bandit.log_schema`.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from types import TracebackType

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from bandit.decide import Decisions
from bandit.errors import BadInputError, ForeignFileError, StateError
from bandit.log_schema import KIND, SCHEMA, VERSION, table_of

__all__ = ["LogWriter", "logged_hash", "pmf_of", "read_log"]

_NAME = re.compile(r"decisions-(\d{6}|[1-9]\d{6,})\.parquet")


@dataclass(slots=True)
class LogWriter:
    """Appends decisions to a folder of Parquet files.

    Parameters
    ----------
    folder : Path
        Where the files go; made if absent. Files of earlier writers stay, numbers go on.
    keeps_pmf : bool
        False leaves the pmf out; the propensities stay.
    batches_a_file : int
        How many batches are gathered into one file. With 1, the default, decisions are
        durable when :meth:`append` returns; with more, when :meth:`flush` or the context
        manager's end returns.
    """

    folder: Path
    keeps_pmf: bool = True
    batches_a_file: int = 1
    _waiting: list[pa.Table] = field(init=False, default_factory=list)
    _batch: int = field(init=False, default=0)
    _file: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        files = _files(self.folder)
        if files:
            self._file = 1 + _number(files[-1])
            self._batch = 1 + int(_read(files[-1], ["batch"])["batch"][-1].as_py())

    def append(self, decisions: Decisions) -> None:
        """Take one batch; see ``batches_a_file`` for when it is durable.

        A batch without rows says nothing and has no number. One that cannot be written, for want
        of room or because another writer is at work, is not taken: it may be appended again.
        """
        if not decisions.n_rows:
            return
        self._waiting.append(table_of(decisions, batch=self._batch, keeps_pmf=self.keeps_pmf))
        if len(self._waiting) >= self.batches_a_file:
            try:
                self.flush()
            except BaseException:
                self._waiting.pop()
                raise
        self._batch += 1

    def flush(self) -> None:
        """Make everything appended so far durable.

        Raises
        ------
        StateError
            If another writer has appended to the folder; nothing of its log is touched.
        """
        if not self._waiting:
            return
        table = pa.concat_tables([t.unify_dictionaries() for t in self._waiting])
        _write_new(self.folder / f"decisions-{self._file:06d}.parquet", table)
        self._waiting.clear()
        self._file += 1

    def __enter__(self) -> LogWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.flush()


def read_log(path: Path, columns: list[str] | None = None) -> pa.Table:
    """Read a log file, or a folder of them, in log order.

    Parameters
    ----------
    path : Path
        A file or folder; files that a writer left unfinished are not looked at.
    columns : list of str, optional
        Which columns; all by default.

    Raises
    ------
    ForeignFileError
        For a truncated or foreign file, one of another schema version, or one that is missing
        between others, by name.
    BadInputError
        For a column that no log has.
    """
    unknown = sorted(set(columns or ()) - set(SCHEMA.names))
    if unknown:
        raise BadInputError(f"expected columns of the decision log, got {unknown}")
    files = _files(path) if path.is_dir() else [path]
    if not files:
        raise ForeignFileError(f"expected decision log files in {path}, found none")
    return pa.concat_tables([_read(file, columns) for file in files])


def logged_hash(table: pa.Table) -> str:
    """Hash of what a log says, whatever its files and chunks: equal logs, equal hashes."""
    digest = hashlib.blake2b(digest_size=16)
    for name in table.column_names:
        column = table[name]
        if pa.types.is_dictionary(column.type):
            column = column.cast(pa.string())
        digest.update(name.encode())
        _digest(digest, column.combine_chunks())
    return digest.hexdigest()


def pmf_of(table: pa.Table, *, n_actions: int) -> NDArray[np.float64]:
    """Stored pmfs as a matrix (N, A), exactly as they were drawn from.

    Raises
    ------
    StateError
        If the log was written without them.
    BadInputError
        If there are more actions than ``n_actions``.
    """
    actions = table["pmf_actions"].combine_chunks()
    if actions.null_count:
        raise StateError("expected stored pmfs, got a log written with keeps_pmf=False")
    counts, action = np.diff(np.asarray(actions.offsets)), np.asarray(actions.flatten())
    if action.max(initial=0) >= n_actions:
        raise BadInputError(f"expected {n_actions} actions, got number {action.max()} in the log")
    pmf = np.zeros((table.num_rows, n_actions))
    rows = np.repeat(np.arange(table.num_rows), counts)
    pmf[rows, action] = np.asarray(table["pmf_values"].combine_chunks().flatten())
    return pmf


def _digest(digest: hashlib.blake2b, array: pa.Array) -> None:
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], array.type)
    digest.update(np.asarray(array.is_null()).tobytes())
    if pa.types.is_list(array.type):
        lengths = np.diff(np.asarray(array.offsets))
        digest.update(lengths.astype(np.int64).tobytes())
        _digest(digest, array.flatten())
    elif pa.types.is_string(array.type):
        encoded = array.dictionary_encode()
        digest.update(repr(encoded.dictionary.to_pylist()).encode())
        digest.update(np.asarray(encoded.indices.fill_null(-1)).tobytes())
    elif pa.types.is_null(array.type):
        digest.update(len(array).to_bytes(8, "little"))
    else:
        digest.update(np.asarray(array.fill_null(0)).tobytes())


def _write_new(path: Path, table: pa.Table) -> None:
    """Write aside, then move into place: whole or not at all, and never over another file."""
    aside = path.with_suffix(".partial")
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        # Writers take turns; the system ends the turn of one that is killed.
        fcntl.flock(folder, fcntl.LOCK_EX)
        if path.exists():
            raise StateError(
                f"expected {path} not to be there yet, got the file of another writer, or of a "
                "flush whose end nobody was told: keep one writer a folder, and open a new one, "
                "which goes on after what is there"
            )
        try:
            with aside.open("wb") as file:
                pq.write_table(table, file, compression="zstd", write_page_checksum=True)
                file.flush()
                os.fsync(file.fileno())
            aside.replace(path)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise
        # The rename itself must survive a crash, not only the bytes.
        os.fsync(folder)
    finally:
        os.close(folder)


def _number(path: Path) -> int:
    """Running number of a log file."""
    named = _NAME.fullmatch(path.name)
    if named is None:
        raise ForeignFileError(
            f"expected log files named as decisions-000000.parquet, got {path}: move it elsewhere"
        )
    return int(named[1])


def _files(folder: Path) -> list[Path]:
    """Files in order of their numbers; the first may be any, the others follow without a gap."""
    files = sorted(folder.glob("decisions-*.parquet"), key=_number)
    for before, after in pairwise(files):
        if _number(after) != _number(before) + 1:
            raise ForeignFileError(
                f"expected the file after {before.name} in {folder}, got {after.name}: a part of "
                "the log is missing; put it back, or move what comes before it elsewhere"
            )
    return files


def _read(path: Path, columns: list[str] | None = None) -> pa.Table:
    try:
        schema = pq.read_schema(path)
    except (pa.ArrowException, OSError) as error:
        raise ForeignFileError(
            f"expected {path} to be a whole decision log file, reading it failed: {error}"
        ) from error
    said = schema.metadata or {}
    if said.get(b"kind") != KIND:
        raise ForeignFileError(f"expected {path} to be a decision log, got another Parquet file")
    if said.get(b"version") != VERSION:
        raise ForeignFileError(
            f"expected {path} to be of log version {VERSION.decode()}, got "
            f"{said.get(b'version', b'none').decode()}: read it with the version that wrote it"
        )
    wanted = list(SCHEMA) if columns is None else [SCHEMA.field(name) for name in columns]
    try:
        table = pq.read_table(path, columns=columns, page_checksum_verification=True)
        table = table.cast(pa.schema(wanted, metadata=SCHEMA.metadata))
        # Checksums cover pages, not their headers: indices and offsets are looked at too.
        table.validate(full=True)
        return table
    except (pa.ArrowException, OSError, ValueError) as error:
        raise ForeignFileError(
            f"expected {path} to be whole, reading it failed: {error}"
        ) from error
