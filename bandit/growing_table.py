"""Tables that grow at their end and are searched by key, at the cost of what is added and found.

Rows enter in batches and are marked gone one by one; row numbers stay until :meth:`tidy` makes
room. Nothing is done for rows that nobody asks for, so a stream costs the same a row however
much is kept. Reference: O'Neil et al. (1996), "The log-structured merge-tree".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit.errors import expect_shape

__all__ = ["GrowingTable", "KeyIndex", "spans"]

Whole = NDArray[np.int64]
Found = Callable[[Mapping[str, NDArray[Any]]], NDArray[np.bool_]]

_LEAST_ROOM = 1024


class GrowingTable:
    """Columns of one length, with indexes by key.

    Parameters
    ----------
    columns : mapping of str to ndarray, (N, …)
        The first rows; with none, columns of several dimensions take the width of what comes.
    keys : mapping of str to callable
        Columns to be searched by, and which rows are to be found: columns in, (N,) claims out.
    """

    __slots__ = ("_columns", "_indexes", "_is_kept", "_keys", "_n_used")

    def __init__(self, columns: Mapping[str, NDArray[Any]], *, keys: Mapping[str, Found]) -> None:
        self._keys = keys
        self._hold({name: np.array(column) for name, column in columns.items()})

    def __getitem__(self, name: str) -> NDArray[Any]:
        """Return a view of a column, rows that are gone included, (used,)."""
        return self._columns[name][: self._n_used]

    @property
    def is_kept(self) -> NDArray[np.bool_]:
        """True for rows that are still there, (used,)."""
        return self._is_kept[: self._n_used]

    @property
    def n_rows(self) -> int:
        """Number of rows that are there."""
        return int(np.count_nonzero(self.is_kept))

    @property
    def rows(self) -> Whole:
        """Numbers of the rows that are there, ascending."""
        return np.flatnonzero(self.is_kept)

    def append(self, columns: Mapping[str, NDArray[Any]]) -> Whole:
        """Add rows at the end, all or none; return their numbers.

        Raises
        ------
        BadShapeError
            If a column is wider or narrower than what is kept.
        """
        n = len(next(iter(columns.values())))
        for name, kept in self._columns.items():
            width = kept.shape[1:] if self._n_used else (-1,) * (kept.ndim - 1)
            expect_shape(name, columns[name], (n, *width), "rows as wide as those that are kept")
        self._make_room(n, columns)
        rows = np.arange(self._n_used, self._n_used + n)
        for name, kept in self._columns.items():
            kept[self._n_used : self._n_used + n] = columns[name]
        self._is_kept[rows] = True
        self._n_used += n
        self._index(self._n_used - n)
        return rows

    def find(self, name: str, key: Whole) -> tuple[Whole, Whole]:
        """(position in ``key``, row) pairs of the rows of N keys, in no order to rely on."""
        position, row = self._indexes[name].find(np.asarray(key, np.int64))
        is_kept = self._is_kept[row]
        return position[is_kept], row[is_kept]

    def take(self, rows: Whole) -> dict[str, NDArray[Any]]:
        """Return copies of some rows."""
        return {name: column[rows] for name, column in self._columns.items()}

    def remove(self, rows: Whole) -> None:
        """Mark rows as gone."""
        self._is_kept[rows] = False

    def tidy(self) -> bool:
        """Make room if more rows are gone than there; return whether rows have new numbers.

        Their order stays.
        """
        if self._n_used < _LEAST_ROOM or 2 * self.n_rows > self._n_used:
            return False
        self._hold(self.take(self.rows))
        return True

    def state(self) -> dict[str, NDArray[Any]]:
        """Return copies of the columns, without the rows that are gone."""
        return self.take(self.rows)

    def load(self, columns: Mapping[str, NDArray[Any]]) -> None:
        """Restore what :meth:`state` returned."""
        self._hold({name: np.array(columns[name]) for name in self._columns})

    def _hold(self, columns: dict[str, NDArray[Any]]) -> None:
        self._columns = columns
        self._n_used = len(next(iter(columns.values())))
        self._is_kept = np.ones(self._n_used, np.bool_)
        self._indexes = {name: KeyIndex() for name in self._keys}
        self._index(0)

    def _index(self, begin: int) -> None:
        new = {name: column[begin : self._n_used] for name, column in self._columns.items()}
        for name, is_found in self._keys.items():
            found = np.flatnonzero(is_found(new))
            self._indexes[name].add(new[name][found], begin + found)

    def _make_room(self, n: int, columns: Mapping[str, NDArray[Any]]) -> None:
        wanted, room = self._n_used + n, len(self._is_kept)
        if wanted > room:
            room = max(wanted, room + room // 2, _LEAST_ROOM)
            self._is_kept = _resized(self._is_kept, (room,))
        for name, kept in self._columns.items():
            shape = (room, *np.shape(columns[name])[1:])
            if kept.shape != shape:
                self._columns[name] = _resized(kept, shape)


class KeyIndex:
    """Rows of each key, in sorted runs of falling length.

    A new run swallows those it has outgrown, so a row is sorted anew a logarithmic number of
    times. Rows that are gone stay until the index is made anew with its table.
    """

    __slots__ = ("_runs",)

    def __init__(self) -> None:
        self._runs: list[tuple[Whole, Whole]] = []

    def add(self, key: Whole, row: Whole) -> None:
        """Remember the rows of keys, in any order and with repeats."""
        if not len(key):
            return
        run = _sorted_run(np.asarray(key, np.int64), np.asarray(row, np.int64))
        while self._runs and len(self._runs[-1][0]) <= 2 * len(run[0]):
            keys, rows = self._runs.pop()
            run = _sorted_run(np.concatenate([keys, run[0]]), np.concatenate([rows, run[1]]))
        self._runs.append(run)

    def find(self, key: Whole) -> tuple[Whole, Whole]:
        """(position in ``key``, row) pairs of the rows of N keys, in no order to rely on."""
        found = [(np.zeros(0, np.int64), np.zeros(0, np.int64))]
        for keys, rows in self._runs:
            low = np.searchsorted(keys, key)
            hit = np.flatnonzero(keys[np.minimum(low, len(keys) - 1)] == key)
            if len(hit):
                high = np.searchsorted(keys, key[hit], side="right")
                found += [(hit[n], rows[at]) for n, at in spans(low[hit], high)]
        position, row = (np.concatenate(part) for part in zip(*found, strict=True))
        return position, row


def spans(low: Whole, high: Whole, *, most: int = 1 << 22) -> Iterator[tuple[Whole, Whole]]:
    """Yield (n, position) pairs with ``low[n] ≤ position < high[n]``, n and position ascending.

    Parameters
    ----------
    low, high : ndarray, (N,)
        Ranges of positions; empty where ``high ≤ low``.
    most : int
        Pairs at once, unless one range alone is longer.

    Examples
    --------
    >>> [(n.tolist(), at.tolist()) for n, at in spans(np.array([3, 0]), np.array([5, 1]))]
    [([0, 0, 1], [3, 4, 0])]
    """
    total = np.cumsum(np.maximum(high - low, 0))
    begin = 0
    while begin < len(low):
        before = int(total[begin - 1]) if begin else 0
        end = max(int(np.searchsorted(total, before + most, side="right")), begin + 1)
        count = np.maximum(high[begin:end] - low[begin:end], 0)
        n = np.repeat(np.arange(begin, end), count)
        offset = np.arange(len(n)) - np.repeat(np.cumsum(count) - count, count)
        yield n, low[n] + offset
        begin = end


def _sorted_run(key: Whole, row: Whole) -> tuple[Whole, Whole]:
    order = np.argsort(key, kind="stable")
    return key[order], row[order]


def _resized(column: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Return a longer copy; one of another width has no rows yet and keeps nothing."""
    longer = np.zeros(shape, column.dtype)
    if column.shape[1:] == shape[1:]:
        longer[: len(column)] = column
    return longer
