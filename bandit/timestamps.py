"""Columns of times, as people write them, to int64 milliseconds since the epoch, UTC.

Epoch seconds, epoch milliseconds, ISO-8601 with a zone, or Arrow timestamps enter; int64 ms
and a mask of unreadable cells leave. Most values decide the format of a column; single unreadable
cells are left to cleaning, a column of which fewer than half are times of our age is refused with
its first bad row. Reference: ISO 8601; RFC 3339.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from bandit.errors import BadInputError
from bandit.slots import offset_ms

__all__ = ["FIRST_MS", "LAST_MS", "to_epoch_ms"]

FIRST_MS = 631_152_000_000
"""The year 1990: before it lie zeros, running numbers and hours, none of them times of events."""
LAST_MS = 4_102_444_800_000
"""The year 2100: behind it lie micro- and nanoseconds. What is outside is out of range."""

_SECONDS_BELOW = 10_000_000_000
_ISO = (
    r"^(?P<stamp>\d{4}-\d\d-\d\d[T ]\d\d(?::\d\d){0,2})(?P<fraction>\.\d{1,9})?"
    r" ?(?P<zone>Z|UTC|[+-](?:[01]\d|2[0-3])(?::?[0-5]\d)?)$"
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
    elif pa.types.is_integer(kind) or kind == pa.float64():
        at_ms, readable = _from_numbers(array)
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        at_ms, readable = _from_text(array)
    else:
        # Dates and clock times lack the other half; a float32 is two minutes wide by now.
        at_ms, readable = np.zeros(len(array), np.int64), np.zeros(len(array), np.bool_)
    _refuse_misfits(array, readable & (at_ms >= FIRST_MS) & (at_ms < LAST_MS), name)
    return np.where(readable, at_ms, 0), readable


def _refuse_misfits(array: pa.Array, fits: NDArray[np.bool_], name: str) -> None:
    if len(fits) and 2 * fits.sum() < len(fits):
        row = int(np.argmin(fits))
        raise BadInputError(
            f"expected column {name!r} to hold epoch seconds, epoch ms, ISO-8601 with a zone or "
            f"timestamps, from 1990 to 2100; {len(fits) - int(fits.sum())} of {len(fits)} rows fit "
            f"none, the first is row {row}: {_shown(array, row)} (Arrow type {array.type}): "
            "convert the column, and give a zone to local times"
        )


def _shown(array: pa.Array, row: int) -> str:
    if not pa.types.is_string(array.type):
        try:
            return str(array.slice(row, 1).cast(pa.string())[0].as_py())
        except pa.ArrowException:
            pass
    return repr(array[row].as_py())


def _from_timestamps(
    array: pa.Array, name: str, assumed_zone: str | None
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    if array.type.tz is None and assumed_zone is None:
        raise BadInputError(
            f"expected column {name!r} to say its time zone, got timestamps without one: store "
            "them with a zone, or name the zone whose clock they were read from (--zone)"
        )
    readable = np.asarray(array.is_valid())
    ticks = np.asarray(pc.fill_null(array.cast(pa.int64()), 0), np.int64)
    if array.type.unit == "s":
        # What would wrap around in milliseconds is out of range already.
        at_ms = np.clip(ticks, -LAST_MS, LAST_MS) * 1000
    else:
        at_ms = ticks // {"ms": 1, "us": 1_000, "ns": 1_000_000}[array.type.unit]
    if array.type.tz is None and assumed_zone not in (None, "UTC"):
        # A zone has no offset for the year 9999, which is out of range whatever the zone.
        ours = (at_ms >= FIRST_MS) & (at_ms < LAST_MS)
        at_ms[ours] = _local_to_utc(at_ms[ours], str(assumed_zone))
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
        factor, fits = _unit(np.floor(values).astype(np.int64), readable)
        # A double resolves a present-day second to 0.2 µs, so rounding to ms is exact.
        return np.rint(np.where(fits, values, 0.0) * factor).astype(np.int64), fits
    # An unsigned value past int64 wraps below zero and is out of range, as it was.
    whole = np.asarray(pc.fill_null(array.cast(pa.int64(), safe=False), 0), np.int64)
    factor, fits = _unit(whole, readable)
    return np.where(fits, whole, 0) * factor, fits


def _unit(values: NDArray[np.int64], readable: NDArray[np.bool_]) -> tuple[int, NDArray[np.bool_]]:
    """Milliseconds in the column's unit, and which values are readable in it.

    Seconds of our century have ten digits, milliseconds thirteen. Read in the other's unit, a
    second falls into January 1970 and a millisecond beyond the year 50,000.
    """
    is_short = (values < _SECONDS_BELOW) & (values > -_SECONDS_BELOW)
    if 2 * (readable & is_short).sum() > readable.sum():
        return 1000, readable & is_short
    return 1, readable & (~is_short | (values < 0))


def _from_text(array: pa.Array) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    text = pc.utf8_trim_whitespace(array)
    digits = pc.fill_null(pc.match_substring_regex(text, r"^\d{1,13}(\.\d+)?$"), False)
    if pc.any(digits).as_py() and pc.sum(digits).as_py() * 2 >= len(array):
        return _from_numbers(pc.if_else(digits, text, None).cast(pa.float64()))
    try:
        # Forty times as fast, where every cell is as it should be.
        instants = text.cast(pa.timestamp("ns", "UTC"))
    except pa.ArrowInvalid:
        return _from_iso(pc.ascii_upper(text))
    ns = np.asarray(pc.fill_null(instants.cast(pa.int64()), 0), np.int64)
    at_ms = ns // 1_000_000 + np.rint(ns % 1_000_000 / 1e6).astype(np.int64)
    return at_ms, np.asarray(instants.is_valid())


def _from_iso(text: pa.Array) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Read ISO-8601 cell by cell, in capitals; what is none is unreadable."""
    parts = pc.extract_regex(text, _ISO)
    readable = np.asarray(parts.is_valid())
    stamp = pc.replace_substring(pc.struct_field(parts, "stamp"), "T", " ")
    # Minutes and seconds that are not said are zero.
    stamp = pc.utf8_slice_codeunits(pc.binary_join_element_wise(stamp, ":00:00", ""), 0, 19)
    parsed = pc.strptime(stamp, format="%Y-%m-%d %H:%M:%S", unit="ms", error_is_null=True)
    readable &= np.asarray(parsed.is_valid()) & _is_calendar_day(stamp)
    local = np.asarray(pc.fill_null(parsed.cast(pa.int64()), 0), np.int64)
    fraction = pc.fill_null(pc.struct_field(parts, "fraction"), "")
    fraction = pc.if_else(pc.equal(fraction, ""), "0", fraction)
    ms = np.rint(np.asarray(fraction.cast(pa.float64()), np.float64) * 1000).astype(np.int64)
    return local + ms - _zone_offsets_ms(pc.struct_field(parts, "zone")), readable


def _is_calendar_day(stamp: pa.Array) -> NDArray[np.bool_]:
    """False for 30 February, of which a C library makes 2 March; days are few, so each once."""
    coded = pc.fill_null(pc.utf8_slice_codeunits(stamp, 0, 10), "").dictionary_encode()
    days = coded.dictionary
    parsed = pc.strptime(days, format="%Y-%m-%d", unit="s", error_is_null=True)
    again = pc.fill_null(pc.strftime(parsed, format="%Y-%m-%d"), "none")
    exists = np.asarray(pc.equal(again, days))
    return np.asarray(exists[np.asarray(coded.indices, np.int64)], np.bool_)


def _zone_offsets_ms(zone: pa.Array) -> NDArray[np.int64]:
    """Milliseconds of '+05:30', '-0400', '+01', 'Z' or 'UTC'; each of the few is read once."""
    coded = pc.fill_null(zone, "Z").dictionary_encode()
    table = []
    for text in coded.dictionary.to_pylist():
        if text in ("Z", "UTC"):
            table.append(0)
            continue
        sign = -1 if text[0] == "-" else 1
        minutes = int(text[-2:]) if len(text) > 3 else 0
        table.append(sign * (int(text[1:3]) * 60 + minutes) * 60_000)
    return np.asarray(table, np.int64)[np.asarray(coded.indices, np.int64)]
