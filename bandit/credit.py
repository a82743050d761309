"""Which outcomes count for which decisions, as which component, and how much.

Decisions' ids, users and times enter beside the outcomes heard; windows, sums and the ages at
which outcomes came leave. Responses are credited by id within their window from delivery,
behaviour by time within the same interval for every action (DESIGN §4 *Outcomes*).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bandit.growing_table import spans
from bandit.heard_outcomes import HeardOutcomes
from bandit.identity import Links
from bandit.outcomes import Component, Kind, RewardScheme

__all__ = ["Claims", "Credit", "Near", "Owners"]

Array = NDArray[np.float64]
Whole = NDArray[np.int64]

_AFTER_DELIVERY = frozenset({Kind.DISPLAYED, Kind.CLICKED, Kind.DISMISSED, Kind.MATCHED})
_N_KINDS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What N decisions may claim outcomes by."""

    decision_id: Whole  # (N,)
    user: Whole  # (N,)
    at_ms: Whole  # (N,)
    sent_ms: Whole  # (N,) delivery, or the planned slot; decision time for hold
    is_send: NDArray[np.bool_]  # (N,)

    @property
    def n_rows(self) -> int:
        """Number of decisions N."""
        return len(self.decision_id)


class Hits(NamedTuple):
    """Outcomes that count for a component: whose, heard when, how much."""

    row: Whole  # ascending; outcomes of a row in order of time
    received_ms: Whole
    mass: Array


@dataclass(slots=True)
class Owners:
    """The links between ids, in both directions, and as of any time."""

    links: Links | None
    _owner: Whole = field(init=False)  # ascending, with the id beside it that leads to it
    _id: Whole = field(init=False)

    def __post_init__(self) -> None:
        ids = np.zeros(0, np.int64) if self.links is None else self.links.device
        at, owner = (ids, ids) if self.links is None else self.links.owners(ids)
        order = np.argsort(owner, kind="stable")
        self._owner, self._id = owner[order], ids[at][order]

    def of(self, user: Whole) -> tuple[Whole, Whole]:
        """(position, owner) pairs: every id is its own owner, and links add others."""
        own = np.arange(len(user))
        if self.links is None:
            return own, user
        position, owner = self.links.owners(user)
        return np.concatenate([own, position]), np.concatenate([user, owner])

    def ids_of(self, owner: Whole) -> tuple[Whole, Whole]:
        """(position, id) pairs: every owner's own id, and those that lead to it now or once."""
        low = np.searchsorted(self._owner, owner)
        high = np.searchsorted(self._owner, owner, side="right")
        found = list(spans(low, high)) or [(owner[:0], owner[:0])]
        position, at = (np.concatenate(part) for part in zip(*found, strict=True))
        ids = self._id[at]
        return np.concatenate([np.arange(len(owner)), position]), np.concatenate([owner, ids])

    def changed_since(self, before: Owners) -> Whole:
        """Users to whom other ids lead than before, or since another time."""
        now, then = _rows_of(self.links), _rows_of(before.links)
        if np.array_equal(now, then):
            return now[:0, 0]
        rows, times = np.unique(np.concatenate([now, then]), axis=0, return_counts=True)
        changed = rows[times == 1, 0]
        return np.union1d(self.of(changed)[1], before.of(changed)[1])

    def owned(self, user: Whole, owner: Whole, at_ms: Whole) -> NDArray[np.bool_]:
        """Whether each id was its owner's as of a time; everybody is always their own."""
        if self.links is None:
            return np.ones(len(user), np.bool_)
        return np.asarray((user == owner) | (self.links.resolve(user, at_ms=at_ms) == owner))


@dataclass(slots=True)
class Credit:
    """A scheme's rules of credit.

    Parameters
    ----------
    scheme : RewardScheme
        Components and their windows.
    horizon_ms : int
        Length of the longest slot grid.
    """

    scheme: RewardScheme
    horizon_ms: int
    reach_ms: Whole = field(init=False)  # (256,) longest interval of behaviour of a kind, or 0
    _is_counted: NDArray[np.bool_] = field(init=False)  # (R, 256)

    def __post_init__(self) -> None:
        self._is_counted = np.zeros((len(self.scheme), _N_KINDS), np.bool_)
        self.reach_ms = np.zeros(_N_KINDS, np.int64)
        for r, component in enumerate(self.scheme.components):
            kinds = list(component.counted)
            self._is_counted[r, kinds] = True
            if not component.joins_by_id:
                interval_ms = self.horizon_ms + component.window_ms
                self.reach_ms[kinds] = np.maximum(self.reach_ms[kinds], interval_ms)

    @property
    def interval_ms(self) -> int:
        """Longest time from a decision, or the last slot, to the end of a window."""
        return self.horizon_ms + max(c.window_ms for c in self.scheme.components)

    def last_age_ms(self, component: Component) -> int:
        """Age, from the start of its window, at which a component is over."""
        waits = 0 if _starts_with_delivery(component) else self.horizon_ms
        return waits + component.window_ms

    def windows(self, claims: Claims) -> tuple[Whole, Whole]:
        """Intervals ``[start, end)`` in which outcomes count, (N, R) each."""
        start = np.repeat(claims.at_ms[:, None], len(self.scheme), axis=1)
        end = start.copy()
        for r, component in enumerate(self.scheme.components):
            if component.measure == "send":
                continue
            if not component.joins_by_id:
                end[:, r] += self.horizon_ms + component.window_ms
                continue
            end[:, r] = claims.sent_ms + component.window_ms
            if _starts_with_delivery(component):
                start[:, r] = claims.sent_ms
        return start, end

    def final_ms(self, claims: Claims) -> Whole:
        """When the last window of each decision is over, (N,)."""
        return np.asarray(self.windows(claims)[1].max(axis=1))

    def counts(
        self, kind: NDArray[np.uint8], at_ms: Whole, claims: Claims, *, by_id: bool
    ) -> NDArray[np.bool_]:
        """Whether each of N outcomes counts, as any component, for the decision beside it."""
        start, end = self.windows(claims)
        joins = np.array([c.joins_by_id == by_id for c in self.scheme.components])
        inside = (at_ms[:, None] >= start) & (at_ms[:, None] < end)
        return np.asarray((self._is_counted[:, kind].T & inside & joins).any(axis=1))

    def sent_ms(self, planned: Claims, row: Whole, delivered_ms: Whole) -> Whole:
        """First delivery of each decision, or its planned slot where there was none, (N,).

        A delivery dated before its decision counts from the decision on (clocks differ); one
        dated after the decision would have been final without it is none.

        Parameters
        ----------
        planned : Claims
            N decisions, ``sent_ms`` as planned.
        row, delivered_ms : ndarray
            Deliveries, in any order and with repeats.
        """
        never_ms = np.iinfo(np.int64).max
        delivered_ms = np.maximum(delivered_ms, planned.at_ms[row])
        in_time = delivered_ms < self.final_ms(planned)[row]
        first_ms = np.full(planned.n_rows, never_ms)
        np.minimum.at(first_ms, row[in_time], delivered_ms[in_time])
        return np.where(first_ms < never_ms, first_ms, planned.sent_ms)

    def seen(self, claims: Claims, near: Near) -> Array:
        """What has been seen of every component, (N, R)."""
        start, end = self.windows(claims)
        seen = np.zeros((claims.n_rows, len(self.scheme)))
        for r, component in enumerate(self.scheme.components):
            if component.measure == "send":
                seen[:, r] = claims.is_send
                continue
            for hits in near.hits(claims, component, start[:, r], end[:, r]):
                seen[:, r] += np.bincount(hits.row, weights=hits.mass, minlength=claims.n_rows)
            if component.measure == "any":
                seen[:, r] = np.minimum(seen[:, r], 1.0)
        return seen

    def arrivals(self, claims: Claims, near: Near) -> Iterator[tuple[int, Hits]]:
        """For every component, the outcomes that taught something: for *any*, the first alone."""
        start, end = self.windows(claims)
        for r, component in enumerate(self.scheme.components):
            if component.measure == "send":
                continue
            for hits in near.hits(claims, component, start[:, r], end[:, r]):
                yield r, _first(hits) if component.measure == "any" else hits


@dataclass(frozen=True, slots=True)
class Near:
    """Outcomes that may count for some decisions, in order of whose and when."""

    responses: dict[str, NDArray[Any]]  # with ``row``, the decision's
    behaviour: dict[str, NDArray[Any]]  # with ``owner``, the user it may count for
    owners: Owners

    @classmethod
    def of(cls, claims: Claims, heard: HeardOutcomes, owners: Owners, *, until_ms: Whole) -> Near:
        """Gather what was heard of N decisions and their users, up to ``until_ms`` each."""
        row, told = heard.by_decision(claims.decision_id)
        responses = _columns(heard, told) | {"row": row}
        user, first = np.unique(claims.user, return_inverse=True)
        from_ms = np.full(len(user), np.iinfo(np.int64).max)
        np.minimum.at(from_ms, first, claims.at_ms)
        to_ms = np.zeros(len(user), np.int64)
        np.maximum.at(to_ms, first, until_ms)
        position, ids = owners.ids_of(user)
        which, told = heard.by_user(ids)
        position, at_ms = position[which], heard.table["at_ms"][told]
        inside = (at_ms >= from_ms[position]) & (at_ms < to_ms[position])
        position = position[inside]
        behaviour = _columns(heard, told[inside]) | {"owner": user[position]}
        return cls(_in_order(responses, row), _in_order(behaviour, position), owners)

    def hits(
        self, claims: Claims, component: Component, start: Whole, end: Whole
    ) -> Iterator[Hits]:
        """Yield what counts for a component, some rows at a time, each row whole."""
        table = self.responses if component.joins_by_id else self.behaviour
        counted = np.flatnonzero(np.isin(table["kind"], np.array(component.counted, np.uint8)))
        if component.joins_by_id:
            pairs = iter([(table["row"][counted], counted)])
        else:
            low = _bounds(table["owner"][counted], table["at_ms"][counted], claims.user, start)
            high = _bounds(table["owner"][counted], table["at_ms"][counted], claims.user, end)
            pairs = ((row, counted[at]) for row, at in spans(low, high))
        mass = _mass(table, component)
        for row, at in pairs:
            at_ms = table["at_ms"][at]
            inside = (at_ms >= start[row]) & (at_ms < end[row])
            if not component.joins_by_id:
                # An owner counts only where it was the user at the time of the decision.
                user, owner = table["user"][at], claims.user[row]
                inside &= self.owners.owned(user, owner, claims.at_ms[row])
            found = at[inside]
            yield Hits(row[inside], table["received_ms"][found], mass[found])


def _rows_of(links: Links | None) -> Whole:
    """Device, user and time of every link, (L, 3)."""
    if links is None:
        return np.zeros((0, 3), np.int64)
    return np.stack([links.device, links.user, links.at_ms], axis=1)


def _starts_with_delivery(component: Component) -> bool:
    """Nobody clicks before delivery; but a plan can be stopped or superseded before its slot."""
    is_answer = _AFTER_DELIVERY.issuperset(component.counted)
    return component.joins_by_id and (component.is_attributed or is_answer)


def _columns(heard: HeardOutcomes, rows: Whole) -> dict[str, NDArray[Any]]:
    names = ("outcome_id", "kind", "user", "at_ms", "received_ms", "value")
    return {name: heard.table[name][rows] for name in names}


def _in_order(table: dict[str, NDArray[Any]], whose: Whole) -> dict[str, NDArray[Any]]:
    """Sort by whose, time and id: sums are then the same however outcomes were told."""
    at_ms, outcome_id = table["at_ms"], table["outcome_id"]
    first_ms = at_ms.min(initial=np.iinfo(np.int64).max)
    width = int(at_ms.max(initial=0) - first_ms) + 1
    if not len(whose) or (int(whose.max()) + 1) * width >= 1 << 62:
        order = np.lexsort((outcome_id, at_ms, whose))
    else:
        # One key is several times as fast as three; ids matter only where it is tied.
        key = whose * width + (at_ms - first_ms)
        order = np.argsort(key)
        is_same = np.diff(key[order]) == 0
        tied = np.flatnonzero(np.append(is_same, False) | np.append(False, is_same))
        rows = order[tied]
        order[tied] = rows[np.lexsort((outcome_id[rows], key[rows]))]
    return {name: column[order] for name, column in table.items()}


def _mass(table: dict[str, NDArray[Any]], component: Component) -> Array:
    """What each outcome adds: one, or its value; less where its kind subtracts."""
    is_valued = component.measure == "value"
    mass = table["value"].copy() if is_valued else np.ones(len(table["kind"]))
    if component.subtracts:
        mass[np.isin(table["kind"], np.array(component.subtracts, np.uint8))] *= -1.0
    return np.asarray(mass, np.float64)


def _first(hits: Hits) -> Hits:
    """Return the first-received outcome of each row; the rest of its kind tells nothing new."""
    order = np.lexsort((hits.received_ms, hits.row))
    is_first = np.diff(hits.row[order], prepend=-1) != 0
    return Hits(*(column[order[is_first]] for column in hits))


def _bounds(owner: Whole, at_ms: Whole, user: Whole, wanted_ms: Whole) -> Whole:
    """First position at or after each (user, time) in a table sorted by both."""
    low = np.searchsorted(owner, user)
    high = np.searchsorted(owner, user, side="right")
    if not len(owner):
        return low
    while (is_open := low < high).any():
        middle = (low + high) // 2
        is_before = is_open & (at_ms[np.minimum(middle, len(owner) - 1)] < wanted_ms)
        low = np.where(is_before, middle + 1, low)
        high = np.where(is_open & ~is_before, middle, high)
    return low
