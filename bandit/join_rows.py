"""The two tables of decisions in the join: open ones, and those that were closed lately.

Decisions enter, fresh or from the log; rows to look at, their claims on outcomes, and feedback
leave.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from bandit.actions import HOLD
from bandit.credit import Claims
from bandit.decide import Decisions
from bandit.errors import BadInputError
from bandit.growing_table import GrowingTable
from bandit.outcomes import Feedback, RewardScheme
from bandit.short_lists import logged_lists, told_lists

__all__ = [
    "ClosedDecisions",
    "Columns",
    "OpenDecisions",
    "logged_grid_ends_ms",
    "logged_rows",
    "told_rows",
]

Array = NDArray[np.float64]
Whole = NDArray[np.int64]
Columns = Mapping[str, NDArray[Any]]

_NEVER_MS = np.iinfo(np.int64).max
_AT_ONCE_MS = np.iinfo(np.int64).min
_OF_FEEDBACK = (
    *("decision_id", "user", "at_ms", "is_send", "item", "slot", "propensity", "p_send"),
    *("context", "item_features", "slot_features", "short_list", "p_items"),
)


@dataclass(slots=True)
class OpenDecisions:
    """Decisions that outcomes may still count for, in the order in which they were told."""

    scheme: RewardScheme
    table: GrowingTable = field(init=False)
    _touched: list[Whole] = field(init=False)

    def __post_init__(self) -> None:
        self.table = GrowingTable(_no_rows(len(self.scheme)), keys=_KEYS)
        self._touched = [self.table.rows]

    def add(self, told: Columns, *, waits: bool) -> Whole:
        """Open decisions and touch them; return their rows.

        Parameters
        ----------
        told : mapping
            Columns of :func:`told_rows` or :func:`logged_rows`.
        waits : bool
            Rows that wait are not due before they are final, the others at once.
        """
        rows = self.table.append(dict(told) | _unheard(told, len(self.scheme), waits=waits))
        self.touch(rows)
        return rows

    def touch(self, rows: Whole) -> None:
        """Remember rows whose sums may have changed."""
        self._touched.append(rows)

    def touched(self) -> Whole:
        """Return the rows touched since the last call, ascending."""
        is_touched = np.zeros(len(self.table.is_kept), np.bool_)
        for rows in self._touched:
            is_touched[rows] = True
        self._touched = []
        return np.flatnonzero(is_touched)

    def due(self, now_ms: int, *, also: Whole) -> Whole:
        """Rows that have to be looked at though nothing came, and some others, ascending."""
        is_due = (self.table["look_ms"] <= now_ms) & self.table.is_kept
        is_due[also] = True
        return np.flatnonzero(is_due)

    def claims(self, rows: Whole, *, as_planned: bool = False) -> Claims:
        """What some rows claim outcomes by; ``as_planned`` forgets deliveries heard of."""
        sent = "start_ms" if as_planned else "sent_ms"
        names = {name: name for name in ("decision_id", "user", "at_ms", "is_send")}
        return Claims(**{n: self.table[c][rows] for n, c in (names | {"sent_ms": sent}).items()})

    def set_sent(self, rows: Whole, sent_ms: Whole) -> None:
        """Set when rows were delivered, or are planned to be."""
        self.table["sent_ms"][rows] = sent_ms

    def set_final(self, rows: Whole, final_ms: Whole) -> None:
        """Set when rows are final; they are looked at by then."""
        self.table["final_ms"][rows] = final_ms
        self.table["look_ms"][rows] = np.minimum(self.table["next_ms"][rows], final_ms)

    def feedback(self, rows: Whole, components: Array, maturity: Array) -> Feedback:
        """Feedback of some rows."""
        return Feedback(
            **{name: self.table[name][rows] for name in _OF_FEEDBACK},
            components=components,
            maturity=maturity,
            scheme=self.scheme,
        )

    def load(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Restore the state of the table; every row is looked at next."""
        self.table.load(state)
        self._touched = [self.table.rows]


@dataclass(slots=True)
class ClosedDecisions:
    """Decisions that are final, or were never evidence, kept for a while to know what is late."""

    table: GrowingTable = field(init=False)

    def __post_init__(self) -> None:
        none, nobody = np.zeros(0, np.int64), np.zeros(0, np.bool_)
        claims = Claims(decision_id=none, user=none, at_ms=none, sent_ms=none, is_send=nobody)
        self.table = GrowingTable(_closed(claims, np.zeros(0, np.int8)), keys=_KEYS)

    def add(self, claims: Claims, state: NDArray[np.int8]) -> None:
        """Keep closed decisions in mind."""
        self.table.append(_closed(claims, state))

    def claims(self, rows: Whole) -> Claims:
        """What some rows would have claimed outcomes by."""
        return Claims(**{name: self.table[name][rows] for name in Claims.__slots__})

    def forget(self, before_ms: int) -> None:
        """Let decisions go that were made long ago."""
        self.table.remove(np.flatnonzero(self.table["at_ms"] < before_ms))
        self.table.tidy()


def told_rows(decisions: Decisions, *, list_width: int = 0) -> Columns:
    """What the join keeps of fresh decisions, as the log keeps it: a replay learns the same."""
    return {
        "decision_id": decisions.decision_id,
        "user": decisions.request.user,
        "at_ms": decisions.request.at_ms,
        "start_ms": decisions.slot_start_ms,
        "is_send": decisions.is_send,
        "item": decisions.item,
        "slot": decisions.slot,
        "propensity": decisions.propensity,
        "p_send": decisions.p_send,
        "context": decisions.request.context.astype(np.float64),  # (N, D)
        "item_features": decisions.item_features,  # (N, Di)
        "slot_features": decisions.slot_features,  # (N, Ds)
    } | dict(told_lists(decisions, width=list_width))


def logged_rows(log: pa.Table, *, list_width: int = 0) -> Columns:
    """What the join keeps of decisions as the log tells them; equal to :func:`told_rows`.

    Raises
    ------
    BadInputError
        Where contexts or features of the rows differ in length, as those of two encoders do.
    """
    return {
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
    } | dict(logged_lists(log, width=list_width))


def logged_grid_ends_ms(log: pa.Table) -> Whole:
    """End of each row's last slot, (N,)."""
    ends = np.asarray(log["at_ms"]).copy()
    row = np.asarray(pc.list_parent_indices(log["slot_ends_ms"]), np.int64)
    np.maximum.at(ends, row, np.asarray(pc.list_flatten(log["slot_ends_ms"]), np.int64))
    return ends


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


def _unheard(told: Columns, n_components: int, *, waits: bool) -> dict[str, NDArray[Any]]:
    """Columns of rows of which no outcome has been heard."""
    n = len(told["decision_id"])
    return {
        "sent_ms": told["start_ms"],  # or first delivery, once that is known
        "seen": np.zeros((n, n_components)),
        "is_emitted": np.zeros(n, np.bool_),
        # When to look again though nothing came, when it is final, and the earlier of both.
        "next_ms": np.full(n, _NEVER_MS if waits else _AT_ONCE_MS),
        "final_ms": np.full(n, _NEVER_MS),
        "look_ms": np.full(n, _AT_ONCE_MS),
    }


def _no_rows(n_components: int) -> dict[str, NDArray[Any]]:
    whole, real, wide = np.zeros(0, np.int64), np.zeros(0), np.zeros((0, 0))
    told: dict[str, NDArray[Any]] = dict.fromkeys(_OF_FEEDBACK, whole) | {"start_ms": whole}
    told |= dict.fromkeys(("propensity", "p_send"), real) | {"is_send": np.zeros(0, np.bool_)}
    told |= dict.fromkeys(("context", "item_features", "slot_features", "p_items"), wide)
    told |= {"short_list": np.zeros((0, 0), np.int64)}
    return told | _unheard(told, n_components, waits=False)


def _closed(claims: Claims, state: NDArray[np.int8]) -> dict[str, NDArray[Any]]:
    return {name: getattr(claims, name) for name in Claims.__slots__} | {"state": state}


def _every(table: Mapping[str, NDArray[Any]]) -> NDArray[np.bool_]:
    return np.ones(len(table["decision_id"]), np.bool_)


_KEYS = {"decision_id": _every, "user": _every}
