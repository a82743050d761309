"""Who allowed which topic, who must not be written to at all, and what may still be offered.

Answers of users and facts about items enter as columns; one verdict a row leaves. Unknown
users consent to nothing unless a rule says otherwise: a new topic starts switched off.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit.errors import BadInputError, expect_shape
from bandit.identity import Links

__all__ = ["NO_EXPIRY_MS", "Consent", "Stock"]

Whole = NDArray[np.int64]
Truth = NDArray[np.bool_]

NO_EXPIRY_MS = (1 << 62) - 1
"""Expiry of an item that does not expire."""

_REFUSED, _GRANTED, _UNASKED = np.int8(0), np.int8(1), np.int8(-1)


@dataclass(slots=True)
class Consent:
    """Answers of users, a column a topic, and the users who are suppressed or erased.

    Parameters
    ----------
    topics : tuple of str
        Consent classes of messages.

    Examples
    --------
    >>> consent = Consent(("offers", "news"))
    >>> consent.answer(np.array([7, 9]), "offers", granted=np.array([True, False]))
    >>> consent.allows(np.array([7, 9, 11]), "offers", where_unknown=False)
    array([ True, False, False])
    """

    topics: tuple[str, ...]
    _users: Whole = field(init=False)  # (U,) ascending
    _answers: NDArray[np.int8] = field(init=False)  # (U, topics)
    _suppressed: Whole = field(init=False)  # ascending
    links: Links | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._users = np.zeros(0, np.int64)
        self._answers = np.zeros((0, len(self.topics)), np.int8)
        self._suppressed = np.zeros(0, np.int64)

    def link(self, links: Links) -> None:
        """Take the answers of all ids of a user together from now on.

        Where they differ a refusal counts, and one suppressed id suppresses the user, until the
        user answers again.
        """
        users = links.resolve(self._users)
        known = np.unique(users)
        answers = np.full((len(known), len(self.topics)), _UNASKED)
        where = np.searchsorted(known, users)
        for said in (_GRANTED, _REFUSED):  # the later one overrides
            row, column = np.nonzero(self._answers == said)
            answers[where[row], column] = said
        self.links, self._users, self._answers = links, known, answers
        self._suppressed = np.unique(links.resolve(self._suppressed))

    def answer(self, user: Whole, topic: str, *, granted: bool | Truth) -> None:
        """Take answers; the last one of a user counts."""
        column = self._column(topic)
        user = self._resolved(user)
        said = np.broadcast_to(np.asarray(granted, np.bool_), user.shape)
        new = np.unique(user[~_found(self._users, user)[1]])
        if len(new):
            users = np.concatenate([self._users, new])
            unasked = np.full((len(new), len(self.topics)), _UNASKED)
            order = np.argsort(users, kind="stable")
            self._users = users[order]
            self._answers = np.concatenate([self._answers, unasked])[order]
        self._answers[np.searchsorted(self._users, user), column] = said

    def suppress(self, user: Whole) -> None:
        """Never write to these users again on any topic: bounced, objected or erased."""
        self._suppressed = np.union1d(self._suppressed, self._resolved(user))

    def reinstate(self, user: Whole) -> None:
        """Lift a suppression; consent stays what it was."""
        self._suppressed = np.setdiff1d(self._suppressed, self._resolved(user))

    def allows(self, user: Whole, topic: str, *, where_unknown: bool) -> Truth:
        """True where the user allows the topic, (N,)."""
        column = self._column(topic)
        where, is_known = _found(self._users, self._resolved(user))
        answer = np.full(len(user), _UNASKED)
        answer[is_known] = self._answers[where[is_known], column]
        return np.where(answer == _UNASKED, where_unknown, answer == _GRANTED)

    def is_suppressed(self, user: Whole) -> Truth:
        """True where the user must not be written to, (N,)."""
        return _found(self._suppressed, self._resolved(user))[1]

    def state(self) -> dict[str, NDArray[Any]]:
        """Return answers and suppressions as named arrays."""
        return {
            "consent.topics": np.array(self.topics),
            "consent.users": self._users.copy(),
            "consent.answers": self._answers.copy(),
            "consent.suppressed": self._suppressed.copy(),
        }

    def load(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Restore what :meth:`state` returned."""
        self.topics = tuple(str(topic) for topic in state["consent.topics"])
        self._users = np.array(state["consent.users"], np.int64)
        self._answers = np.array(state["consent.answers"], np.int8)
        self._suppressed = np.array(state["consent.suppressed"], np.int64)

    def _resolved(self, user: Whole) -> Whole:
        whole = np.asarray(user, np.int64)
        return whole if self.links is None else self.links.resolve(whole)

    def _column(self, topic: str) -> int:
        if topic not in self.topics:
            raise BadInputError(
                f"expected one of the topics {list(self.topics)}, got {topic!r}: declare the "
                "topic when consent is made, so that a misspelt one never counts as allowed"
            )
        return self.topics.index(topic)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stock:
    """What is known of items; one that is not listed neither expires nor runs out."""

    item: Whole  # (I,) ids, in any order
    expires_ms: Whole  # (I,) may not be sent from here on; NO_EXPIRY_MS for never
    is_available: Truth  # (I,)

    def __post_init__(self) -> None:
        expect_shape("expires_ms", self.expires_ms, (len(self.item),), "one instant an item")
        expect_shape("is_available", self.is_available, (len(self.item),), "one claim an item")
        if not len(self.item):
            raise BadInputError("expected facts about items, got none: leave the stock out")
        if len(np.unique(self.item)) != len(self.item):
            raise BadInputError("expected every item once, got repeated item ids: merge the rows")
        order = np.argsort(self.item, kind="stable")
        for name in ("item", "expires_ms", "is_available"):
            object.__setattr__(self, name, getattr(self, name)[order])

    def expiry_ms(self, item: Whole) -> Whole:
        """Instant from which each item may not be sent, any shape."""
        where, is_known = _found(self.item, item)
        return np.where(is_known, self.expires_ms[where], NO_EXPIRY_MS)

    def is_out(self, item: Whole) -> Truth:
        """True where the item cannot be had, any shape."""
        where, is_known = _found(self.item, item)
        return np.asarray(is_known & ~self.is_available[where])


def _found(known: Whole, wanted: Whole) -> tuple[Whole, Truth]:
    """Where each wanted id stands among ascending known ones, and whether it is there at all.

    By binary search: a request must not cost the time of looking at every user.
    """
    if not len(known):
        return np.zeros(wanted.shape, np.int64), np.zeros(wanted.shape, np.bool_)
    where = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    return where, np.asarray(known[where] == wanted)
