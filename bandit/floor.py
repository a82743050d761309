"""The factored exploration floor: a policy's pmf in, the pmf that is drawn from out.

What enters: a pmf q over hold and K × S sends with its mask. What leaves: P with
``P(hold) = clip(h, ε_hold, 1 − ε_send)`` and, over sends, a mixture of the policy's pairs, its
items at any slot, its slots with any item, and any pair. Never a uniform floor over all
actions: with thousands of them it would spend the traffic. DESIGN §4.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bandit.errors import BadInputError, BadPmfError, expect_shape

__all__ = ["NO_FLOOR", "Floor", "apply_floor", "check_pmf"]

_SUM_TOLERANCE = 1e-9
# Measured at 2,400 pairs: intermediate tables that stay in cache, two to three times as fast.
_CHUNK_ROWS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """Least probabilities of holding, sending, another item and another slot.

    Parameters
    ----------
    hold : float
        Least P(hold); it identifies uplift.
    send : float
        Least P(send); without it uplift is never relearned where the policy holds.
    item, slot : float
        Shares of sends whose item or slot is drawn uniformly from what is eligible.
    """

    hold: float = 0.05
    send: float = 0.01
    item: float = 0.05
    slot: float = 0.05

    def __post_init__(self) -> None:
        for name in ("hold", "send", "item", "slot"):
            value = getattr(self, name)
            if not 0.0 <= value <= 1.0:
                raise BadInputError(f"expected floor.{name} in [0, 1], got {value}")
        if self.hold + self.send > 1.0:
            raise BadInputError(
                f"expected floor.hold + floor.send at most 1, got {self.hold} + {self.send}"
            )


NO_FLOOR = Floor(hold=0.0, send=0.0, item=0.0, slot=0.0)


def check_pmf(pmf: NDArray[np.float64], mask: NDArray[np.bool_]) -> None:
    """Raise :class:`BadPmfError` unless each row is a distribution over its unmasked actions.

    Parameters
    ----------
    pmf : ndarray, (N, A)
        Probabilities as the policy returned them.
    mask : ndarray of bool, (N, A)
        True where an action may be taken.
    """
    expect_shape("pmf", pmf, mask.shape, "did you forget the hold column?")
    if _is_distribution(pmf, mask):
        return
    if not np.isfinite(pmf).all():
        raise BadPmfError(f"expected finite probabilities, got {_first(~np.isfinite(pmf), pmf)}")
    if (pmf < 0).any():
        raise BadPmfError(f"expected probabilities of at least 0, got {_first(pmf < 0, pmf)}")
    forbidden = (pmf > 0) & ~mask
    if forbidden.any():
        raise BadPmfError(
            f"expected probability 0 on masked actions, got {_first(forbidden, pmf)}: "
            "zero the masked entries before normalising"
        )
    totals = pmf.sum(axis=1)
    off = np.abs(totals - 1.0) > _SUM_TOLERANCE
    if off.any():
        row = int(np.argmax(off))
        raise BadPmfError(
            f"expected each row to sum to 1 within {_SUM_TOLERANCE}, got {totals[row]} in row "
            f"{row}: "
            + ("normalise in float64" if totals[row] else "is every action of that row masked?")
        )


def _is_distribution(pmf: NDArray[np.float64], mask: NDArray[np.bool_]) -> bool:
    """Whether nothing is wrong, in as few passes as that takes; NaN fails every comparison."""
    if not pmf.size:
        return False
    is_whole = (np.abs(pmf.sum(axis=1) - 1.0) <= _SUM_TOLERANCE).all()
    return bool(is_whole and pmf.min() >= 0 and (mask.all() or not pmf[~mask].any()))


def apply_floor(
    pmf: NDArray[np.float64], mask: NDArray[np.bool_], *, n_slots: int, floor: Floor
) -> NDArray[np.float64]:
    """Mix a policy's pmf with the factored floor.

    Parameters
    ----------
    pmf : ndarray, (N, A)
        A distribution over unmasked actions (see :func:`check_pmf`).
    mask : ndarray of bool, (N, A)
        True where an action may be taken.
    n_slots : int
        S; A = 1 + K·S.
    floor : Floor
        The shares of exploration.

    Returns
    -------
    ndarray, (N, A)
        A distribution over the same actions, exact to rounding.
    """
    if len(pmf) <= _CHUNK_ROWS:
        return _floored(pmf, mask, n_slots, floor)
    floored = np.empty(mask.shape)
    for start in range(0, len(pmf), _CHUNK_ROWS):
        rows = slice(start, start + _CHUNK_ROWS)
        floored[rows] = _floored(pmf[rows], mask[rows], n_slots, floor)
    return floored


def _floored(
    pmf: NDArray[np.float64], mask: NDArray[np.bool_], n_slots: int, floor: Floor
) -> NDArray[np.float64]:
    n = len(pmf)
    n_items = (mask.shape[1] - 1) // n_slots
    eligible = mask[:, 1:].reshape(n, n_items, n_slots)  # (N, K, S)
    n_pairs = mask[:, 1:].sum(axis=1)  # (N,)
    hold = _hold_probability(pmf[:, 0], mask[:, 0], n_pairs > 0, floor)  # (N,)
    sends = _given_send(pmf, eligible, n_pairs)  # (N, K, S)
    if n_slots == 1:
        by_item, in_slot = sends[:, :, 0], n_pairs[:, None]
    else:
        by_item = sends.sum(axis=2) / np.maximum(eligible.sum(axis=2), 1)  # (N, K)
        in_slot = eligible.sum(axis=1)
    by_slot = sends.sum(axis=1) / np.maximum(in_slot, 1)  # (N, S)
    mixed = by_item[:, :, None] * ((1 - floor.item) * floor.slot)
    mixed = mixed + by_slot[:, None, :] * (floor.item * (1 - floor.slot))
    mixed += (floor.item * floor.slot / np.maximum(n_pairs, 1))[:, None, None]
    mixed *= eligible
    mixed += sends * ((1 - floor.item) * (1 - floor.slot))
    mixed *= (1.0 - hold)[:, None, None]
    return np.concatenate([hold[:, None], mixed.reshape(n, n_items * n_slots)], axis=1)


def _hold_probability(
    hold: NDArray[np.float64],
    may_hold: NDArray[np.bool_],
    may_send: NDArray[np.bool_],
    floor: Floor,
) -> NDArray[np.float64]:
    both = may_hold & may_send
    clipped = np.minimum(np.maximum(hold, floor.hold), 1.0 - floor.send)
    return np.where(both, clipped, may_hold)


def _given_send(
    pmf: NDArray[np.float64], eligible: NDArray[np.bool_], n_pairs: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Policy's distribution over pairs given a send; uniform where it never sends."""
    sends = pmf[:, 1:].reshape(eligible.shape)
    total = sends.sum(axis=(1, 2))
    never = total <= 0.0
    if not never.any():
        return np.asarray(sends / total[:, None, None])
    given = sends / np.where(never, 1.0, total)[:, None, None]
    given[never] = eligible[never] / np.maximum(n_pairs[never], 1)[:, None, None]
    return np.asarray(given)


def _first(where: NDArray[np.bool_], pmf: NDArray[np.float64]) -> str:
    row, action = (int(i) for i in np.argwhere(where)[0])
    return f"{pmf[row, action]!r} at row {row}, action {action}"
