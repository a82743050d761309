"""The action set: ``hold`` or item × slot, who may take which, and why not.

An observation (users at a time, with context and slots) and an item set (candidates) enter;
a :class:`Request` leaves: everything a policy may look at. Action 0 is ``hold``; action
``1 + k·S + s`` sends item ``k`` of the row's short list at slot ``s``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntFlag
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit.errors import BadInputError, expect_shape

__all__ = [
    "HOLD",
    "ItemSet",
    "Observation",
    "Reason",
    "Request",
    "SlotGrid",
    "action_of",
    "assemble",
    "item_position",
    "slot_position",
    "take_requests",
]

HOLD = 0


class Reason(IntFlag):
    """Why an action is masked; bits are stored in the log and never change their meaning."""

    CONSENT = 1
    SUPPRESSED = 2
    UNKNOWN_ZONE = 4
    QUIET_HOURS = 8
    MIN_GAP = 16
    CAP = 32
    EXPIRED = 64
    STOCK = 128
    OPEN_PLAN = 256
    NOT_ELIGIBLE = 512
    PAST = 1024
    TASK = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotGrid:
    """Send slots of each row: slot ``s`` of row ``n`` is ``[start_ms[n, s], end_ms[n, s])``."""

    start_ms: NDArray[np.int64]  # (N, S)
    end_ms: NDArray[np.int64]  # (N, S)

    def __post_init__(self) -> None:
        expect_shape("start_ms", self.start_ms, (-1, -1), "a row a user, a column a slot")
        expect_shape("end_ms", self.end_ms, self.start_ms.shape, "one end for each start")
        if not self.n_slots:
            raise BadInputError("expected at least one slot, got none: hold is no slot of its own")
        is_empty = self.end_ms <= self.start_ms
        if is_empty.any():
            row, slot = (int(i) for i in np.argwhere(is_empty)[0])
            raise BadInputError(
                f"expected every slot to end after it starts, got [{self.start_ms[row, slot]}, "
                f"{self.end_ms[row, slot]}) in row {row}, slot {slot}: leave out hours that a "
                "clock change skips"
            )

    @property
    def n_slots(self) -> int:
        """Number of slots S."""
        return int(self.start_ms.shape[1])

    @property
    def horizon_ms(self) -> NDArray[np.int64]:
        """End of each row's last slot, (N,)."""
        return np.asarray(self.end_ms.max(axis=1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What is known of N users at their decision times, before any item is named."""

    user: NDArray[np.int64]  # (N,)
    at_ms: NDArray[np.int64]  # (N,)
    zone: NDArray[np.str_]  # (N,) IANA name, empty where unknown
    context: NDArray[np.float64]  # (N, D)
    slot_features: NDArray[np.float64]  # (N, S, Ds)
    grid: SlotGrid

    def __post_init__(self) -> None:
        n = len(self.user)
        expect_shape("at_ms", self.at_ms, (n,))
        expect_shape("zone", self.zone, (n,), "an empty string where the zone is unknown")
        expect_shape("context", self.context, (n, -1), "one context vector a user")
        expect_shape("slot_features", self.slot_features, (n, self.grid.n_slots, -1))
        expect_shape("grid.start_ms", self.grid.start_ms, (n, -1))


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemSet:
    """The short list of each row: K candidate items, each once, with features and origin."""

    items: NDArray[np.int64]  # (N, K) item ids
    features: NDArray[np.float64]  # (N, K, Di)
    source: str = "all"

    def __post_init__(self) -> None:
        expect_shape("items", self.items, (-1, -1), "a row a user, a column a candidate")
        expect_shape("item features", self.features, (*self.items.shape, -1))
        in_order = np.sort(self.items, axis=1)
        is_twin = in_order[:, 1:] == in_order[:, :-1]
        if is_twin.any():
            row, at = (int(i) for i in np.argwhere(is_twin)[0])
            raise BadInputError(
                f"expected every item once in a short list, got item {in_order[row, at]} twice in "
                f"row {row}: the propensity of sending it would be that of one of its places"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """All that a policy may look at: N rows of context, K items, S slots and reasons.

    ``reasons`` holds :class:`Reason` bits for each action; zero means that it may be taken.
    """

    user: NDArray[np.int64]  # (N,)
    at_ms: NDArray[np.int64]  # (N,)
    zone: NDArray[np.str_]  # (N,)
    context: NDArray[np.float64]  # (N, D)
    items: NDArray[np.int64]  # (N, K)
    item_features: NDArray[np.float64]  # (N, K, Di)
    slot_features: NDArray[np.float64]  # (N, S, Ds)
    grid: SlotGrid
    reasons: NDArray[np.uint16]  # (N, A)

    def __post_init__(self) -> None:
        n, k = self.items.shape
        s = self.grid.n_slots
        expect_shape("user", self.user, (n,))
        expect_shape("at_ms", self.at_ms, (n,))
        expect_shape("zone", self.zone, (n,))
        expect_shape("grid.start_ms", self.grid.start_ms, (n, -1), "a grid for each row")
        expect_shape("context", self.context, (n, -1))
        expect_shape("item_features", self.item_features, (n, k, -1))
        expect_shape("slot_features", self.slot_features, (n, s, -1))
        expect_shape("reasons", self.reasons, (n, 1 + k * s), "did you forget the hold column?")

    @property
    def n_rows(self) -> int:
        """Number of rows N."""
        return len(self.user)

    @property
    def n_items(self) -> int:
        """Length of the short list K."""
        return int(self.items.shape[1])

    @property
    def n_slots(self) -> int:
        """Number of slots S."""
        return self.grid.n_slots

    @property
    def n_actions(self) -> int:
        """A = 1 + K·S."""
        return 1 + self.n_items * self.n_slots

    @property
    def mask(self) -> NDArray[np.bool_]:
        """True where an action may be taken, (N, A)."""
        return np.asarray(self.reasons == 0)


def action_of(item: Any, slot: Any, *, n_slots: int) -> NDArray[np.int64]:
    """Action index of short-list position ``item`` at ``slot``.

    Examples
    --------
    >>> int(action_of(2, 1, n_slots=3))
    8
    """
    return np.asarray(1 + np.asarray(item, np.int64) * n_slots + np.asarray(slot, np.int64))


def item_position(action: Any, *, n_slots: int) -> NDArray[np.int64]:
    """Short-list position of an action's item; −1 for hold."""
    return np.asarray((np.asarray(action, np.int64) - 1) // n_slots)


def slot_position(action: Any, *, n_slots: int) -> NDArray[np.int64]:
    """Slot of an action; −1 for hold."""
    sent = np.asarray(action, np.int64) - 1
    return np.where(sent < 0, -1, sent % n_slots)


def assemble(
    observation: Observation, items: ItemSet, *, reasons: NDArray[np.uint16] | None = None
) -> Request:
    """Join an observation, its short list and its mask into a request.

    Parameters
    ----------
    observation : Observation
        N users at their decision times.
    items : ItemSet
        K candidates for each of them.
    reasons : ndarray of uint16, (N, A), optional
        Guardrail reasons; everything is allowed where they are not given.
    """
    n, k = items.items.shape
    if reasons is None:
        reasons = np.zeros((n, 1 + k * observation.grid.n_slots), np.uint16)
    return Request(
        user=observation.user,
        at_ms=observation.at_ms,
        zone=observation.zone,
        context=observation.context,
        items=items.items,
        item_features=items.features,
        slot_features=observation.slot_features,
        grid=observation.grid,
        reasons=reasons,
    )


def take_requests(request: Request, rows: NDArray[Any]) -> Request:
    """Return the request restricted to ``rows`` (indices or a boolean mask)."""
    grid = SlotGrid(start_ms=request.grid.start_ms[rows], end_ms=request.grid.end_ms[rows])
    return replace(
        request,
        user=request.user[rows],
        at_ms=request.at_ms[rows],
        zone=request.zone[rows],
        context=request.context[rows],
        items=request.items[rows],
        item_features=request.item_features[rows],
        slot_features=request.slot_features[rows],
        grid=grid,
        reasons=request.reasons[rows],
    )
