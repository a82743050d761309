"""The local clock of a user, as numbers: wall-clock time, its cells and its harmonics.

Instants (int64 ms, UTC) and a zone enter; arrays leave. Absolute times stay integers until they
are phases of a day or a week. Fixed harmonics rather than learned frequencies (Time2Vec, Kazemi
et al. 2019): they are exact, periodic, and need no export.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from bandit.errors import BadInputError
from bandit.slots import HOUR_MS, offset_ms

__all__ = ["N_CALENDAR", "calendar_features", "clock_cells", "local_ms"]

N_CALENDAR = 13
_DAY_MS = 24 * HOUR_MS
_YEAR_MS = 365.2425 * _DAY_MS
_QUARTER_MS = HOUR_MS // 4
_EPOCH_WEEKDAY = 3  # 1970-01-01 was a Thursday, with Monday = 0
_BLOCK_MS = 366 * _DAY_MS
_FIRST_BLOCK, _END_BLOCK = -1964, 8013  # what the calendar's years 1 to 9999 hold whole
_MANY_BLOCKS = 64
_WEEK_PHASE = 2 * np.pi / 7 * np.arange(7)
_WEEK_WAVES = np.column_stack([w(k * _WEEK_PHASE) for k in (1, 2) for w in (np.sin, np.cos)])


def local_ms(at_ms: NDArray[np.int64], zone: str) -> NDArray[np.int64]:
    """Milliseconds of the local wall clock in ``zone``, any shape.

    Raises
    ------
    BadInputError
        If an instant lies beyond the calendar, as microseconds taken for milliseconds do.
    """
    at = np.asarray(at_ms, np.int64)
    if at.size == 0:
        return at
    first, last = int(at.min()), int(at.max())
    blocks = range(first // _BLOCK_MS, last // _BLOCK_MS + 1)
    if blocks.start < _FIRST_BLOCK or blocks.stop > _END_BLOCK:
        raise BadInputError(
            f"expected instants of the years 2 to 9998 in milliseconds, got {first} to {last}: "
            "are they microseconds or nanoseconds?"
        )
    some = np.unique(at // _BLOCK_MS).tolist() if len(blocks) > _MANY_BLOCKS else blocks
    parts = [_offsets(zone, block) for block in some]
    begins, offset = (np.concatenate([part[k] for part in parts]) for k in range(2))
    if (offset == offset[0]).all():
        return np.asarray(at + offset[0])
    return np.asarray(at + offset[np.searchsorted(begins, at, side="right") - 1])


def calendar_features(
    at_ms: NDArray[np.int64], zone: str | None, *, yearly: bool = False
) -> NDArray[np.float32]:
    """Harmonics of the local clock, (…, 13): hour k = 1..3, weekday k = 1, 2, year, weekend.

    Parameters
    ----------
    at_ms : ndarray of int64, any shape
        Instants, UTC.
    zone : str or None
        IANA zone of the user; all features are zero where it is unknown, which a linear map
        without intercept turns into no calendar at all.
    yearly : bool
        Fill the yearly pair; zeros otherwise.
    """
    at = np.asarray(at_ms, np.int64)
    features = np.zeros((*at.shape, N_CALENDAR), np.float32)
    if zone is None:
        return features
    local = local_ms(at, zone)
    day_phase = (2 * np.pi / _DAY_MS) * (local % _DAY_MS)
    sin, cos = np.sin(day_phase), np.cos(day_phase)
    # Multiples by angle addition: two products each where a sine costs fifty.
    sin_k, cos_k = sin, cos
    for k in (1, 2, 3):
        features[..., 2 * k - 2], features[..., 2 * k - 1] = sin_k, cos_k
        sin_k, cos_k = sin_k * cos + cos_k * sin, cos_k * cos - sin_k * sin
    weekday = (local // _DAY_MS + _EPOCH_WEEKDAY) % 7
    features[..., 6:10] = _WEEK_WAVES[weekday]
    if yearly:
        year_phase = (2 * np.pi / _YEAR_MS) * (local % round(_YEAR_MS))
        features[..., 10] = np.sin(year_phase)
        features[..., 11] = np.cos(year_phase)
    features[..., 12] = weekday >= 5
    return features


def clock_cells(
    at_ms: NDArray[np.int64], zone: str | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Local hour 0 … 23 and weekday 0 … 6 (Monday first) of instants; UTC where unknown."""
    local = local_ms(at_ms, zone or "UTC")
    return local % _DAY_MS // HOUR_MS, (local // _DAY_MS + _EPOCH_WEEKDAY) % 7


@lru_cache(maxsize=4096)
def _offsets(zone: str, block: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where each UTC offset of ``zone`` begins within a block of about a year, and which it is.

    Clocks turn on quarter-hours and never twice within a day, so days are looked at and only
    those that begin and end differently are looked into.
    """
    begin = block * _BLOCK_MS
    days = np.arange(begin, begin + _BLOCK_MS + 1, _DAY_MS)
    daily = offset_ms(days, zone)
    begins, offset = [days[:1]], [daily[:1]]
    for day in np.flatnonzero(np.diff(daily)):
        quarters = np.arange(days[day], days[day + 1] + 1, _QUARTER_MS)
        found = offset_ms(quarters, zone)
        turns = np.flatnonzero(np.diff(found)) + 1
        begins.append(quarters[turns])
        offset.append(found[turns])
    return np.concatenate(begins), np.concatenate(offset)
