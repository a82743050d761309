"""Files of events, as they are, to one Arrow table with the house's column names.

CSV, Parquet or JSON lines enter; a table with ``user, item, time, action`` and whichever of
``category, amount, rating, device, zone, text`` the file has leaves, still uncleaned
(:mod:`bandit.cleaning` comes next). A file that cannot be read whole is refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet

from bandit.errors import BadInputError, ForeignFileError

__all__ = ["OPTIONAL", "REQUIRED", "RawEvents", "read_events", "read_table"]

REQUIRED = ("user", "time", "action")
OPTIONAL = ("item", "category", "amount", "rating", "device", "zone", "text")

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
    table, n_malformed = read_table(Path(path))
    names = _renaming(table.column_names, columns, Path(path))
    kept = {ours: table.column(theirs) for theirs, ours in names.items()}
    return RawEvents(table=pa.table(kept), n_malformed=n_malformed)


def read_table(path: Path) -> tuple[pa.Table, int]:
    """Read a file as it is: its table, and how many lines could not be parsed.

    Raises
    ------
    ForeignFileError
        For a file that is absent, empty, truncated or of another kind.
    """
    if not path.is_file():
        raise ForeignFileError(f"expected a file of events at {path}, found none")
    readers = {
        ".csv": _read_csv,
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
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        raise ForeignFileError(
            f"expected {path} to be a whole {path.suffix[1:]} file, reading it failed: {error}"
        ) from error
    if table.num_rows == 0:
        raise ForeignFileError(f"expected events in {path}, got none")
    return table, n_malformed


def _read_csv(path: Path) -> tuple[pa.Table, int]:
    malformed = 0

    def skip(row: pa.csv.InvalidRow) -> str:
        nonlocal malformed
        malformed += 1
        return "skip"

    parse = pa.csv.ParseOptions(invalid_row_handler=skip)
    convert = pa.csv.ConvertOptions(
        timestamp_parsers=["not a format: times are read by bandit.timestamps"]
    )
    # One thread: the handler counts from Python, and a count must not depend on a race.
    read = pa.csv.ReadOptions(use_threads=False)
    table = pa.csv.read_csv(path, parse_options=parse, convert_options=convert, read_options=read)
    return table, malformed


def _read_parquet(path: Path) -> tuple[pa.Table, int]:
    return pa.parquet.read_table(path), 0


def _read_json(path: Path) -> tuple[pa.Table, int]:
    return pa.json.read_json(path), 0


def _renaming(found: list[str], given: Mapping[str, str] | None, path: Path) -> dict[str, str]:
    """Which of the file's columns are which of ours."""
    if given:
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
