"""The two tables of the join: open decisions, and outcomes heard so far.

Decisions and outcomes enter; columnar tables leave that can be summed by decision id or by
user and time without a Python loop over rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from bandit.actions import HOLD
from bandit.decide import Decisions
from bandit.errors import BadInputError
from bandit.outcomes import Kind, Outcomes, RewardScheme

__all__ = ["DecisionRows", "OutcomeRows", "logged_rows", "rows_of"]

Array = NDArray[np.float64]
Whole = NDArray[np.int64]
_TIME_BITS = 41


@dataclass(slots=True, kw_only=True)
class DecisionRows:
    """Open decisions with what feedback needs, and what has been learned of them."""

    decision_id: Whole  # (O,)
    user: Whole
    at_ms: Whole
    start_ms: Whole  # planned slot, decision time for hold
    is_send: NDArray[np.bool_]
    item: Whole
    slot: Whole
    propensity: Array
    p_send: Array
    context: Array  # (O, D)
    item_features: Array  # (O, Di)
    slot_features: Array  # (O, Ds)
    seen: Array  # (O, R) as last counted
    components: Array  # (O, R) as last emitted
    maturity: Array  # (O, R) as last emitted
    is_emitted: NDArray[np.bool_]
    next_ms: Whole  # when to look again though nothing came

    @property
    def n_rows(self) -> int:
        """Number of rows O."""
        return len(self.decision_id)

    def columns(self) -> dict[str, NDArray[Any]]:
        """Return the columns by name."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    def take(self, rows: Whole) -> DecisionRows:
        """Return copies of some rows."""
        return DecisionRows(**{name: column[rows] for name, column in self.columns().items()})

    def joined(self, more: DecisionRows) -> DecisionRows:
        """Return these rows and then ``more``."""
        theirs = more.columns()
        both = {
            name: np.concatenate([column, theirs[name]]) for name, column in self.columns().items()
        }
        return DecisionRows(**both)

    @classmethod
    def empty_like(cls, scheme: RewardScheme) -> DecisionRows:
        """Return no rows, with R columns of components."""
        whole, real, claim = np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.bool_)
        wide, empty = np.zeros((0, len(scheme))), np.zeros((0, 0))
        return cls(
            decision_id=whole,
            user=whole,
            at_ms=whole,
            start_ms=whole,
            is_send=claim,
            item=whole,
            slot=whole,
            propensity=real,
            p_send=real,
            context=empty,
            item_features=empty,
            slot_features=empty,
            seen=wide,
            components=wide,
            maturity=wide,
            is_emitted=claim,
            next_ms=whole,
        )


def rows_of(decisions: Decisions, scheme: RewardScheme) -> DecisionRows:
    """Open rows of fresh decisions, as the log keeps them: a replay learns no more and no less."""
    told = {
        "decision_id": decisions.decision_id,
        "user": decisions.request.user,
        "at_ms": decisions.request.at_ms,
        "start_ms": decisions.slot_start_ms,
        "is_send": decisions.is_send,
        "item": decisions.item,
        "slot": decisions.slot,
        "propensity": decisions.propensity,
        "p_send": decisions.p_send,
        "context": decisions.request.context.astype(np.float64),
        "item_features": decisions.item_features,
        "slot_features": decisions.slot_features,
    }
    return _unheard(told, scheme)


def logged_rows(log: pa.Table, scheme: RewardScheme) -> DecisionRows:
    """Open rows of decisions as the log tells them; equal to those of :func:`rows_of`.

    Raises
    ------
    BadInputError
        Where contexts or features of the rows differ in length, as those of two encoders do.
    """
    told = {
        "decision_id": np.asarray(log["decision_id"]),
        "user": np.asarray(log["user"]),
        "at_ms": np.asarray(log["at_ms"]),
        "start_ms": np.asarray(log["slot_start_ms"]),
        "is_send": np.asarray(log["planned"]) != HOLD,
        "item": np.asarray(log["item"]),
        "slot": np.asarray(log["slot"], np.int64),
        "propensity": np.asarray(log["propensity"]),
        "p_send": np.asarray(log["p_send"]),
        "context": _matrix(log, "context"),
        "item_features": _matrix(log, "item_features"),
        "slot_features": _matrix(log, "slot_features"),
    }
    return _unheard(told, scheme)


def _unheard(told: Mapping[str, NDArray[Any]], scheme: RewardScheme) -> DecisionRows:
    """Rows of which no outcome has been heard."""
    shape = (len(told["decision_id"]), len(scheme))
    return DecisionRows(
        **told,
        seen=np.zeros(shape),
        components=np.zeros(shape),
        maturity=np.zeros(shape),
        is_emitted=np.zeros(shape[0], np.bool_),
        next_ms=told["at_ms"],
    )


def _matrix(log: pa.Table, name: str) -> Array:
    """A column of lists as rows of a matrix, (N, D)."""
    lengths = pc.unique(pc.list_value_length(log[name])).to_pylist()
    if len(lengths) > 1:
        raise BadInputError(
            f"expected {name} of one length, got rows of {sorted(lengths)}: read what each encoder "
            "logged by itself"
        )
    width = lengths[0] if lengths else 0
    return np.asarray(pc.list_flatten(log[name]), np.float64).reshape(log.num_rows, width)


@dataclass(slots=True, kw_only=True)
class OutcomeRows:
    """Outcomes heard, one row an id, sorted by id; corrections already applied."""

    outcome_id: Whole  # (M,) ascending
    kind: NDArray[np.uint8]
    user: Whole
    at_ms: Whole
    received_ms: Whole
    value: Array
    decision_id: Whole
    corrects: Whole

    @property
    def n_rows(self) -> int:
        """Number of outcomes M."""
        return len(self.outcome_id)

    @classmethod
    def empty(cls) -> OutcomeRows:
        """Return no outcomes."""
        whole = np.zeros(0, np.int64)
        return cls(
            outcome_id=whole,
            kind=np.zeros(0, np.uint8),
            user=whole,
            at_ms=whole,
            received_ms=whole,
            value=np.zeros(0),
            decision_id=whole,
            corrects=whole,
        )

    def columns(self) -> dict[str, NDArray[Any]]:
        """Return the columns by name."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    def take(self, rows: Whole | NDArray[np.bool_]) -> OutcomeRows:
        """Return copies of some rows."""
        return OutcomeRows(**{name: column[rows] for name, column in self.columns().items()})

    def joined(self, outcomes: Outcomes) -> tuple[OutcomeRows, int, int]:
        """Add outcomes; return the table, how many were duplicates, and how many corrections."""
        both = OutcomeRows(
            **{
                name: np.concatenate([column, getattr(outcomes, name)])
                for name, column in self.columns().items()
            }
        )
        _, first = np.unique(both.outcome_id, return_index=True)
        kept = both.take(first)
        duplicates = both.n_rows - kept.n_rows
        corrections = int((kept.corrects >= 0).sum()) - int((self.corrects >= 0).sum())
        return kept._corrected(), duplicates, corrections

    def of_kinds(self, kinds: tuple[Kind, ...]) -> OutcomeRows:
        """Outcomes of some kinds; a correction is no outcome of its own."""
        wanted = np.isin(self.kind, np.array(kinds, np.uint8)) & (self.corrects < 0)
        return self.take(wanted)

    def delivered_ms(self, rows: DecisionRows) -> Whole:
        """When each row was delivered; its planned slot where it was not."""
        found = self.of_kinds((Kind.DELIVERED,))
        start = rows.start_ms.copy()
        if found.n_rows and rows.n_rows:
            order = np.argsort(rows.decision_id, kind="stable")
            ids = rows.decision_id[order]
            where = np.minimum(np.searchsorted(ids, found.decision_id), len(ids) - 1)
            known = ids[where] == found.decision_id
            start[order[where[known]]] = found.at_ms[known]
        return start

    def pairs_by_id(self, decision_id: Whole, start: Whole, end: Whole) -> tuple[Whole, Whole]:
        """(row, outcome) pairs of the same id with ``start ≤ at < end``."""
        if not len(decision_id) or not self.n_rows:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        order = np.argsort(decision_id, kind="stable")
        ids = decision_id[order]
        where = np.minimum(np.searchsorted(ids, self.decision_id), len(ids) - 1)
        outcome = np.flatnonzero(ids[where] == self.decision_id)
        row = order[where[outcome]]
        inside = (self.at_ms[outcome] >= start[row]) & (self.at_ms[outcome] < end[row])
        return row[inside], outcome[inside]

    def sums_by_id(self, decision_id: Whole, start: Whole, end: Whole, mass: Array) -> Array:
        """Mass of each row's own responses inside its window."""
        row, outcome = self.pairs_by_id(decision_id, start, end)
        sums = np.bincount(row, weights=mass[outcome], minlength=len(decision_id))
        return sums.astype(np.float64)

    def pairs_by_time(self, user: Whole, start: Whole, end: Whole) -> tuple[Whole, Whole]:
        """(row, outcome) pairs of the same user with ``start ≤ at < end``; may overlap."""
        order, low, high = self._span(user, start, end)
        count = high - low
        row = np.repeat(np.arange(len(user)), count)
        offset = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        return row, order[np.repeat(low, count) + offset]

    def sums_by_time(self, user: Whole, start: Whole, end: Whole, mass: Array) -> Array:
        """Mass of each user's behaviour in ``[start, end)``, added up in order of time.

        Each row adds its own alone: differences of prefix sums over everybody would move in
        their last digits with what others do, and rows would be revised for nothing.
        """
        row, outcome = self.pairs_by_time(user, start, end)
        sums = np.bincount(row, weights=mass[outcome], minlength=len(user))
        return sums.astype(np.float64)

    def _span(self, user: Whole, start: Whole, end: Whole) -> tuple[Whole, Whole, Whole]:
        """Outcomes in (user, time) order, and each row's range in that order."""
        users = np.unique(user)
        code = np.searchsorted(users, self.user)
        known = np.flatnonzero(
            users[np.minimum(code, max(len(users) - 1, 0))] == self.user
            if len(users)
            else np.zeros(self.n_rows, np.bool_)
        )
        key = (code[known].astype(np.int64) << _TIME_BITS) | self.at_ms[known]
        sorting = np.argsort(key, kind="stable")
        key, order = key[sorting], known[sorting]
        rows = np.searchsorted(users, user).astype(np.int64) << _TIME_BITS
        low = np.searchsorted(key, rows | start, side="left")
        high = np.searchsorted(key, rows | end, side="left")
        return order, np.asarray(low, np.int64), np.asarray(high, np.int64)

    def _corrected(self) -> OutcomeRows:
        """Give every corrected outcome the value of its latest correction.

        A correction of a correction corrects what that one did; a correction keeps its own
        value, so that nothing hangs on how often and in which order they were heard.
        """
        corrections = np.flatnonzero(self.corrects >= 0)
        if not len(corrections):
            return self
        latest = corrections[np.argsort(self.at_ms[corrections], kind="stable")]
        where, known = self._places(self.corrects[latest])
        for _ in range(len(corrections)):
            is_chained = known & (self.corrects[where] >= 0)
            if not is_chained.any():
                break
            where[is_chained], known[is_chained] = self._places(self.corrects[where[is_chained]])
        known &= self.corrects[where] < 0
        self.value[where[known]] = self.value[latest[known]]
        return self

    def _places(self, outcome_id: Whole) -> tuple[Whole, NDArray[np.bool_]]:
        """Row of each id, and whether it is there at all."""
        where = np.minimum(np.searchsorted(self.outcome_id, outcome_id), self.n_rows - 1)
        return where, self.outcome_id[where] == outcome_id
