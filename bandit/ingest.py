"""Files of events, as they are, to one Arrow table with the house's column names.

CSV, Parquet or JSON lines enter; a table with ``user, item, time, action`` and whichever of
``category, amount, rating, device, zone, text`` the file has leaves, still uncleaned
(:mod:`bandit.cleaning` comes next). A file that cannot be read whole is refused by name.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet

from bandit.errors import BadInputError, ForeignFileError, StateError

__all__ = ["OPTIONAL", "REQUIRED", "RawEvents", "read_events", "read_table"]

REQUIRED = ("user", "time", "action")
OPTIONAL = ("item", "category", "amount", "rating", "device", "zone", "text")
_IDS = frozenset({"user", "item", "category", "device"})
_INTEGER = r"^(0|-?[1-9]\d{0,17})$"

_KNOWN_SHAPES: tuple[Mapping[str, str], ...] = (
    {
        "event_time": "time",
        "event_type": "action",
        "product_id": "item",
        "category_code": "category",
        "price": "amount",
        "user_id": "user",
    },
    {"user_id": "user", "item_id": "item", "timestamp": "time", "behavior_type": "action"},
    {"user_id": "user", "item_id": "item", "timestamp": "time", "action": "action"},
    {"user": "user", "item": "item", "ts": "time", "action": "action"},
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RawEvents:
    """A file's rows under the house's names, and how many lines could not be parsed."""

    table: pa.Table
    n_malformed: int


def read_events(path: Path, *, columns: Mapping[str, str] | None = None) -> RawEvents:
    """Read a file of events.

    Parameters
    ----------
    path : Path
        A ``.csv``, ``.parquet`` or ``.jsonl``/``.json``/``.ndjson`` file.
    columns : mapping, optional
        Your column names to ours, e.g. ``{"event_time": "time"}``. Without it, columns of our
        names are taken, or one of the well-known shapes is recognised by its header.

    Raises
    ------
    ForeignFileError
        For a file that is absent, empty, truncated or of another kind.
    BadInputError
        For a file without the columns that are needed.
    """
    named = [dict(columns or {}), *_KNOWN_SHAPES, {name: name for name in _IDS}]
    ids = frozenset(theirs for names in named for theirs, ours in names.items() if ours in _IDS)
    table, n_malformed = read_table(Path(path), ids=ids)
    names = _renaming(table.column_names, columns, Path(path))
    kept = {
        ours: _plain(table.column(theirs), f"column {theirs!r} of {path}")
        for theirs, ours in names.items()
    }
    return RawEvents(table=pa.table(kept), n_malformed=n_malformed)


def read_table(path: Path, *, ids: frozenset[str] = frozenset()) -> tuple[pa.Table, int]:
    """Read a file as it is: its table, and how many lines could not be parsed.

    Parameters
    ----------
    path : Path
        A ``.csv``, ``.parquet`` or ``.jsonl``/``.json``/``.ndjson`` file.
    ids : frozenset of str
        Columns of names, not of quantities: 007 and 7 in a CSV stay two of them.

    Raises
    ------
    ForeignFileError
        For a file that is absent, empty, truncated or of another kind.
    """
    if not path.is_file():
        raise ForeignFileError(f"expected a file of events at {path}, found none")
    readers: dict[str, Callable[[Path], tuple[pa.Table, int]]] = {
        ".csv": partial(_read_csv, ids=ids),
        ".parquet": _read_parquet,
        ".jsonl": _read_json,
        ".ndjson": _read_json,
        ".json": _read_json,
    }
    if path.suffix.lower() not in readers:
        raise ForeignFileError(
            f"expected {path} to end in one of {', '.join(readers)}: rename or convert it"
        )
    try:
        table, n_malformed = readers[path.suffix.lower()](path)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError, UnicodeDecodeError) as error:
        raise ForeignFileError(
            f"expected {path} to be a whole {path.suffix[1:]} file, reading it failed: {error}"
        ) from error
    if table.num_rows == 0:
        raise ForeignFileError(f"expected events in {path}, got none")
    return table, n_malformed


def _read_csv(path: Path, *, ids: frozenset[str]) -> tuple[pa.Table, int]:
    malformed = 0

    def skip(row: pa.csv.InvalidRow) -> str:
        nonlocal malformed
        malformed += 1
        return "skip"

    parse = pa.csv.ParseOptions(invalid_row_handler=skip)
    convert = pa.csv.ConvertOptions(
        timestamp_parsers=["not a format: times are read by bandit.timestamps"],
        column_types={name: pa.string() for name in ids},
    )
    # One thread: the handler counts from Python, and a count must not depend on a race.
    read = pa.csv.ReadOptions(use_threads=False)
    table = pa.csv.read_csv(path, parse_options=parse, convert_options=convert, read_options=read)
    for place, name in enumerate(table.column_names):
        if name in ids:
            table = table.set_column(place, name, _whole_if_all_are(table.column(place)))
    return table, malformed


def _whole_if_all_are(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Text as int64 where that loses nothing: no leading zeros, nothing past 18 digits."""
    spellings = pa.array(pa.csv.ConvertOptions().null_values)
    known = pc.if_else(pc.is_in(column, value_set=spellings), None, column)
    is_whole = pc.all(pc.match_substring_regex(known, _INTEGER), min_count=1).as_py()
    return known.cast(pa.int64()) if is_whole else column


def _read_parquet(path: Path) -> tuple[pa.Table, int]:
    return pa.parquet.read_table(path), 0


def _read_json(path: Path) -> tuple[pa.Table, int]:
    try:
        table = pa.json.read_json(path)
    except pa.ArrowInvalid:
        return _read_json_lines(path)
    stamps = [field.name for field in table.schema if pa.types.is_timestamp(field.type)]
    if stamps:
        # The reader makes timestamps of ISO-8601 text and forgets its zone: ask for the text.
        schema = pa.schema([(name, pa.string()) for name in stamps])
        table = pa.json.read_json(path, parse_options=pa.json.ParseOptions(explicit_schema=schema))
    return table, 0


def _read_json_lines(path: Path) -> tuple[pa.Table, int]:
    """Line by line, for files that the fast reader gives up on at their first bad line."""
    rows: list[dict[str, Any]] = []
    malformed = 0
    for line in path.read_bytes().splitlines():
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if isinstance(row, dict):
            rows.append(row)
        else:
            malformed += 1
    if len(rows) < malformed:
        raise pa.ArrowInvalid(f"{malformed} of {len(rows) + malformed} lines are no JSON object")
    names = list(dict.fromkeys(name for row in rows for name in row))
    return pa.table({name: _of_any([row.get(name) for row in rows]) for name in names}), malformed


def _of_any(values: list[Any]) -> pa.Array:
    """Values of one type, or the text of values of several."""
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        said = [v if v is None or isinstance(v, str) else json.dumps(v) for v in values]
        return pa.array(said, pa.string())


def _plain(column: pa.ChunkedArray, where: str) -> pa.ChunkedArray:
    """Text of any Arrow kind as plain strings."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = column.type
    is_binary = pa.types.is_binary(kind) or pa.types.is_large_binary(kind)
    if is_binary or pa.types.is_large_string(kind) or kind == pa.string_view():
        try:
            return column.cast(pa.string())
        except pa.ArrowInvalid as error:
            row, value = _first_no_text(column)
            raise ForeignFileError(
                f"expected UTF-8 text in {where}, got {value!r} in row {row}: save it as UTF-8"
            ) from error
    return column


def _first_no_text(column: pa.ChunkedArray) -> tuple[int, bytes]:
    for row, value in enumerate(column.to_pylist()):
        try:
            (value or b"").decode()
        except UnicodeDecodeError:
            return row, value
    raise StateError("expected a value that is no UTF-8, got none")


def _renaming(found: list[str], given: Mapping[str, str] | None, path: Path) -> dict[str, str]:
    """Which of the file's columns are which of ours."""
    twice = sorted({name for name in found if found.count(name) > 1})
    if twice:
        raise BadInputError(f"expected distinct column names in {path}, got {twice} twice")
    if given:
        if len(set(given.values())) < len(given):
            raise BadInputError(f"expected one column of {path} for each of ours, got {given}")
        absent = sorted(set(given) - set(found))
        unknown = sorted(set(given.values()) - set(REQUIRED) - set(OPTIONAL))
        if absent or unknown:
            raise BadInputError(
                f"expected column names of {path} to be mapped to {', '.join(REQUIRED + OPTIONAL)}"
                f"; not in the file: {absent}, not ours: {unknown}; the file has {found}"
            )
        names = dict(given)
    else:
        shapes = [shape for shape in _KNOWN_SHAPES if set(shape) <= set(found)]
        names = dict(shapes[0]) if shapes and not set(REQUIRED) <= set(found) else {}
    taken = set(names.values())
    ours = [name for name in (*REQUIRED, *OPTIONAL) if name in found and name not in taken]
    names |= {name: name for name in ours if name not in names}
    missing = [name for name in REQUIRED if name not in names.values()]
    if not {"item", "category"} & set(names.values()):
        missing.append("item (or category)")
    if missing:
        raise BadInputError(
            f"expected columns user, item (or category), time, action in {path}; missing: "
            f"{', '.join(missing)}; the file has {found}: name yours with --column YOURS=OURS"
        )
    return names
