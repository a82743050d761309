"""What every encoder is asked and what it answers: one border, the same refusals.

Times, slots and items as a caller gives them enter; checked arrays leave, flat where a row is a
query. The encoders of the house read their arguments through here, so that one can stand in for
another (:class:`bandit.protocols.Encoder`): what one refuses, the other refuses alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bandit.errors import BadInputError, expect_shape
from bandit.events import Histories
from bandit.slots import zone_of

__all__ = ["Answer", "expect_items", "expect_slots", "expect_times", "expect_zone"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Everything a decision asks of an encoder, for N users at T times."""

    context: NDArray[np.float64]  # (N, T, D)
    item_scores: NDArray[np.float64]  # (N, T, C) log-probabilities of the items asked about
    slot_probabilities: NDArray[np.float64]  # (N, T, S)


def expect_times(histories: Histories, at_ms: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return query times (N, T), or raise :class:`BadInputError` where they are no such thing."""
    at = _instants("at_ms", at_ms)
    expect_shape("at_ms", at, (histories.n_users, -1), "one row of times for each history")
    return at


def expect_slots(
    at_ms: NDArray[np.int64], *, start_ms: NDArray[np.int64], end_ms: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return starts and ends of slots (N, T, S) as (N·T, S) of the times ``at_ms`` (N, T)."""
    start, end = _instants("start_ms", start_ms), _instants("end_ms", end_ms)
    expect_shape("start_ms", start, (*at_ms.shape, -1), "slots of each time of each history")
    expect_shape("end_ms", end, start.shape, "one end for each start")
    flat = (at_ms.size, start.shape[2])
    return start.reshape(flat), end.reshape(flat)


def expect_items(items: NDArray[np.int64] | None, n_items: int) -> NDArray[np.int64]:
    """Return the item codes asked about, all of them for ``None``; a code unknown is refused."""
    if items is None:
        return np.arange(n_items)
    codes = np.asarray(items)
    expect_shape("items", codes, (-1,), "a row of item codes")
    is_code = np.issubdtype(codes.dtype, np.integer) or codes.size == 0
    if not is_code or ((codes < 0) | (codes >= n_items)).any():
        raise BadInputError(
            f"expected item codes 0 to {n_items - 1}, got {codes.tolist()[:8]}: ask about items "
            "that the encoder was fitted with"
        )
    return np.asarray(codes, np.int64)


def expect_zone(zone: str | None) -> str | None:
    """Return the zone, ``None`` for an unknown one, or raise where there is no such zone."""
    if zone is not None:
        zone_of(str(zone))
    return zone


def _instants(name: str, value: NDArray[np.int64]) -> NDArray[np.int64]:
    given = np.asarray(value)
    if not np.issubdtype(given.dtype, np.integer) and given.size:
        raise BadInputError(
            f"expected {name} as whole milliseconds since the epoch, got {given.dtype}: a float "
            "holds no instant exactly"
        )
    return np.asarray(given, np.int64)
