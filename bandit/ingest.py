"""Files of events, as they are, to one Arrow table with the house's column names.

CSV, Parquet or JSON lines enter; a table with ``user, item, time, action`` and whichever of
``category, amount, rating, device, zone, text`` the file has leaves, still uncleaned
(:mod:`bandit.cleaning` comes next). What is no table of such columns is refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from bandit.errors import BadInputError, ForeignFileError
from bandit.files import read_table

__all__ = ["OPTIONAL", "REQUIRED", "RawEvents", "plain_column", "read_events", "told_names"]

REQUIRED = ("user", "time", "action")
OPTIONAL = ("item", "category", "amount", "rating", "device", "zone", "text")
_IDS = frozenset({"user", "item", "category", "device"})
_QUANTITIES = frozenset({"amount", "rating"})
_NAMES_TOLD = 20

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
        Your column names to ours, e.g. ``{"event_time": "time"}``. What it leaves open is taken
        from one of the well-known shapes, if the header is one, and from columns of our names.

    Raises
    ------
    ForeignFileError
        For a file that is absent, empty, truncated, of another kind, or mostly broken.
    BadInputError
        For a file without the columns that are needed, or with lists where values belong.
    """
    named = [dict(columns or {}), *_KNOWN_SHAPES, {name: name for name in _IDS}]
    ids = frozenset(theirs for names in named for theirs, ours in names.items() if ours in _IDS)
    table, n_malformed = read_table(Path(path), ids=ids)
    names = _renaming(table.column_names, columns, Path(path))
    kept = {
        ours: _value_column(table[theirs], ours, f"column {theirs!r} of {path}")
        for theirs, ours in names.items()
    }
    return RawEvents(table=pa.table(kept), n_malformed=n_malformed)


def plain_column(column: pa.ChunkedArray, where: str) -> pa.ChunkedArray:
    """One value a row; text of any Arrow kind as plain strings.

    Raises
    ------
    BadInputError
        For lists and other nested values.
    ForeignFileError
        For text that is no UTF-8, with its first row.
    """
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    if pa.types.is_nested(kind):
        raise BadInputError(f"expected one value a row in {where}, got {kind}: take them apart")
    is_binary = pa.types.is_binary(kind) or pa.types.is_large_binary(kind)
    is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    if is_binary or is_text or kind == pa.string_view():
        try:
            column = column.cast(pa.string())
            column.validate(full=True)
        except pa.ArrowInvalid as error:
            row, value = _first_no_text(column)
            raise ForeignFileError(
                f"expected UTF-8 text in {where}, got {value!r} in row {row}: save it as UTF-8"
            ) from error
    return column


def told_names(names: list[str]) -> str:
    """Name the columns of a file, the first twenty where it has many."""
    more = f" and {len(names) - _NAMES_TOLD} more" if len(names) > _NAMES_TOLD else ""
    return f"{names[:_NAMES_TOLD]}{more}"


def _value_column(column: pa.ChunkedArray, ours: str, where: str) -> pa.ChunkedArray:
    column = plain_column(column, where)
    kind = column.type
    is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    if ours in _QUANTITIES and not (is_number or kind in (pa.string(), pa.null())):
        raise BadInputError(f"expected numbers in {where}, got {kind}: name another as {ours}")
    return column


def _first_no_text(column: pa.ChunkedArray) -> tuple[int, bytes]:
    values = ((row, value.as_py()) for row, value in enumerate(column.cast(pa.binary())))
    return next((row, value) for row, value in values if not _is_text(value or b""))


def _is_text(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _renaming(found: list[str], given: Mapping[str, str] | None, path: Path) -> dict[str, str]:
    """Which of the file's columns are which of ours: as told, of a known shape, of our name."""
    twice = sorted({name for name in found if found.count(name) > 1})
    if twice:
        raise BadInputError(f"expected distinct column names in {path}, got {twice} twice")
    names = dict(given or {})
    _check_given(names, found, path)
    if not set(REQUIRED) <= {*names.values(), *found}:
        shapes = [shape for shape in _KNOWN_SHAPES if set(shape) <= set(found)]
        taken = set(names.values())
        for theirs, ours in shapes[0].items() if shapes else ():
            if theirs not in names and ours not in taken:
                names[theirs] = ours
    taken = set(names.values())
    own = [name for name in (*REQUIRED, *OPTIONAL) if name in found and name not in taken]
    names |= {name: name for name in own if name not in names}
    missing = [name for name in REQUIRED if name not in names.values()]
    if not {"item", "category"} & set(names.values()):
        missing.append("item (or category)")
    if missing:
        raise BadInputError(
            f"expected columns user, item (or category), time, action in {path}; missing: "
            f"{', '.join(missing)}; the file has {told_names(found)}: name yours with --column "
            "YOURS=OURS"
        )
    return names


def _check_given(given: Mapping[str, str], found: list[str], path: Path) -> None:
    if len(set(given.values())) < len(given):
        raise BadInputError(f"expected one column of {path} for each of ours, got {dict(given)}")
    absent = sorted(set(given) - set(found))
    unknown = sorted(set(given.values()) - set(REQUIRED) - set(OPTIONAL))
    if absent or unknown:
        raise BadInputError(
            f"expected column names of {path} to be mapped to {', '.join(REQUIRED + OPTIONAL)}"
            f"; not in the file: {absent}, not ours: {unknown}; the file has {told_names(found)}"
        )
