"""How outcomes reach the server: with ids of their own, late, twice and in disorder.

What steps decided enters (:class:`~simulator.happened.Happened`); tables of what has been heard by
a time leave, in the schema of :mod:`bandit.outcomes`. Nothing is heard before it happens. An
outcome's id is made of the life and the step that decided it, so it is the same in any shard.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit.currencies import no_currency
from bandit.draws import mix64
from bandit.outcomes import Kind, Outcomes
from bandit.slots import HOUR_MS
from simulator.happened import Happened
from simulator.sections import Emission
from simulator.streams import Draw, exponentials, uniforms

__all__ = ["Emitter", "Heard", "no_heard"]

Whole = NDArray[np.int64]

_MINUTE_MS = HOUR_MS // 60
_RANK_BITS = 16
_ATTRIBUTED = np.zeros(256, np.bool_)
_ATTRIBUTED[[*(k for k in Kind if k.is_response), Kind.CONVERTED, Kind.REFUNDED]] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """M outcomes with their item, which events need and the outcome schema has no place for."""

    outcome_id: Whole  # (M,)
    row: Whole  # (M,) position of the user
    kind: NDArray[np.uint8]  # (M,)
    at_ms: Whole  # (M,)
    received_ms: Whole  # (M,)
    value: NDArray[np.float64]  # (M,)
    decision_id: Whole  # (M,) −1 where behaviour is attributed to nothing
    item: NDArray[np.int32]  # (M,) −1 for none
    is_copy: NDArray[np.bool_]  # (M,) heard before

    @property
    def n_rows(self) -> int:
        """Number of outcomes M."""
        return len(self.outcome_id)

    def take(self, rows: NDArray[Any]) -> Heard:
        """Return some of the outcomes, in that order."""
        return Heard(**{name: getattr(self, name)[rows] for name in Heard.__slots__})

    def plus(self, other: Heard) -> Heard:
        """Both tables, one after the other."""
        if not other.n_rows:
            return self
        return Heard(
            **{
                name: np.concatenate([getattr(self, name), getattr(other, name)])
                for name in Heard.__slots__
            }
        )

    def outcomes(self, user: Whole) -> Outcomes:
        """The same in the outcome schema; ``user`` is the id of each outcome's user, (M,)."""
        return Outcomes(
            outcome_id=self.outcome_id,
            kind=self.kind,
            user=user,
            at_ms=self.at_ms,
            received_ms=self.received_ms,
            value=self.value,
            decision_id=self.decision_id,
            corrects=np.full(self.n_rows, -1, np.int64),
            currency=no_currency(self.n_rows),
        )


def no_heard() -> Heard:
    """An empty table."""
    types = {"kind": np.uint8, "value": np.float64, "item": np.int32, "is_copy": np.bool_}
    return Heard(**{name: np.zeros(0, types.get(name, np.int64)) for name in Heard.__slots__})


@dataclass(slots=True, kw_only=True)
class Emitter:
    """The way from what happens to what is heard.

    Parameters
    ----------
    emission : Emission
        Shares that are late and doubled, and whether the order is kept.
    start_ms : int
        The world's start.
    """

    emission: Emission
    start_ms: int
    pending: Heard = field(init=False)

    def __post_init__(self) -> None:
        self.pending = no_heard()

    def tell(self, told: Happened, *, key: NDArray[np.uint64], hour: int) -> Heard:
        """Take what a step decided.

        Parameters
        ----------
        told : Happened
            Outcomes of whenever they happen.
        key : ndarray of uint64, (N,)
            Of each row's life.
        hour : int
            The clock at the step's start.

        Returns
        -------
        Heard
            Each outcome once, with its id.
        """
        order = np.lexsort((told.item, told.value, told.at_min, told.kind, told.row))
        told = told.take(order)
        outcome_id = _ids(key[told.row], told.row, hour=hour)
        at_ms = self.start_ms + np.rint(told.at_min * _MINUTE_MS).astype(np.int64)
        ref = np.where(_ATTRIBUTED[told.kind], told.ref, -1)
        first = Heard(
            outcome_id=outcome_id,
            row=np.asarray(told.row, np.int64),
            kind=told.kind,
            at_ms=at_ms,
            received_ms=at_ms + self._late_ms(outcome_id),
            value=told.value,
            decision_id=ref,
            item=told.item,
            is_copy=np.zeros(len(order), np.bool_),
        )
        self.pending = self.pending.plus(first).plus(self._copies(first))
        return first

    def hear(self, now_ms: int) -> Heard:
        """Take out what has been received by ``now_ms``, in the order it is told."""
        is_due = self.pending.received_ms <= now_ms
        due = self.pending.take(is_due)
        self.pending = self.pending.take(~is_due)
        if self.emission.is_shuffled:
            rank = _drawn(due.outcome_id, lane=4)
            return due.take(np.lexsort((due.received_ms, due.is_copy, due.outcome_id, rank)))
        return due.take(np.lexsort((due.outcome_id, due.received_ms)))

    def state(self) -> dict[str, NDArray[Any]]:
        """What is on its way, as named arrays."""
        return {f.name: getattr(self.pending, f.name).copy() for f in fields(self.pending)}

    def load(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Restore what :meth:`state` returned."""
        self.pending = Heard(**{name: np.array(state[name]) for name in Heard.__slots__})

    def _late_ms(self, outcome_id: Whole) -> Whole:
        is_late = _drawn(outcome_id, lane=0) < self.emission.late_share
        delay_h = self.emission.late_mean_h * exponentials(_drawn(outcome_id, lane=1))
        return np.where(is_late, np.rint(delay_h * HOUR_MS), 0.0).astype(np.int64)

    def _copies(self, first: Heard) -> Heard:
        """Outcomes that are told once more, a while after the first time."""
        again = _drawn(first.outcome_id, lane=2) < self.emission.duplicate_share
        copies = first.take(again)
        delay_h = self.emission.late_mean_h * exponentials(_drawn(copies.outcome_id, lane=3))
        columns = {name: getattr(copies, name) for name in Heard.__slots__}
        columns["received_ms"] = copies.received_ms + np.rint(delay_h * HOUR_MS).astype(np.int64)
        columns["is_copy"] = np.ones(copies.n_rows, np.bool_)
        return Heard(**columns)


def _ids(key: NDArray[np.uint64], row: Whole, *, hour: int) -> Whole:
    """Ids from the life, the step and the place among the life's outcomes of that step."""
    start = np.flatnonzero(np.diff(row, prepend=-1))
    rank = np.arange(len(row)) - np.repeat(start, np.diff(start, append=len(row)))
    place = np.uint64(hour << _RANK_BITS) + rank.astype(np.uint64)
    return (mix64(key ^ mix64(place)) >> np.uint64(1)).astype(np.int64)


def _drawn(outcome_id: Whole, *, lane: int) -> NDArray[np.float64]:
    key, zero = outcome_id.astype(np.uint64), np.zeros(1, np.int64)
    return uniforms(key, zero, Draw.EMISSION, lane=lane)
