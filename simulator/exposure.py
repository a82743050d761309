"""What a user had been sent before each push, and when on the user's clock it was sent.

A :class:`~simulator.logged.Logged` record enters; one row a push leaves, with the pushes of the
seven days before, the hours since the last one and the days since the same item, all counted from
the plan. Rows of the warm-up and of users who have left are counted from, and left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bandit.slots import DAY_MS, HOUR_MS
from simulator.logged import Logged

__all__ = ["Exposure", "exposure_of"]

Float = NDArray[np.float64]
Whole = NDArray[np.int64]

_WEEK_MS = 7 * DAY_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """M pushes, by user and time."""

    row: Whole  # (M,) of the plan
    user: Whole  # (M,)
    hour_of_week: Whole  # (M,) local; −1 where the zone is unknown
    in_week: Whole  # (M,) pushes in the 7 days before
    before: Whole  # (M,) pushes before, since the log began
    since_h: Float  # (M,) since the last push; infinite for the first
    same_item_days: Float  # (M,) since the same item was sent; infinite for the first time


def exposure_of(logged: Logged, *, from_ms: int) -> Exposure:
    """Count what came before each push that was sent from ``from_ms`` on."""
    plan = logged.plan
    sent = np.flatnonzero(plan.is_sent)
    sent = sent[np.lexsort((plan.send_ms[sent], plan.user[sent]))]
    user, at_ms = plan.user[sent], plan.send_ms[sent]
    since_start = at_ms - plan.start_ms
    span = np.int64(plan.end_ms - plan.start_ms + 2 * _WEEK_MS)
    key = user * span + _WEEK_MS + since_start
    place = np.arange(len(sent))
    first = np.searchsorted(user, user)  # of the user's pushes
    in_week = place - np.maximum(np.searchsorted(key, key - _WEEK_MS), first)
    keep = (at_ms >= from_ms) & (at_ms < logged.left_ms[user])
    return Exposure(
        row=sent[keep],
        user=user[keep],
        hour_of_week=plan.hour_of_week(user[keep], at_ms[keep]),
        in_week=in_week[keep],
        before=(place - first)[keep],
        since_h=_since(user, at_ms)[keep] / HOUR_MS,
        same_item_days=_since_same(user, plan.item[sent], at_ms)[keep] / DAY_MS,
    )


def _since(group: Whole, at_ms: Whole) -> Float:
    """Milliseconds since the row before, where that is of the same group; else infinite, (M,)."""
    gap = np.full(len(group), np.inf)
    same = group[1:] == group[:-1]
    gap[1:][same] = np.diff(at_ms)[same]
    return gap


def _since_same(user: Whole, item: Whole, at_ms: Whole) -> Float:
    """Milliseconds since the user was last sent the same item, (M,)."""
    _, code = np.unique(item, return_inverse=True)
    pair = user * (len(user) + 1) + code
    # Users come in order of time, and a stable sort keeps it.
    order = np.argsort(pair, kind="stable")
    gap = np.empty(len(user))
    gap[order] = _since(pair[order], at_ms[order])
    return gap
