"""The classic features of every user at any time: recency, frequency, money spent, rating given.

Histories and query times enter; an Arrow table with a row a query leaves. Only events strictly
before a query's time are seen, so a row is what could have been known then. Sums are taken
history by history: a row does not change with who else is in the batch. Reference: Hughes
(1994), "Strategic Database Marketing", for recency, frequency and monetary value.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bandit.errors import BadInputError, expect_shape
from bandit.events import ACTIONS, Events, Histories
from bandit.slots import DAY_MS

__all__ = ["GROUPS", "WINDOWS_DAYS", "classic_table"]

Array = NDArray[np.float64]
Whole = NDArray[np.int64]
Truth = NDArray[np.bool_]

GROUPS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "browse": ("view", "search", "favourite", "session"),
        "cart": ("cart",),
        "purchase": ("purchase",),
        "push_clicked": ("push_clicked",),
    }
)
"""Actions that count as one kind of activity. A push shown is ours, not the user's."""

WINDOWS_DAYS = (1, 7, 30)


def classic_table(
    histories: Histories,
    at_ms: Whole,
    *,
    groups: Mapping[str, tuple[str, ...]] = GROUPS,
    windows_days: tuple[int, ...] = WINDOWS_DAYS,
) -> pa.Table:
    """Describe N users at T times each by the classic features.

    Parameters
    ----------
    histories : Histories
        Of N users.
    at_ms : ndarray of int64, (N, T)
        When each user is looked at; an event at that very instant is not seen.
    groups : mapping
        Name of each group to the actions it counts.
    windows_days : tuple of int
        Lengths of the windows that end at the query.

    Returns
    -------
    pyarrow.Table
        N·T rows, users in order and times within users: ``user, at_ms``; for each group
        ``days_since_GROUP`` (NaN if never) and ``n_GROUP_Wd`` in the last W days;
        ``spent_Wd`` and ``spent_total`` (purchases less refunds, in the file's currency;
        purchases without an amount add nothing); ``rating_mean`` and ``rating_last`` (NaN if
        none was given).

    Raises
    ------
    BadInputError
        For unknown actions, windows that are not whole days above 0, or times of another shape.
    """
    _check(groups, windows_days)
    expect_shape("at_ms", at_ms, (histories.n_users, -1), "a row of times a history")
    n_times = at_ms.shape[1]
    events, first = histories.events, np.repeat(histories.offsets[:-1], n_times)  # (N·T,)
    end = np.repeat(histories.offsets[1:], n_times)
    now = np.asarray(at_ms, np.int64).ravel()
    until = _first_at_or_after(events.at_ms, first, end, now)
    since = {
        days: _first_at_or_after(events.at_ms, first, until, now - days * DAY_MS)
        for days in windows_days
    }
    columns: dict[str, NDArray[np.generic]] = {
        "user": np.repeat(histories.user, n_times),
        "at_ms": now,
    }
    for name, actions in groups.items():
        in_group = np.isin(events.action, [ACTIONS.index(action) for action in actions])
        columns[f"days_since_{name}"] = _days_since(events.at_ms, in_group, first, until, now)
        count = np.concatenate([[0], np.cumsum(in_group)])
        for days, start in since.items():
            columns[f"n_{name}_{days}d"] = count[until] - count[start]
    money = _signed_amounts(events)
    for days, start in since.items():
        columns[f"spent_{days}d"] = _range_sums(money, start, until)
    columns["spent_total"] = _range_sums(money, first, until)
    columns["rating_mean"], columns["rating_last"] = _ratings(events.rating, first, until)
    return pa.table(columns)


def _check(groups: Mapping[str, tuple[str, ...]], windows_days: tuple[int, ...]) -> None:
    unknown = sorted({a for actions in groups.values() for a in actions} - set(ACTIONS))
    if unknown:
        raise BadInputError(f"expected actions out of {', '.join(ACTIONS)}, got {unknown}")
    if any(days < 1 or days != int(days) for days in windows_days):
        raise BadInputError(f"expected windows of one or more whole days, got {windows_days}")


def _first_at_or_after(at_ms: Whole, first: Whole, end: Whole, instant: Whole) -> Whole:
    """First row of ``[first, end)`` whose time is not before ``instant``; ``end`` if none.

    All ranges are halved together, so the cost is one pass a doubling of the longest history.
    """
    low, high = first.copy(), end.copy()
    for _ in range(int(np.max(end - first, initial=0)).bit_length()):
        middle = (low + high) // 2
        is_open = low < high
        # A closed range may point past the last event.
        is_before = is_open & (at_ms[np.minimum(middle, len(at_ms) - 1)] < instant)
        low = np.where(is_before, middle + 1, low)
        high = np.where(is_open & ~is_before, middle, high)
    return low


def _last_where(is_wanted: Truth, first: Whole, until: Whole) -> Whole:
    """Last wanted row of each range ``[first, until)``, −1 if there is none."""
    rows = np.where(is_wanted, np.arange(len(is_wanted)), -1)
    latest = np.concatenate([[-1], np.maximum.accumulate(rows)])[until]
    return np.where(latest >= first, latest, -1)


def _days_since(at_ms: Whole, in_group: Truth, first: Whole, until: Whole, now: Whole) -> Array:
    last = _last_where(in_group, first, until)
    days = np.full(len(now), np.nan)
    seen = last >= 0
    days[seen] = (now[seen] - at_ms[last[seen]]) / DAY_MS
    return days


def _signed_amounts(events: Events) -> Array:
    """Money in: purchases add, refunds take away whichever sign they were written with."""
    known = np.where(np.isfinite(events.amount), events.amount, 0.0)
    bought = events.action == ACTIONS.index("purchase")
    refunded = events.action == ACTIONS.index("refund")
    return np.where(bought, known, 0.0) - np.where(refunded, np.abs(known), 0.0)


def _ratings(rating: Array, first: Whole, until: Whole) -> tuple[Array, Array]:
    given = np.isfinite(rating)
    count = np.concatenate([[0], np.cumsum(given)])
    n_given = count[until] - count[first]
    mean = np.full(len(until), np.nan)
    total = _range_sums(np.where(given, rating, 0.0), first, until)
    np.divide(total, n_given, out=mean, where=n_given > 0)
    last = _last_where(given, first, until)
    latest = np.full(len(until), np.nan)
    latest[last >= 0] = rating[last[last >= 0]]
    return mean, latest


def _range_sums(values: Array, first: Whole, until: Whole) -> Array:
    """Sum of values in each range, each on its own.

    Differences of one running sum would be cheaper, but would carry the rounding of everybody
    who comes earlier in the batch.
    """
    bounds = np.stack([first, until], axis=1).ravel()
    padded = np.append(values, 0.0)  # so that a range may end with the last event
    sums = np.add.reduceat(padded, bounds)[::2] if len(bounds) else np.zeros(0)
    return np.where(until > first, sums, 0.0)
