"""The recent sends of every user, and whether one more would break a gap or a rolling cap.

Users, instants and decision ids enter; verdicts on proposed instants leave. A send is kept for
as long as it can bear on another one, so memory does not grow with time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit.decide import ID_BITS
from bandit.errors import BadInputError
from bandit.identity import Links
from bandit.rules import Cap

__all__ = ["NEVER_MS", "RecentSends", "breaks_cap", "breaks_gap", "occurrence"]

Whole = NDArray[np.int64]
Truth = NDArray[np.bool_]

NEVER_MS = -(1 << 50)
"""An instant before all others: the place of a send that was not made."""


def breaks_gap(proposed_ms: Whole, sent_ms: Whole, *, min_gap_ms: int) -> Truth:
    """True where a send lies nearer than the gap, before or after.

    Parameters
    ----------
    proposed_ms : ndarray, (N, S)
        Instants to judge.
    sent_ms : ndarray, (N, C)
        Instants of the row's other sends, :data:`NEVER_MS` where there is none.
    min_gap_ms : int
        Least time between two sends; exactly this far apart is allowed.
    """
    broken = np.zeros(proposed_ms.shape, np.bool_)
    for column in range(sent_ms.shape[1]):
        broken |= np.abs(proposed_ms - sent_ms[:, column, None]) < min_gap_ms
    return broken


def breaks_cap(proposed_ms: Whole, sent_ms: Whole, *, cap: Cap) -> Truth:
    """True where the proposed send would be one too many in some window that holds it.

    Rolling, never by calendar: with 1 a day, 23:00 and 00:00 do not both pass. Two sends
    exactly a window apart do.

    Parameters
    ----------
    proposed_ms : ndarray, (N, S)
        Instants to judge, each alone.
    sent_ms : ndarray, (N, C)
        Instants of the row's other sends, :data:`NEVER_MS` where there is none.
    cap : Cap
        At most ``n_sends`` in any window of ``window_ms``.
    """
    n = cap.n_sends
    if n == 0:
        return np.ones(proposed_ms.shape, np.bool_)
    broken = np.zeros(proposed_ms.shape, np.bool_)
    sent = np.sort(sent_ms, axis=1)  # (N, C)
    before = (sent[:, None, :] <= proposed_ms[:, :, None]).sum(axis=2)  # (N, S)
    edge = np.full((len(sent), n), NEVER_MS)
    padded = np.concatenate([edge, sent, -edge], axis=1)  # (N, C + 2n)
    rows = np.arange(len(sent))[:, None]
    for n_before in range(n + 1):
        # The widest stretch of n + 1 sends that holds the proposed one and n_before earlier.
        first = padded[rows, before + n - n_before] if n_before else proposed_ms
        n_after = n - n_before
        last = padded[rows, before + n + n_after - 1] if n_after else proposed_ms
        broken |= last - first < cap.window_ms
    return broken


def occurrence(user: Whole) -> Whole:
    """How many earlier rows have the same user, (N,).

    Examples
    --------
    >>> occurrence(np.array([7, 8, 7, 7]))
    array([0, 0, 1, 2])
    """
    order = np.argsort(user, kind="stable")
    in_order = user[order]
    first = np.searchsorted(in_order, in_order, side="left")
    rank = np.empty(len(user), np.int64)
    rank[order] = np.arange(len(user)) - first
    return rank


@dataclass(slots=True)
class RecentSends:
    """The sends of every user that can still bear on a new one, found by binary search.

    Parameters
    ----------
    reach_ms : int
        How far apart two sends can bear on each other. A send makes room for one that is decided
        later than that after it; until then, and while it lies ahead, it is kept.

    Notes
    -----
    The time of a decision is read from its id (:func:`bandit.decide.decision_ids`). Whoever asks
    about a time long before the latest decision may find sends of then forgotten.
    """

    reach_ms: int
    users: Whole = field(init=False)  # (U,) ascending
    at_ms: Whole = field(init=False)  # (U, C) NEVER_MS where empty; C grows where it has to
    decision_id: Whole = field(init=False)  # (U, C) −1 where empty
    links: Links | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.users = np.zeros(0, np.int64)
        self.at_ms = np.zeros((0, 1), np.int64)
        self.decision_id = np.zeros((0, 1), np.int64)

    def link(self, links: Links) -> None:
        """Count the sends to all ids of a user together from now on."""
        row, column = np.nonzero(self.decision_id >= 0)
        user, at_ms = links.resolve(self.users[row]), self.at_ms[row, column]
        decision_id = self.decision_id[row, column]
        order = np.lexsort((decision_id, at_ms, user))
        place = occurrence(user[order])
        shape = (len(np.unique(user)), 1 + int(place.max(initial=0)))
        self.links, self.users = links, np.unique(user)
        self.at_ms, self.decision_id = np.full(shape, NEVER_MS), np.full(shape, -1)
        where = np.searchsorted(self.users, user[order])
        self.at_ms[where, place] = at_ms[order]
        self.decision_id[where, place] = decision_id[order]

    def of(self, user: Whole) -> tuple[Whole, Whole]:
        """Instants and decision ids of each row's user, (N, C) each; empty where unknown."""
        where, known = self._find(user)
        shape = (len(user), self.at_ms.shape[1])
        at_ms, decision_id = np.full(shape, NEVER_MS), np.full(shape, -1)
        at_ms[known], decision_id[known] = self.at_ms[where[known]], self.decision_id[where[known]]
        return at_ms, decision_id

    def add(self, user: Whole, at_ms: Whole, decision_id: Whole) -> None:
        """Remember sends; one that is known by its decision id changes nothing."""
        user = self.resolved(user)
        self._make_room(user)
        rank = occurrence(user)
        for turn in range(int(rank.max(initial=-1)) + 1):
            rows = np.flatnonzero(rank == turn)
            where, _ = self._find(user[rows])
            is_new = ~(self.decision_id[where] == decision_id[rows, None]).any(axis=1)
            where, rows = where[is_new], rows[is_new]
            decided_ms = decision_id[rows] >> ID_BITS
            if (self.at_ms[where].min(axis=1) > decided_ms - self.reach_ms).any():
                self._widen()
            oldest = self.at_ms[where].argmin(axis=1)
            self.at_ms[where, oldest] = at_ms[rows]
            self.decision_id[where, oldest] = decision_id[rows]

    def remove(self, user: Whole, decision_id: Whole) -> None:
        """Forget sends that were not made after all."""
        where, known = self._find(user)
        rows = np.flatnonzero(known)
        hit, column = np.nonzero(self.decision_id[where[rows]] == decision_id[rows, None])
        self.at_ms[where[rows[hit]], column] = NEVER_MS
        self.decision_id[where[rows[hit]], column] = -1

    def resolved(self, user: Whole) -> Whole:
        """Under which id each user's sends are counted."""
        return user if self.links is None else self.links.resolve(user)

    def copy(self) -> RecentSends:
        """Return sends that can be added to without touching these."""
        other = RecentSends(self.reach_ms)
        other.load(self.state())
        other.links = self.links
        return other

    def state(self) -> dict[str, NDArray[Any]]:
        """Return users, instants, ids and how long they were kept, as named arrays."""
        return {
            "sends.reach_ms": np.array(self.reach_ms),
            "sends.users": self.users.copy(),
            "sends.at_ms": self.at_ms.copy(),
            "sends.decision_id": self.decision_id.copy(),
        }

    def load(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Restore what :meth:`state` returned, if nothing was let go too early for these rules."""
        reach_ms = int(state["sends.reach_ms"])
        if reach_ms < self.reach_ms:
            raise BadInputError(
                f"expected sends that were kept for {self.reach_ms} ms, as these rules need, got "
                f"{reach_ms} ms: load the state under the rules that it was saved under, or build "
                "it anew from the log"
            )
        self.users = np.array(state["sends.users"], np.int64)
        self.at_ms = np.array(state["sends.at_ms"], np.int64)
        self.decision_id = np.array(state["sends.decision_id"], np.int64)

    def _find(self, user: Whole) -> tuple[Whole, Truth]:
        user = self.resolved(user)
        if not len(self.users):
            return np.zeros(len(user), np.int64), np.zeros(len(user), np.bool_)
        where = np.minimum(np.searchsorted(self.users, user), len(self.users) - 1)
        return where, np.asarray(self.users[where] == user)

    def _make_room(self, user: Whole) -> None:
        _, known = self._find(user)
        new = np.unique(user[~known])
        if not len(new):
            return
        users = np.concatenate([self.users, new])
        order = np.argsort(users, kind="stable")
        shape = (len(new), self.at_ms.shape[1])
        self.users = users[order]
        self.at_ms = np.concatenate([self.at_ms, np.full(shape, NEVER_MS)])[order]
        self.decision_id = np.concatenate([self.decision_id, np.full(shape, -1)])[order]

    def _widen(self) -> None:
        """Give every user room for twice as many sends."""
        self.at_ms = np.concatenate([self.at_ms, np.full_like(self.at_ms, NEVER_MS)], axis=1)
        self.decision_id = np.concatenate(
            [self.decision_id, np.full_like(self.decision_id, -1)], axis=1
        )
