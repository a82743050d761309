"""Hours and days of the week by the user's clock."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bandit.actions import Request
from bandit.slots import DAY_MS, HOUR_MS, offset_ms

__all__ = ["hours_of_day", "local_start_ms", "nearest_open_slot"]


def hours_of_day(request: Request) -> NDArray[np.float64]:
    """Hour of the day at which each slot starts, UTC where the zone is unknown, (N, S)."""
    return np.asarray((local_start_ms(request) % DAY_MS) / HOUR_MS)


def local_start_ms(request: Request) -> NDArray[np.int64]:
    """What the user's clock shows where each slot starts, as ms since the epoch, (N, S).

    UTC where the zone is unknown.
    """
    local = request.grid.start_ms.astype(np.int64)  # a copy
    for zone in np.unique(request.zone):
        rows = request.zone == zone
        local[rows] += offset_ms(local[rows], str(zone) or "UTC")
    return local


def nearest_open_slot(request: Request, *, hour: float) -> NDArray[np.int64]:
    """Of the open slots of each item the one nearest to an hour round the clock, (N, K).

    The earlier of two that are as near; any where an item has none.
    """
    shape = (request.n_rows, request.n_items, request.n_slots)
    is_open = request.mask[:, 1:].reshape(shape)
    off = np.abs(hours_of_day(request) - hour)
    off = np.where(is_open, np.minimum(off, 24.0 - off)[:, None, :], np.inf)
    is_nearest = off == off.min(axis=2, keepdims=True)
    start = np.where(is_nearest, request.grid.start_ms[:, None, :], np.iinfo(np.int64).max)
    return np.asarray(start.argmin(axis=2))
