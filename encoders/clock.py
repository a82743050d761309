"""The local clock of a user, as numbers: wall-clock time, its cells and its harmonics.

Instants (int64 ms, UTC) and a zone enter; arrays leave. Absolute times stay integers until they
are phases of a day or a week. Fixed harmonics rather than learned frequencies (Time2Vec, Kazemi
et al. 2019): they are exact, periodic, and need no export.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from bandit.slots import HOUR_MS, offset_ms

__all__ = ["N_CALENDAR", "calendar_features", "clock_cells", "local_ms"]

N_CALENDAR = 13
_DAY_MS = 24 * HOUR_MS
_YEAR_MS = 365.2425 * _DAY_MS
_QUARTER_MS = HOUR_MS // 4
_EPOCH_WEEKDAY = 3  # 1970-01-01 was a Thursday, with Monday = 0
_LARGEST_TABLE = 6 * 366 * 96


def local_ms(at_ms: NDArray[np.int64], zone: str) -> NDArray[np.int64]:
    """Milliseconds of the local wall clock in ``zone``, any shape."""
    at = np.asarray(at_ms, np.int64)
    if at.size == 0:
        return at
    quarters = at // _QUARTER_MS
    first, last = int(quarters.min()), int(quarters.max())
    if last - first > _LARGEST_TABLE:
        return np.asarray(at + offset_ms(at, zone))
    # Whole years at once, so that calls with nearby times find the same table.
    first, last = first // 2**15 * 2**15, (last // 2**15 + 1) * 2**15
    return np.asarray(at + _offset_table(zone, first, last)[quarters - first])


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
    weekday = (local // _DAY_MS + _EPOCH_WEEKDAY) % 7
    week_phase = (2 * np.pi / 7) * weekday
    for k in (1, 2, 3):
        features[..., 2 * k - 2] = np.sin(k * day_phase)
        features[..., 2 * k - 1] = np.cos(k * day_phase)
    for k in (1, 2):
        features[..., 4 + 2 * k] = np.sin(k * week_phase)
        features[..., 5 + 2 * k] = np.cos(k * week_phase)
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


@lru_cache(maxsize=64)
def _offset_table(zone: str, first: int, last: int) -> NDArray[np.int64]:
    return offset_ms(np.arange(first, last + 1, dtype=np.int64) * _QUARTER_MS, zone)
