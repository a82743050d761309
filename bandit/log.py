"""The decision log: appended before anything is carried out, read whole or refused.

Decisions enter, one Parquet file a flush leaves, each written aside and moved into place when
durable; a table in log order comes back. The log is the truth: what a learner has consumed is
rebuilt from it. A folder has one writer; a second one is refused before it replaces anything.
Format: Apache Parquet with the versioned schema of :mod:`bandit.log_schema`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bandit.decide import Decisions
from bandit.errors import BadInputError, StateError
from bandit.log_schema import SCHEMA, table_of
from bandit.parquet_files import NumberedFiles

__all__ = ["LogWriter", "logged_hash", "pmf_of", "read_log"]

_FILES = NumberedFiles(stem="decisions", what="decision log", schema=SCHEMA)


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
        files = _FILES.in_order(self.folder)
        if files:
            self._file = 1 + _FILES.number_of(files[-1])
            self._batch = 1 + int(_FILES.read(files[-1], ["batch"])["batch"][-1].as_py())

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
        _FILES.write_new(self.folder, self._file, table)
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
    return _FILES.read_all(path, columns)


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
    digest.update(np.asarray(array.is_null()).tobytes())
    if pa.types.is_list(array.type):
        lengths = np.diff(np.asarray(array.offsets))
        digest.update(lengths.astype(np.int64).tobytes())
        _digest(digest, array.flatten())
    elif pa.types.is_string(array.type):
        encoded = array.dictionary_encode()
        digest.update(repr(encoded.dictionary.to_pylist()).encode())
        digest.update(np.asarray(encoded.indices.fill_null(-1)).tobytes())
    else:
        digest.update(np.asarray(array.fill_null(0)).tobytes())
