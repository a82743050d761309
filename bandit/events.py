"""Behaviour events: their schema, their canonical order, and histories of many users.

Columns of clean events enter; :class:`Events` (sorted, one row an event) and
:class:`Histories` (the same columns cut into users) leave. Cleaning is a step of its own
(:mod:`bandit.cleaning`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from bandit.errors import BadInputError, expect_shape

__all__ = ["ACTIONS", "NO_ITEM", "Events", "Histories", "canonical_order", "histories_of"]

ACTIONS: tuple[str, ...] = (
    "view",
    "search",
    "favourite",
    "cart",
    "purchase",
    "refund",
    "rating",
    "session",
    "push_shown",
    "push_clicked",
    "push_dismissed",
)
"""The action vocabulary, in canonical order of events at the same time; codes are indices."""

NO_ITEM = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """M events in canonical order; missing amounts and ratings are NaN, missing codes −1."""

    user: NDArray[np.int64]  # (M,) user code
    at_ms: NDArray[np.int64]  # (M,) ms since the epoch, UTC
    action: NDArray[np.int16]  # (M,) index in ACTIONS
    item: NDArray[np.int64]  # (M,) item code
    category: NDArray[np.int64]  # (M,) category code
    amount: NDArray[np.float64]  # (M,)
    rating: NDArray[np.float64]  # (M,)

    def __post_init__(self) -> None:
        for field in fields(self):
            expect_shape(field.name, getattr(self, field.name), (len(self.user),))

    @property
    def n_rows(self) -> int:
        """Number of events M."""
        return len(self.user)

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Events:
        """Return the events at ``rows``, in that order."""
        return Events(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Histories:
    """Events of N users, cut at ``offsets``: user n owns rows offsets[n] to offsets[n + 1]."""

    user: NDArray[np.int64]  # (N,) user codes, in the order asked for
    offsets: NDArray[np.int64]  # (N + 1,)
    events: Events

    def __post_init__(self) -> None:
        expect_shape("offsets", self.offsets, (len(self.user) + 1,), "one more than users")
        if self.offsets[0] != 0 or self.offsets[-1] != self.events.n_rows:
            raise BadInputError(
                f"expected offsets from 0 to {self.events.n_rows}, got {self.offsets[0]} to "
                f"{self.offsets[-1]}"
            )

    @property
    def n_users(self) -> int:
        """Number of users N."""
        return len(self.user)


def canonical_order(
    *,
    user: NDArray[np.int64],
    at_ms: NDArray[np.int64],
    action: NDArray[np.int16],
    item: NDArray[np.int64],
    rest: Sequence[NDArray[np.generic]] = (),
    event_id: NDArray[np.int64] | None = None,
) -> NDArray[np.int64]:
    """Order by (user, time, action, item, the rest, event id): the one tie rule of the house.

    Events of one basket share a time; without a rule, an unstable sort changes which of them
    comes last and with it what a model is asked to predict.

    Parameters
    ----------
    user, at_ms, action, item : ndarray, (M,)
        The columns that order events.
    rest : sequence of ndarray, (M,)
        What else events have, such as a category and an amount, the first one first.
    event_id : ndarray, (M,), optional
        Settles what is still tied; rows that are equal in it too stay as they stand.
    """
    ties = (*(() if event_id is None else (event_id,)), *reversed(rest), item, action)
    if not len(user):
        return np.zeros(0, np.int64)
    span = int(at_ms.max()) - int(at_ms.min()) + 1
    if (int(user.max()) - int(user.min()) + 1) * span > np.iinfo(np.int64).max:
        return np.asarray(np.lexsort((*ties, at_ms, user)), np.int64)
    # One key for user and time sorts several times faster than seven columns; ties are few.
    key = (user - user.min()) * span + (at_ms - at_ms.min())
    order = np.argsort(key)
    same = key[order[1:]] == key[order[:-1]]
    tied = np.flatnonzero(np.append(same, False) | np.append(False, same))
    rows = np.sort(order[tied])
    order[tied] = rows[np.lexsort((*(column[rows] for column in ties), key[rows]))]
    return np.asarray(order, np.int64)


def histories_of(events: Events, users: Sequence[int] | NDArray[np.int64]) -> Histories:
    """Cut canonical events into the histories of ``users``; a user without events is empty.

    Parameters
    ----------
    events : Events
        In canonical order.
    users : sequence of int, (N,)
        User codes, in any order, repeats allowed.
    """
    if (np.diff(events.user) < 0).any():
        raise BadInputError("expected events in canonical order: sort them by canonical_order")
    wanted = np.asarray(users, np.int64)
    first = np.searchsorted(events.user, wanted, side="left")
    count = np.searchsorted(events.user, wanted, side="right") - first
    offsets = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
    rows = np.repeat(first - offsets[:-1], count) + np.arange(offsets[-1])
    return Histories(user=wanted, offsets=offsets, events=events.take(rows))
