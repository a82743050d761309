"""Behaviour events of simulated users, in the schema in which real ones come.

Outcomes of a step, with their ids, enter; :class:`~bandit.events.Events` leave: a session with what
was looked at and put into the cart, orders with amounts, ratings a few days later, and what became
of pushes. Encoders and the classic features read them as they read a shop's file. How many views
and carts a session has bears on nothing else in this world.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit.events import ACTIONS, NO_ITEM, Events, canonical_order
from bandit.outcomes import Kind
from bandit.slots import DAY_MS, HOUR_MS
from simulator.emission import Heard
from simulator.kernel import Population
from simulator.organic import look_at
from simulator.response import fit_of
from simulator.streams import Draw, exponentials, uniforms

__all__ = ["EventLog", "events_of"]

Float = NDArray[np.float64]
Whole = NDArray[np.int64]

_SECOND_MS = 1000
_MINUTE_MS = HOUR_MS // 60
_TO_CART_MS = 90 * _SECOND_MS
_RATED_DAYS = 3.0
_MEAN_RATING = 3.8
_VIEW_LANE = 1000  # keeps further views apart from what the kernel lets a session look at
_MOST_VIEWS = 64
_PUSHES = {
    Kind.DISPLAYED: "push_shown",
    Kind.CLICKED: "push_clicked",
    Kind.DISMISSED: "push_dismissed",
}


@dataclass(slots=True)
class EventLog:
    """Events of all steps so far, some of which are still to come."""

    _parts: list[Events] = field(default_factory=list)

    def add(self, events: Events) -> None:
        """Take the events of a step."""
        self._parts.append(events)

    def until(self, now_ms: int) -> Events:
        """Return what has happened by ``now_ms``, in canonical order."""
        whole = self._whole()
        return _sorted(whole.take(whole.at_ms <= now_ms))

    def state(self) -> dict[str, NDArray[Any]]:
        """Return all events, those to come as well, as named arrays."""
        whole = self._whole()
        return {f.name: getattr(whole, f.name) for f in fields(whole)}

    def load(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Restore what :meth:`state` returned."""
        self._parts = [Events(**{f.name: np.array(state[f.name]) for f in fields(Events)})]

    def _whole(self) -> Events:
        whole = _joined(self._parts)
        self._parts = [whole]
        return whole


def events_of(told: Heard, *, user: Whole, before: Population) -> Events:
    """Events of what a step decided, of whenever they happen, in no order.

    Parameters
    ----------
    told : Heard
        M outcomes, each once.
    user : ndarray of int, (M,)
        Id under which each is told.
    before : Population
        As it was when the step began.
    """
    parts = [_of_kind(told, user, before, kind, action) for kind, action in _PUSHES.items()]
    is_session, is_order, is_back = (
        told.kind == kind for kind in (Kind.SESSION, Kind.CONVERTED, Kind.REFUNDED)
    )
    parts += _of_sessions(told.take(is_session), user[is_session], before)
    parts += _of_orders(told.take(is_order), user[is_order], before)
    parts.append(_of_refunds(told.take(is_back), user[is_back], before))
    return _joined(parts)


def _of_kind(told: Heard, user: Whole, before: Population, kind: Kind, action: str) -> Events:
    rows = told.kind == kind
    return _events(action, user[rows], told.at_ms[rows], item=told.item[rows], of=before)


def _of_sessions(told: Heard, user: Whole, before: Population) -> list[Events]:
    """The session, the item it is about, more items, and now and then a cart."""
    activity, none = before.ground.config.activity, np.full(told.n_rows, NO_ITEM, np.int32)
    first_ms = told.at_ms + _SECOND_MS
    views = _n_views(activity.views_per_session, _drawn(told, lane=0))
    seen, carted = views > 0, _drawn(told, lane=1) < activity.cart_chance
    which, lane = _more_views(views, told)
    more = look_at(
        before.traits,
        before.state,
        told.row[which],
        lane,
        catalogue=before.ground.catalogue,
        slate=before.slates_of,
    )
    turn = lane % _MOST_VIEWS
    later_ms = first_ms[which] + _MINUTE_MS * turn
    return [
        _events("session", user, told.at_ms, item=none, of=before),
        _events("view", user[seen], first_ms[seen], item=told.item[seen], of=before),
        _events("view", user[which], later_ms, item=more, of=before),
        _events(
            "cart",
            user[carted],
            told.at_ms[carted] + _TO_CART_MS,
            item=told.item[carted],
            of=before,
        ),
    ]


def _of_orders(told: Heard, user: Whole, before: Population) -> list[Events]:
    """A cart, the purchase with its amount, and now and then a rating of the item."""
    rated = _drawn(told, lane=2) < before.ground.config.activity.rating_chance
    later_ms = _RATED_DAYS * DAY_MS * exponentials(_drawn(told, lane=3)[rated])
    # Nothing happens before the step that decides it: who looked then would have seen it.
    starts_ms = before.ground.calendar.start_ms + HOUR_MS * before.state.hour[told.row]
    carted_ms = np.maximum(told.at_ms - _MINUTE_MS, starts_ms)
    return [
        _events("cart", user, carted_ms, item=told.item, of=before),
        _events("purchase", user, told.at_ms, item=told.item, of=before, amount=told.value),
        _events(
            "rating",
            user[rated],
            told.at_ms[rated] + np.rint(later_ms).astype(np.int64),
            item=told.item[rated],
            of=before,
            rating=_ratings(told, before)[rated],
        ),
    ]


def _of_refunds(told: Heard, user: Whole, before: Population) -> Events:
    return _events("refund", user, told.at_ms, item=told.item, of=before, amount=told.value)


def _ratings(told: Heard, before: Population) -> Float:
    """One to five stars: better where the item fits the taste, (M,)."""
    taste = before.traits.taste[told.row] + before.state.drift[told.row]
    fit = fit_of(taste, told.item[:, None], catalogue=before.ground.catalogue)[:, 0]
    noise = 2.0 * _drawn(told, lane=4) - 1.0
    return np.asarray(np.clip(np.rint(_MEAN_RATING + fit + noise), 1.0, 5.0), np.float64)


def _n_views(mean: float, drawn: Float) -> Whole:
    """How many items a session looks at: geometric from one on, none now and then below that."""
    if mean <= 1.0:
        return np.asarray(drawn < mean, np.int64)
    more = np.floor(np.log1p(-drawn) / np.log1p(-1.0 / mean))
    return np.asarray(1 + np.minimum(more, _MOST_VIEWS - 2), np.int64)


def _more_views(views: Whole, told: Heard) -> tuple[Whole, Whole]:
    """Session and lane of each view after a session's first."""
    more = np.maximum(views - 1, 0)
    which = np.repeat(np.arange(told.n_rows), more)
    turn = 1 + np.arange(len(which)) - np.repeat(np.cumsum(more) - more, more)
    of_session = told.outcome_id[which] & ((1 << 40) - 1)
    return which, _VIEW_LANE * _MOST_VIEWS + of_session * _MOST_VIEWS + turn


def _events(
    action: str,
    user: Whole,
    at_ms: Whole,
    *,
    item: NDArray[np.int32],
    of: Population,
    amount: Float | None = None,
    rating: Float | None = None,
) -> Events:
    m, none = len(user), np.full(len(user), np.nan)
    category = of.ground.catalogue.category[item]
    return Events(
        user=user,
        at_ms=at_ms,
        action=np.full(m, ACTIONS.index(action), np.int16),
        item=item.astype(np.int64),
        category=np.where(item >= 0, category, NO_ITEM).astype(np.int64),
        amount=none if amount is None else amount,
        rating=none if rating is None else rating,
    )


def _drawn(told: Heard, *, lane: int) -> Float:
    key, zero = told.outcome_id.astype(np.uint64), np.zeros(1, np.int64)
    return uniforms(key, zero, Draw.EVENT, lane=lane)


def _joined(parts: Sequence[Events]) -> Events:
    if not parts:
        whole = np.zeros(0, np.int64)
        return Events(
            user=whole,
            at_ms=whole,
            action=np.zeros(0, np.int16),
            item=whole,
            category=whole,
            amount=np.zeros(0),
            rating=np.zeros(0),
        )
    names = [f.name for f in fields(Events)]
    return Events(**{n: np.concatenate([getattr(part, n) for part in parts]) for n in names})


def _sorted(events: Events) -> Events:
    order = canonical_order(
        user=events.user,
        at_ms=events.at_ms,
        action=events.action,
        item=events.item,
        rest=(events.category, events.amount, events.rating),
    )
    return events.take(order)
