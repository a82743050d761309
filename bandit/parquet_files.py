"""A folder of numbered Parquet files of one schema: each whole or not there, none missing between.

Arrow tables enter, each written aside, flushed and moved into place; the same tables come back in
order, and a file that is truncated, foreign or of another version is refused by name. Shared by
what is only ever appended: decisions and outcomes. Format: Apache Parquet with page checksums.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from bandit.errors import BadInputError, ForeignFileError, StateError

__all__ = ["NumberedFiles"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberedFiles:
    """Files ``stem-000000.parquet``, ``stem-000001.parquet`` … of one schema.

    Parameters
    ----------
    stem : str
        Of the files' names.
    what : str
        What a file is, in messages, such as "decision log".
    schema : pyarrow.Schema
        Its metadata hold ``kind`` and ``version``, which a file must carry to be read.
    """

    stem: str
    what: str
    schema: pa.Schema

    def number_of(self, path: Path) -> int:
        """Running number of a file."""
        named = re.fullmatch(rf"{self.stem}-(\d{{6}}|[1-9]\d{{6,}})\.parquet", path.name)
        if named is None:
            raise ForeignFileError(
                f"expected log files named as {self.stem}-000000.parquet, got {path}: move it "
                "elsewhere"
            )
        return int(named[1])

    def in_order(self, folder: Path) -> list[Path]:
        """Files by their numbers; the first may be any, the others follow without a gap."""
        files = sorted(folder.glob(f"{self.stem}-*.parquet"), key=self.number_of)
        for before, after in pairwise(files):
            if self.number_of(after) != self.number_of(before) + 1:
                raise ForeignFileError(
                    f"expected the file after {before.name} in {folder}, got {after.name}: a part "
                    "of the log is missing; put it back, or move what comes before it elsewhere"
                )
        return files

    def next_number(self, folder: Path) -> int:
        """Number of the file to write next, after those that are there."""
        files = self.in_order(folder)
        return 1 + self.number_of(files[-1]) if files else 0

    def write_new(self, folder: Path, number: int, table: pa.Table) -> None:
        """Write aside, then move into place: whole or not at all, and never over another file.

        Raises
        ------
        StateError
            If another writer has written the file of this number; it is not touched.
        """
        path = folder / f"{self.stem}-{number:06d}.parquet"
        aside = path.with_suffix(".partial")
        directory = os.open(folder, os.O_RDONLY)
        try:
            # Writers take turns; the system ends the turn of one that is killed.
            fcntl.flock(directory, fcntl.LOCK_EX)
            if path.exists():
                raise StateError(
                    f"expected {path} not to be there yet, got the file of another writer, or of "
                    "a flush whose end nobody was told: keep one writer a folder, and open a new "
                    "one, which goes on after what is there"
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
            os.fsync(directory)
        finally:
            os.close(directory)

    def read_all(self, path: Path, columns: Sequence[str] | None = None) -> pa.Table:
        """Read a file, or a folder of them in order.

        Raises
        ------
        ForeignFileError
            For a file that is not whole or not one of these, or a folder without any.
        BadInputError
            For a column that no such file has.
        """
        unknown = sorted(set(columns or ()) - set(self.schema.names))
        if unknown:
            raise BadInputError(f"expected columns of the {self.what}, got {unknown}")
        files = self.in_order(path) if path.is_dir() else [path]
        if not files:
            raise ForeignFileError(f"expected {self.what} files in {path}, found none")
        return pa.concat_tables([self.read(file, columns) for file in files])

    def read(self, path: Path, columns: Sequence[str] | None = None) -> pa.Table:
        """Read one file whole, or refuse it by name."""
        self._check_kind(path)
        names = self.schema.names if columns is None else list(columns)
        wanted = [self.schema.field(name) for name in names]
        try:
            table = pq.read_table(path, columns=names, page_checksum_verification=True)
            table = table.cast(pa.schema(wanted, metadata=self.schema.metadata))
            # Checksums cover pages, not their headers: indices and offsets are looked at too.
            table.validate(full=True)
            return table
        except (pa.ArrowException, OSError, ValueError) as error:
            raise ForeignFileError(
                f"expected {path} to be whole, reading it failed: {error}"
            ) from error

    def _check_kind(self, path: Path) -> None:
        try:
            said = pq.read_schema(path).metadata or {}
        except (pa.ArrowException, OSError) as error:
            raise ForeignFileError(
                f"expected {path} to be a whole {self.what} file, reading it failed: {error}"
            ) from error
        kind, version = self.schema.metadata[b"kind"], self.schema.metadata[b"version"]
        if said.get(b"kind") != kind:
            article = "an" if self.what[0] in "aeiou" else "a"
            raise ForeignFileError(
                f"expected {path} to be {article} {self.what}, got another Parquet file"
            )
        if said.get(b"version") != version:
            raise ForeignFileError(
                f"expected {path} to be of log version {version.decode()}, got "
                f"{said.get(b'version', b'none').decode()}: read it with the version that wrote it"
            )
