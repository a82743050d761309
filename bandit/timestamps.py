"""Columns of times, as people write them, to int64 milliseconds since the epoch, UTC.

Epoch seconds, epoch milliseconds, ISO-8601 with a zone, or Arrow timestamps enter; int64 ms
and a mask of unreadable cells leave. The first readable value decides the format of a
column; single unreadable cells are left to cleaning, a column of which fewer than half can be
read is refused with its first bad row. Reference: ISO 8601; RFC 3339.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from bandit.errors import BadInputError
from bandit.slots import offset_ms

__all__ = ["FIRST_MS", "LAST_MS", "to_epoch_ms"]

FIRST_MS = 0
LAST_MS = 4_102_444_800_000
"""The year 2100; what lies outside [1970, 2100) is out of range."""

_SECONDS_BELOW = 10_000_000_000
_ISO = (
    r"^(?P<stamp>\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?)(?P<fraction>\.\d{1,9})?"
    r" ?(?P<zone>Z|UTC|[+-]\d\d:?\d\d)$"
)


def to_epoch_ms(
    column: pa.ChunkedArray | pa.Array, *, name: str = "time", assumed_zone: str | None = None
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Convert a column of times.

    Parameters
    ----------
    column : Arrow array
        Integers or floats (seconds or milliseconds since the epoch), text, or timestamps.
    name : str
        The column's name, for messages.
    assumed_zone : str, optional
        IANA zone of Arrow timestamps that carry none; without it they are refused.

    Returns
    -------
    at_ms : ndarray of int64, (M,)
        Milliseconds since the epoch; 0 where unreadable.
    is_readable : ndarray of bool, (M,)
        False for missing and garbled cells.

    Raises
    ------
    BadInputError
        If the column fits no format, with its first bad row.
    """
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    kind = array.type
    if pa.types.is_timestamp(kind):
        at_ms, readable = _from_timestamps(array, name, assumed_zone)
    elif pa.types.is_integer(kind) or pa.types.is_floating(kind):
        at_ms, readable = _from_numbers(array)
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        at_ms, readable = _from_text(array)
    else:
        raise BadInputError(
            f"expected column {name!r} to hold epoch seconds, epoch ms, ISO-8601 text with a zone "
            f"or timestamps, got Arrow type {kind}: convert it first"
        )
    _refuse_unreadable(array, readable, name)
    return np.where(readable, at_ms, 0), readable


def _refuse_unreadable(array: pa.Array, readable: NDArray[np.bool_], name: str) -> None:
    if len(readable) and 2 * readable.sum() < len(readable):
        row = int(np.argmin(readable))
        raise BadInputError(
            f"expected column {name!r} to hold epoch seconds, epoch ms or ISO-8601 with a zone; "
            f"{len(readable) - int(readable.sum())} of {len(readable)} rows fit none, the first is "
            f"row {row}: {array[row].as_py()!r}: convert the column, and give a zone to local times"
        )


def _from_timestamps(
    array: pa.Array, name: str, assumed_zone: str | None
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    if array.type.tz is None and assumed_zone is None:
        raise BadInputError(
            f"expected column {name!r} to say its time zone, got timestamps without one: store "
            "them with a zone, or name the zone they were written in"
        )
    readable = np.asarray(array.is_valid())
    whole = array.cast(pa.timestamp("ms", tz=array.type.tz), safe=False).cast(pa.int64())
    at_ms = np.asarray(pc.fill_null(whole, 0), np.int64)
    if array.type.tz is None and assumed_zone not in (None, "UTC"):
        at_ms = _local_to_utc(at_ms, str(assumed_zone))
    return at_ms, readable


def _local_to_utc(local_ms: NDArray[np.int64], zone: str) -> NDArray[np.int64]:
    """Read wall-clock times in ``zone``; a time that happens twice is the first of the two."""
    guess = local_ms - offset_ms(local_ms, zone)
    earlier = local_ms - offset_ms(guess - 3_600_000, zone)
    fits = earlier + offset_ms(earlier, zone) == local_ms
    return np.where(fits, earlier, local_ms - offset_ms(guess, zone))


def _from_numbers(array: pa.Array) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    readable = np.asarray(array.is_valid())
    if pa.types.is_floating(array.type):
        values = np.asarray(pc.fill_null(array, float("nan")), np.float64)
        readable = readable & np.isfinite(values) & (np.abs(values) < 2.0**62)
        values = np.where(readable, values, 0.0)
        in_seconds = _is_seconds(np.floor(values).astype(np.int64), readable)
        # A double resolves a present-day second to 0.2 µs, so rounding to ms is exact.
        return np.rint(values * (1000.0 if in_seconds else 1.0)).astype(np.int64), readable
    whole = np.asarray(pc.fill_null(array.cast(pa.int64()), 0), np.int64)
    return whole * (1000 if _is_seconds(whole, readable) else 1), readable


def _is_seconds(values: NDArray[np.int64], readable: NDArray[np.bool_]) -> bool:
    """Seconds of our century have ten digits, milliseconds thirteen."""
    return bool(readable.any()) and abs(int(values[np.argmax(readable)])) < _SECONDS_BELOW


def _from_text(array: pa.Array) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    text = pc.utf8_trim_whitespace(array)
    digits = pc.fill_null(pc.match_substring_regex(text, r"^\d{1,13}(\.\d+)?$"), False)
    if pc.any(digits).as_py() and pc.sum(digits).as_py() * 2 >= len(array):
        return _from_numbers(pc.if_else(digits, text, None).cast(pa.float64()))
    parts = pc.extract_regex(text, _ISO)
    readable = np.asarray(parts.is_valid())
    stamp = pc.replace_substring(pc.struct_field(parts, "stamp"), "T", " ")
    stamp = pc.if_else(
        pc.equal(pc.utf8_length(stamp), 16), pc.binary_join_element_wise(stamp, ":00", ""), stamp
    )
    parsed = pc.strptime(stamp, format="%Y-%m-%d %H:%M:%S", unit="ms", error_is_null=True)
    readable &= np.asarray(parsed.is_valid())
    local = np.asarray(pc.fill_null(parsed.cast(pa.int64()), 0), np.int64)
    fraction = pc.fill_null(pc.struct_field(parts, "fraction"), "")
    fraction = pc.if_else(pc.equal(fraction, ""), "0", fraction)
    ms = np.rint(np.asarray(fraction.cast(pa.float64()), np.float64) * 1000).astype(np.int64)
    return local + ms - _zone_offsets_ms(pc.struct_field(parts, "zone")), readable


def _zone_offsets_ms(zone: pa.Array) -> NDArray[np.int64]:
    """Milliseconds of '+05:30', '-0400', 'Z' or 'UTC'; offsets are few, so each is read once."""
    coded = pc.fill_null(zone, "Z").dictionary_encode()
    table = []
    for text in coded.dictionary.to_pylist():
        if text in ("Z", "UTC"):
            table.append(0)
            continue
        sign = -1 if text[0] == "-" else 1
        table.append(sign * (int(text[1:3]) * 60 + int(text[-2:])) * 60_000)
    return np.asarray(table, np.int64)[np.asarray(coded.indices, np.int64)]
