"""Outcomes heard so far, each once, with corrections applied, to be found by user or decision.

Outcomes enter in any order and any number of times; a table leaves whose values do not depend
on how it was told. DESIGN §4 *Outcomes*.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit.growing_table import GrowingTable
from bandit.outcomes import Kind, Outcomes, no_outcomes

__all__ = ["HeardOutcomes"]

Whole = NDArray[np.int64]

_NONE = -1


@dataclass(slots=True)
class HeardOutcomes:
    """One row an outcome, in the order of telling.

    Beside the columns of :class:`~bandit.outcomes.Outcomes`: ``is_settled`` (a correction whose
    original is known; ``corrects`` then names that original, at the end of its chain),
    ``as_of_ms`` and ``as_of_id`` (the correction in force), ``is_known`` (the decision of a
    response has been heard of).
    """

    table: GrowingTable = field(init=False)
    _waiting: Whole = field(init=False)  # rows of corrections that are not settled

    def __post_init__(self) -> None:
        self.table = GrowingTable(
            _columns(no_outcomes()),
            keys={"outcome_id": _anything, "user": _is_behaviour, "decision_id": _has_decision},
        )
        self._waiting = self.table.rows

    def tell(self, outcomes: Outcomes) -> tuple[Whole, Whole]:
        """Take outcomes; one that is known already changes nothing.

        Returns
        -------
        new : ndarray
            Rows heard for the first time, corrections among them.
        moved : ndarray
            Rows, new or not, whose value was corrected.
        """
        _, first = np.unique(outcomes.outcome_id, return_index=True)
        told = np.sort(first)
        known, _ = self._rows_of(outcomes.outcome_id[told])
        told = np.delete(told, known)
        new = self.table.append({n: c[told] for n, c in _columns(outcomes).items()})
        self._waiting = np.concatenate([self._waiting, self._unsettled(new)])
        return new, self._settle()

    def by_user(self, user: Whole) -> tuple[Whole, Whole]:
        """(position, row) pairs of all behaviour of some users, corrections left out."""
        return self.table.find("user", user)

    def by_decision(self, decision_id: Whole) -> tuple[Whole, Whole]:
        """(position, row) pairs of all that carries the id of some decisions, likewise."""
        return self.table.find("decision_id", decision_id)

    def deliveries(self, decision_id: Whole) -> tuple[Whole, Whole]:
        """(position, row) pairs of the deliveries of some decisions."""
        position, row = self.by_decision(decision_id)
        is_delivery = self.table["kind"][row] == Kind.DELIVERED
        return position[is_delivery], row[is_delivery]

    def forget(self, before_ms: int) -> int:
        """Let old outcomes go; return how many were responses to no decision ever heard of."""
        table = self.table
        is_old = np.maximum(table["at_ms"], table["received_ms"]) < before_ms
        rows = np.flatnonzero(is_old & table.is_kept)
        is_response = (table["kind"][rows] < Kind.SESSION) & (table["decision_id"][rows] >= 0)
        lost = is_response & (table["corrects"][rows] == _NONE) & ~table["is_known"][rows]
        table.remove(rows)
        table.tidy()
        self._waiting = self._unsettled(table.rows)
        return int(lost.sum())

    def state(self) -> dict[str, NDArray[Any]]:
        """Return copies of the columns."""
        return self.table.state()

    def load(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Restore what :meth:`state` returned."""
        self.table.load(state)
        self._waiting = self._unsettled(self.table.rows)

    def _unsettled(self, rows: Whole) -> Whole:
        is_correction = self.table["corrects"][rows] != _NONE
        return np.asarray(rows[is_correction & ~self.table["is_settled"][rows]])

    def _rows_of(self, outcome_id: Whole) -> tuple[Whole, Whole]:
        return self.table.find("outcome_id", outcome_id)

    def _settle(self) -> Whole:
        """Give corrected outcomes the value of their latest correction; return their rows.

        A correction of a correction corrects what that one did; one of something unknown waits.
        Its own value is kept, so that nothing hangs on how often and in which order they came.
        """
        table, moved = self.table, [np.zeros(0, np.int64)]
        while len(self._waiting):
            position, target = self._rows_of(table["corrects"][self._waiting])
            is_outcome = table["corrects"][target] == _NONE
            ready = is_outcome | table["is_settled"][target]
            if not ready.any():
                break
            position, target, is_outcome = position[ready], target[ready], is_outcome[ready]
            rows = self._waiting[position]
            original = np.where(is_outcome, table["outcome_id"][target], table["corrects"][target])
            table["corrects"][rows] = original
            table["is_settled"][rows] = True
            self._waiting = np.delete(self._waiting, position)
            moved.append(self._correct(rows))
        return np.unique(np.concatenate(moved))

    def _correct(self, rows: Whole) -> Whole:
        """Apply settled corrections where none that is later is in force; ties by id."""
        table = self.table
        rows = rows[np.lexsort((table["outcome_id"][rows], table["at_ms"][rows]))]
        position, original = self._rows_of(table["corrects"][rows])
        order = np.lexsort((position, original))
        rows, original = rows[position[order]], original[order]
        is_last = np.append(original[1:] != original[:-1], True)[: len(original)]
        rows, original = rows[is_last], original[is_last]
        at_ms, outcome_id = table["at_ms"][rows], table["outcome_id"][rows]
        in_force = table["as_of_ms"][original]
        is_later = (at_ms > in_force) | (
            (at_ms == in_force) & (outcome_id > table["as_of_id"][original])
        )
        rows, original = rows[is_later], original[is_later]
        for name, of in (("as_of_ms", "at_ms"), ("as_of_id", "outcome_id")):
            table[name][original] = table[of][rows]
        for name in ("value", "currency"):
            table[name][original] = table[name][rows]
        return np.asarray(original)


def _columns(outcomes: Outcomes) -> dict[str, NDArray[Any]]:
    told = {name: getattr(outcomes, name) for name in Outcomes.__slots__}
    n = outcomes.n_rows
    return told | {
        "is_settled": np.zeros(n, np.bool_),
        "as_of_ms": np.full(n, _NONE, np.int64),
        "as_of_id": np.full(n, _NONE, np.int64),
        "is_known": np.zeros(n, np.bool_),
    }


def _anything(table: Mapping[str, NDArray[Any]]) -> NDArray[np.bool_]:
    return np.ones(len(table["outcome_id"]), np.bool_)


def _is_behaviour(table: Mapping[str, NDArray[Any]]) -> NDArray[np.bool_]:
    return np.asarray((table["kind"] >= Kind.SESSION) & (table["corrects"] == _NONE))


def _has_decision(table: Mapping[str, NDArray[Any]]) -> NDArray[np.bool_]:
    return np.asarray((table["decision_id"] >= 0) & (table["corrects"] == _NONE))
