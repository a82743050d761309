"""Slot grids in the user's own zone: full hours ahead, or windows of the local day.

Decision times (UTC ms) and IANA zones enter; a :class:`~bandit.actions.SlotGrid` leaves. A
day with a clock change has real hours only: the hour that is skipped is no slot, the hour
that happens twice is two. Reference: IANA time zone database through :mod:`zoneinfo`.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from numpy.typing import NDArray

from bandit.actions import SlotGrid
from bandit.errors import BadInputError

__all__ = [
    "DAY_MS",
    "HOUR_MS",
    "day_windows",
    "full_hours",
    "local_midnight_ms",
    "offset_ms",
    "zone_of",
]

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=1024)
def zone_of(name: str) -> ZoneInfo:
    """Return the IANA zone of that name, or raise :class:`BadInputError`."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BadInputError(
            f"expected an IANA time zone such as 'America/New_York', got {name!r}: "
            "correct the zone, or leave it empty and the user counts as one of unknown zone"
        ) from error


def offset_ms(at_ms: NDArray[np.int64], zone: str) -> NDArray[np.int64]:
    """UTC offset in force in ``zone`` at each instant, in milliseconds, any shape.

    Looked up once for each distinct quarter of an hour, not once a row: every zone of the
    present changes its clock on one.
    """
    quarters, where = np.unique(np.asarray(at_ms, np.int64) // (HOUR_MS // 4), return_inverse=True)
    table = np.array([_offset_at(int(q) * (HOUR_MS // 4), zone) for q in quarters], np.int64)
    return table[where].reshape(np.shape(at_ms))


def local_midnight_ms(day: date, zone: str) -> int:
    """Instant at which ``day`` begins in ``zone``, in ms (UTC)."""
    begins = datetime(day.year, day.month, day.day, tzinfo=zone_of(zone))
    return round((begins - _EPOCH) / timedelta(milliseconds=1))


def day_windows(day: date, zone: str, *, n_rows: int, edges_h: tuple[int, ...]) -> SlotGrid:
    """Windows of one local day between wall-clock hours, the same for every row.

    Parameters
    ----------
    day : date
        The local calendar day.
    zone : str
        IANA zone of the users.
    n_rows : int
        How many users share the grid; rows are views of one.
    edges_h : tuple of int
        Wall-clock hours, ascending, such as ``(0, 4, 8, 12, 16, 20, 24)``.
    """
    edges = np.array([_wall_clock_ms(day, hour, zone) for hour in edges_h], np.int64)
    shape = (n_rows, len(edges_h) - 1)
    return SlotGrid(
        start_ms=np.broadcast_to(edges[:-1], shape), end_ms=np.broadcast_to(edges[1:], shape)
    )


def full_hours(at_ms: NDArray[np.int64], zones: list[str], *, n_slots: int = 24) -> SlotGrid:
    """Now, and the next ``n_slots − 1`` full local hours of each row.

    Real time is counted, so the hour that a clock change skips is never a slot and the one
    that it repeats is two; a change by half an hour, as on Lord Howe, makes the slot before it
    half an hour longer. Slot 0 lasts until the next full hour.
    """
    if n_slots < 1:
        raise BadInputError(f"expected at least one slot, got {n_slots}")
    at = np.asarray(at_ms, np.int64)
    later = np.empty((len(at), n_slots), np.int64)
    names = np.asarray(zones, dtype=object)
    for zone in set(zones):
        rows = names == zone
        later[rows] = _full_hours_after(at[rows], zone, n_slots=n_slots)
    return SlotGrid(start_ms=np.concatenate([at[:, None], later[:, :-1]], axis=1), end_ms=later)


def _full_hours_after(at_ms: NDArray[np.int64], zone: str, *, n_slots: int) -> NDArray[np.int64]:
    """The next local full hours after each instant, (N, S)."""
    offset = offset_ms(at_ms, zone)
    # Zones sit at quarter-hour offsets, so the local full hour is found on the local clock.
    first = ((at_ms + offset) // HOUR_MS + 1) * HOUR_MS - offset
    hours = first[:, None] + np.arange(n_slots, dtype=np.int64) * HOUR_MS
    turned = (offset_ms(hours[:, -1:], zone)[:, 0] - offset) % HOUR_MS != 0
    hours[turned] += -(hours[turned] + offset_ms(hours[turned], zone)) % HOUR_MS
    return hours


def _offset_at(at_ms: int, zone: str) -> int:
    local = (_EPOCH + timedelta(milliseconds=at_ms)).astimezone(zone_of(zone))
    offset = local.utcoffset()
    return 0 if offset is None else round(offset / timedelta(milliseconds=1))


def _wall_clock_ms(day: date, hour: int, zone: str) -> int:
    extra_days, hour = divmod(hour, 24)
    wall = datetime(day.year, day.month, day.day, hour, tzinfo=zone_of(zone))
    return round((wall + timedelta(days=extra_days) - _EPOCH) / timedelta(milliseconds=1))
