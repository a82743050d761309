"""The population as arrays: what never changes about a user, and what does.

:class:`Traits` and :class:`State` are structs of arrays with one row a user. Rows are taken and
put back as a whole, which is what snapshots and new lives are made of.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self, cast

import numpy as np
from numpy.typing import NDArray

__all__ = ["NEVER_H", "N_RECENT", "Rows", "State", "Traits", "newborn", "sends_in_week"]

NEVER_H = -(10**6)
N_RECENT = 4
_DAYS = 7


class Rows:
    """A struct of arrays that share their leading dimension; its slots are its columns."""

    __slots__: tuple[str, ...] = ()

    def columns(self) -> Iterator[tuple[str, NDArray[Any]]]:
        """Name and array of each column."""
        for name in self.__slots__:
            yield name, getattr(self, name)

    def take(self, rows: NDArray[Any]) -> Self:
        """Return a copy of some rows."""
        return type(self)(**{name: getattr(self, name)[rows] for name in self.__slots__})

    def some(self, rows: NDArray[np.integer[Any]]) -> Self:
        """Some rows to read from; a column is copied when it is first asked for."""
        return cast(Self, _Some(self, rows))

    def put(self, rows: NDArray[Any], other: Self) -> None:
        """Write another's rows over some of these, in place."""
        for name, array in self.columns():
            array[rows] = getattr(other, name)

    def copy(self) -> Self:
        """Return a deep copy."""
        return type(self)(**{name: array.copy() for name, array in self.columns()})

    @property
    def n_bytes(self) -> int:
        """Memory of all columns."""
        return sum(array.nbytes for _, array in self.columns())


class _Some:
    """Rows of a struct of arrays, whose columns are taken one by one; see :meth:`Rows.some`."""

    def __init__(self, whole: Rows, rows: NDArray[np.integer[Any]]) -> None:
        self._whole, self._rows = whole, rows

    def __getattr__(self, name: str) -> Any:
        of_whole = getattr(self._whole, name)
        column = of_whole.take(self._rows, axis=0)
        setattr(self, name, column)
        return column

    def some(self, rows: NDArray[np.integer[Any]]) -> _Some:
        """Some of these rows."""
        return _Some(self._whole, self._rows[rows])


@dataclass(slots=True, kw_only=True)
class Traits(Rows):
    """What is fixed for a life."""

    key: NDArray[np.uint64]  # (N,) of the life: what befalls it
    person: NDArray[np.uint64]  # (N,) of what is offered and whom it knows; the same in all futures
    zone: NDArray[np.int8]  # (N,) position in the calendar's zones
    is_zone_known: NDArray[np.bool_]  # (N,) to the server
    chronotype: NDArray[np.int16]  # (N,) row of the calendar's tables
    receptivity: NDArray[np.float64]  # (N,) log-odds a unit of log activity
    sessions_per_h: NDArray[np.float64]  # (N,)
    click_base: NDArray[np.float64]  # (N,) log-odds
    frailty: NDArray[np.float64]  # (N,) of opting out, mean 1
    n_devices: NDArray[np.int8]  # (N,)
    p_delivered: NDArray[np.float64]  # (N,)
    cannibalised: NDArray[np.float64]  # (N,) share of push visits that displace an organic one
    segment: NDArray[np.int16]  # (N,)
    has_opted_in: NDArray[np.bool_]  # (N,) at birth
    taste: NDArray[np.float32]  # (N, D) what it returns to


@dataclass(slots=True, kw_only=True)
class State(Rows):
    """What changes; hours count from the world's start."""

    hour: NDArray[np.int64]  # (N,) the row's clock
    episode: NDArray[np.int64]  # (N,) lives before this one
    is_alive: NDArray[np.bool_]  # (N,) false once uninstalled or churned
    is_reachable: NDArray[np.bool_]  # (N,) false once opted out
    fatigue: NDArray[np.float64]  # (N,)
    habit: NDArray[np.float64]  # (N,) stock of pushes
    excitation: NDArray[np.float64]  # (N,) decayed sum over past sessions
    session_h: NDArray[np.float64]  # (N,) last session
    send_h: NDArray[np.float64]  # (N,) last push
    click_h: NDArray[np.float64]  # (N,) last click
    click_ref: NDArray[np.int64]  # (N,) decision that it belongs to
    n_sends: NDArray[np.int32]  # (N,)
    sent_by_day: NDArray[np.uint8]  # (N, 7) by day of life modulo 7
    template_h: NDArray[np.int32]  # (N, templates) last time of each
    recent_item: NDArray[np.int32]  # (N, 4) ring of items sent last
    recent_h: NDArray[np.int32]  # (N, 4)
    bought_category: NDArray[np.int32]  # (N,)
    bought_h: NDArray[np.float64]  # (N,)
    debt: NDArray[np.int16]  # (N,) organic sessions that push visits have displaced
    streak_days: NDArray[np.int16]  # (N,) days in a row with a session
    has_session_today: NDArray[np.bool_]  # (N,)
    drift: NDArray[np.float32]  # (N, D) of taste


def newborn(traits: Traits, *, n_templates: int, drift: NDArray[np.float32]) -> State:
    """The state of N users at the start of their lives."""
    n = len(traits.key)
    never = np.full(n, float(NEVER_H))
    return State(
        hour=np.zeros(n, np.int64),
        episode=np.zeros(n, np.int64),
        is_alive=np.ones(n, np.bool_),
        is_reachable=traits.has_opted_in.copy(),
        fatigue=np.zeros(n),
        habit=np.zeros(n),
        excitation=np.zeros(n),
        session_h=never.copy(),
        send_h=never.copy(),
        click_h=never.copy(),
        click_ref=np.full(n, -1, np.int64),
        n_sends=np.zeros(n, np.int32),
        sent_by_day=np.zeros((n, _DAYS), np.uint8),
        template_h=np.full((n, n_templates), NEVER_H, np.int32),
        recent_item=np.full((n, N_RECENT), -1, np.int32),
        recent_h=np.full((n, N_RECENT), NEVER_H, np.int32),
        bought_category=np.full(n, -1, np.int32),
        bought_h=never.copy(),
        debt=np.zeros(n, np.int16),
        streak_days=np.zeros(n, np.int16),
        has_session_today=np.zeros(n, np.bool_),
        drift=drift,
    )


def sends_in_week(state: State) -> NDArray[np.int16]:
    """Sends of the last seven days of each user, (N,)."""
    # Column by column: a sum along rows of seven takes numpy four times as long.
    total = state.sent_by_day[:, 0].astype(np.int16)
    for day in range(1, _DAYS):
        total += state.sent_by_day[:, day]
    return total
