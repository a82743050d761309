"""Rows that are learned but not yet final, kept so that a revision is exact.

A row enters under its decision id with whatever its head needs to take its contribution back
out again; it leaves when its maturity is 1. Wide columns stay where they were written and only
an index of ids is kept sorted, so that a hundred thousand open rows do not make an update dear.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit.errors import BadShapeError, StateError
from policies.checks import check_state

__all__ = ["OpenRows"]

Array = NDArray[np.float64]
Whole = NDArray[np.int64]


@dataclass(slots=True)
class OpenRows:
    """A columnar table of open rows, found by decision id.

    Parameters
    ----------
    widths : mapping
        Columns by name: how many numbers a row has in each.
    """

    widths: Mapping[str, int]
    decision_id: Whole = field(init=False)  # (O,) ascending
    _place: Whole = field(init=False)  # (O,) where the columns of each id lie
    _free: Whole = field(init=False)  # places nobody lives at
    _columns: dict[str, Array] = field(init=False)  # (capacity, width) each

    def __post_init__(self) -> None:
        self.decision_id, self._place, self._free = (np.zeros(0, np.int64) for _ in range(3))
        self._columns = {name: np.zeros((0, width)) for name, width in self.widths.items()}

    def add(self, decision_id: Whole, columns: Mapping[str, Array]) -> None:
        """Keep rows that may be revised later: (N,) ids, and (N, width) of every column."""
        self.expect_new(decision_id)
        if columns.keys() != self._columns.keys():
            raise BadShapeError(f"expected columns {sorted(self.widths)}, got {sorted(columns)}")
        n = len(decision_id)
        self._make_room(n)
        place, self._free = self._free[:n], self._free[n:]
        for name, column in self._columns.items():
            column[place] = columns[name]
        order = np.argsort(decision_id)
        where = np.searchsorted(self.decision_id, decision_id[order])
        self.decision_id = np.insert(self.decision_id, where, decision_id[order])
        self._place = np.insert(self._place, where, place[order])

    def expect_new(self, decision_id: Whole) -> None:
        """Raise :class:`StateError` if an id is here already, or comes twice."""
        if len(decision_id) == 1 and not len(self.decision_id):
            return
        if _has_twins(decision_id) or self._is_here(decision_id).any():
            raise StateError("expected decisions learned once, got an id twice: call revise")

    def positions(self, decision_id: Whole) -> Whole:
        """Where the rows lie, good until the next :meth:`add` or :meth:`drop`.

        Raises
        ------
        StateError
            If one of them was never learned, is final already, or comes twice.
        """
        if _has_twins(decision_id):
            raise StateError("expected each decision once a batch of revisions, got an id twice")
        if not self._is_here(decision_id).all():
            raise StateError(
                "expected revisions of open rows, got a decision that was never learned or is "
                "final already: send it through update first"
            )
        return np.asarray(np.searchsorted(self.decision_id, decision_id))

    def take(self, name: str, where: Whole) -> Array:
        """Return a column of chosen rows, (N, width)."""
        return np.asarray(self._columns[name][self._place[where]])

    def put(self, name: str, where: Whole, values: Array) -> None:
        """Overwrite a column of chosen rows."""
        self._columns[name][self._place[where]] = values

    def drop(self, where: Whole) -> None:
        """Forget rows that are final."""
        self._free = np.concatenate([self._free, self._place[where]])
        self.decision_id = np.delete(self.decision_id, where)
        self._place = np.delete(self._place, where)

    def turn(self, name: str, turned: Array) -> None:
        """Write a column of all rows in another basis: x becomes ``turned``·x."""
        # In the order of ids, because a product's last bits depend on where a row stands.
        self._columns[name][self._place] = self._columns[name][self._place] @ turned.T

    def state(self) -> dict[str, NDArray[Any]]:
        """Return a copy of the table in the order of its ids, as named arrays."""
        kept = {f"open.{name}": column[self._place] for name, column in self._columns.items()}
        return {"open.decision_id": self.decision_id.copy()} | kept

    def load(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Restore what :meth:`state` returned."""
        check_state(state, {"open.decision_id": (-1,)})
        n = len(state["open.decision_id"])
        check_state(state, {f"open.{name}": (n, width) for name, width in self.widths.items()})
        self.decision_id = np.array(state["open.decision_id"], np.int64)
        self._place, self._free = np.arange(n), np.zeros(0, np.int64)
        self._columns = {name: np.array(state[f"open.{name}"], float) for name in self.widths}

    def _make_room(self, n: int) -> None:
        """Double the columns until ``n`` places are free."""
        if len(self._free) >= n:
            return
        used = len(self._place) + len(self._free)
        more = max(used, n)
        self._free = np.concatenate([self._free, np.arange(used, used + more)])
        for name, column in self._columns.items():
            self._columns[name] = np.concatenate([column, np.zeros((more, self.widths[name]))])

    def _is_here(self, decision_id: Whole) -> NDArray[np.bool_]:
        where = np.searchsorted(self.decision_id, decision_id)
        here = np.append(self.decision_id, -1)[where] == decision_id
        return np.asarray(here & (where < len(self.decision_id)))


def _has_twins(ids: Whole) -> bool:
    return bool((np.diff(np.sort(ids)) == 0).any())
