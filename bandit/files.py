"""Files of rows, as they are, to one Arrow table and a count of the lines that are no rows.

A CSV, Parquet or JSON-lines file enters; its table leaves, no cell changed: names stay text where
a number would lose something, times of text stay text. A file that cannot be read whole is refused
by name; single bad lines are counted. References: RFC 4180 (a quoted cell may hold line breaks);
https://jsonlines.org.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet

from bandit.errors import ForeignFileError

__all__ = ["WORDS_FOR_NOTHING", "read_table"]

WORDS_FOR_NOTHING: tuple[str, ...] = tuple(pa.csv.ConvertOptions().null_values)
"""How files spell what is missing: an empty cell, NA, NULL, NaN and the like."""

_INTEGER = r"^(0|-?[1-9]\d{0,17})$"
_LAST_LINE = "the line behind the last line of a file that is read by Opportune"
_JSON_BLOCK = 1 << 24  # bytes that are parsed at once


def read_table(path: Path, *, ids: frozenset[str] = frozenset()) -> tuple[pa.Table, int]:
    """Read a file as it is: its table, and how many lines could not be parsed.

    Parameters
    ----------
    path : Path
        A ``.csv``, ``.parquet`` or ``.jsonl``/``.json``/``.ndjson`` file.
    ids : frozenset of str
        Columns of names, not of quantities: 007 and 7 in a CSV stay two of them, and so do two
        numbers of twenty digits in a JSON file. NaN, NULL and the like are no names in a CSV.

    Raises
    ------
    ForeignFileError
        For a file that is absent, empty, truncated, of another kind, or mostly broken.
    """
    kind = path.suffix.lower()
    if kind not in {".csv", ".parquet", ".jsonl", ".ndjson", ".json"}:
        raise ForeignFileError(
            f"expected {path} to end in .csv, .parquet, .jsonl, .ndjson or .json: rename or "
            "convert it"
        )
    try:
        if not path.is_file():
            found = "a folder" if path.is_dir() else "none"
            raise ForeignFileError(f"expected a file of events at {path}, found {found}")
        if kind == ".csv":
            table, n_malformed = _read_csv(path, ids)
        elif kind == ".parquet":
            table = pa.parquet.read_table(path, page_checksum_verification=True)
            n_malformed = 0
        else:
            table, n_malformed = _read_json(path, ids)
        names = table.column_names
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        if "straddling" in str(error):
            raise ForeignFileError(
                f"expected rows of less than a megabyte in {path}, got a longer one: close the "
                "quotation mark that opens in it and is never closed, or shorten its cells"
            ) from error
        raise ForeignFileError(
            f"expected {path} to be a whole {kind[1:]} file, reading it failed: {error}"
        ) from error
    n_lines = table.num_rows + n_malformed
    if n_malformed > table.num_rows:
        wrong = f"do not fit its header {names}" if kind == ".csv" else "are no JSON object"
        raise ForeignFileError(
            f"expected {path} to be a whole {kind[1:]} file, {n_malformed} of {n_lines} lines "
            f"{wrong}"
        )
    if n_lines == 0:
        raise ForeignFileError(f"expected events in {path}, got none")
    return table, n_malformed


class _TextFile:
    """A file that is read through once, and then a last line that tells where it ended.

    Bytes that are no UTF-8 are refused with their line.
    """

    closed = False

    def __init__(self, file: BinaryIO, last_line: str) -> None:
        self._file = file
        self._last_line: bytes | None = f"\n{last_line}\n".encode()
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._n_lines = 0

    def read(self, n_bytes: int = -1) -> bytes:
        block = self._file.read(n_bytes)
        held = self._decoder.getstate()[0]
        try:
            self._decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            line = 1 + self._n_lines + (held + block)[: error.start].count(b"\n")
            raise ForeignFileError(
                f"expected UTF-8 text in {self._file.name}, got byte "
                f"0x{error.object[error.start]:02x} in line {line}: save it as UTF-8"
            ) from None
        self._n_lines += block.count(b"\n")
        if not block and self._last_line is not None:
            block, self._last_line = self._last_line, None
        return block


def _read_csv(path: Path, ids: frozenset[str]) -> tuple[pa.Table, int]:
    n_malformed, has_ended = 0, False

    def skip(row: pa.csv.InvalidRow) -> str:
        nonlocal n_malformed, has_ended
        # The last line has one cell, so it is malformed as well, unless a cell has swallowed it.
        has_ended = row.text == _LAST_LINE
        n_malformed += not has_ended
        return "skip"

    with path.open("rb") as file:
        table = pa.csv.read_csv(
            _TextFile(file, _LAST_LINE),
            # One thread: the handler counts from Python, and a count must not hang on a race.
            read_options=pa.csv.ReadOptions(use_threads=False),
            parse_options=pa.csv.ParseOptions(newlines_in_values=True, invalid_row_handler=skip),
            convert_options=pa.csv.ConvertOptions(
                timestamp_parsers=["not a format: times are read by bandit.timestamps"],
                column_types={name: pa.string() for name in ids},
            ),
        )
    if table.num_columns == 1:
        return table.slice(0, max(table.num_rows - 1, 0)), n_malformed
    if not has_ended:
        raise ForeignFileError(
            f"expected every quotation mark in {path} to be closed, one that opens in row "
            f"{table.num_rows - 1} or behind it is not: close or remove it"
        )
    for place, name in enumerate(table.column_names):
        if name in ids:
            table = table.set_column(place, name, _whole_if_all_are(table.column(place)))
    return table, n_malformed


def _whole_if_all_are(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Text as int64 where that loses nothing: no leading zeros, nothing past 18 digits.

    A word for nothing is no name: all rows without a user would be one person called NaN.
    """
    known = pc.if_else(pc.is_in(column, value_set=pa.array(WORDS_FOR_NOTHING)), None, column)
    is_whole = pc.all(pc.match_substring_regex(known, _INTEGER), min_count=1).as_py()
    return known.cast(pa.int64()) if is_whole else known


def _read_json(path: Path, ids: frozenset[str]) -> tuple[pa.Table, int]:
    """Block by block, so that a bad line costs the speed of its own block only."""
    tables, n_malformed = [], 0
    for block in _blocks_of_lines(path):
        table, n_bad = _json_block(block, ids)
        tables.append(table)
        n_malformed += n_bad
    return _stacked(tables, ids), n_malformed


def _blocks_of_lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        rest = file.read(3).removeprefix(codecs.BOM_UTF8)
        while block := file.read(_JSON_BLOCK):
            lines, newline, rest = (rest + block).rpartition(b"\n")
            if lines.strip():
                yield lines + newline
        if rest.strip():
            yield rest


def _json_block(block: bytes, ids: frozenset[str]) -> tuple[pa.Table, int]:
    try:
        block.decode()
        table = pa.json.read_json(pa.BufferReader(block))
        stamps = [field.name for field in table.schema if pa.types.is_timestamp(field.type)]
        if stamps:
            # The reader makes timestamps of ISO-8601 text and forgets its zone: ask for the text.
            schema = pa.schema([(name, pa.string()) for name in stamps])
            options = pa.json.ParseOptions(explicit_schema=schema)
            table = pa.json.read_json(pa.BufferReader(block), parse_options=options)
    except (pa.ArrowException, UnicodeDecodeError):
        return _json_lines(block)
    # Whole numbers past int64 have become doubles, of which many are one.
    if any(pa.types.is_floating(field.type) for field in table.schema if field.name in ids):
        return _json_lines(block)
    return table, 0


def _json_lines(block: bytes) -> tuple[pa.Table, int]:
    """Line by line, for what the fast reader gives up on at the first bad line."""
    rows: list[dict[str, Any]] = []
    n_malformed = 0
    for line in block.splitlines():
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if isinstance(row, dict) and row:
            rows.append(row)
        else:
            n_malformed += 1
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {name: _of_any([row.get(name) for row in rows]) for name in names}
    return pa.table(columns), n_malformed


def _of_any(values: list[Any]) -> pa.Array:
    """Values of one type, or the text of values of several."""
    try:
        return pa.array(values)
    except (pa.ArrowException, OverflowError, UnicodeEncodeError):
        said = [v if v is None or isinstance(v, str) else json.dumps(v) for v in values]
        # Half of a surrogate pair is no character.
        whole = [v and v.encode(errors="replace").decode() for v in said]
        return pa.array(whole, pa.string())


def _stacked(tables: list[pa.Table], ids: frozenset[str]) -> pa.Table:
    """Blocks under each other; a column that changes its type is text, numbers are numbers."""
    names = list(dict.fromkeys(name for table in tables for name in table.column_names))
    columns = {}
    for name in names:
        parts = [t[name] if name in t.column_names else pa.nulls(t.num_rows) for t in tables]
        kind = _common_kind({part.type for part in parts}, is_id=name in ids)
        pieces = [piece for part in parts for piece in _cast(part, kind)]
        columns[name] = pa.chunked_array(pieces, kind)
    return pa.table(columns)


def _common_kind(kinds: set[pa.DataType], *, is_id: bool) -> pa.DataType:
    known = kinds - {pa.null()}
    if len(known) < 2:
        return next(iter(known), pa.null())
    is_number = all(pa.types.is_integer(k) or pa.types.is_floating(k) for k in known)
    return pa.float64() if is_number and not is_id else pa.string()


def _cast(part: pa.ChunkedArray | pa.Array, kind: pa.DataType) -> list[pa.Array]:
    try:
        cast = part.cast(kind)
    except pa.ArrowException:
        # An object in one block and a word in another: what is no value is missing.
        cast = pa.nulls(len(part), kind)
    return list(cast.chunks) if isinstance(cast, pa.ChunkedArray) else [cast]
