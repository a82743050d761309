"""Two logging policies whose every redraw is known: *random*, and *broad*.

Households' training counts enter; redrawn actions with their exact joint and marginal
propensities leave, rows in (household, day) order. Random spreads evenly over all 1 + K·S
actions. Broad draws item and slot apart, each half from the household's own training
frequencies and half uniformly, and holds with the floor's share so that hold is logged too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bandit.draws import Stream, key_of, uniforms
from service.jobs.purchases import Purchases
from service.jobs.walk import FLOOR

__all__ = ["FactoredLogger", "Logged", "broad_logger", "random_logger"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """Logged actions of all rows with their propensities; rows are household-major."""

    action: NDArray[np.int64]  # (H·T,)
    propensity: Array
    item: Array  # P(item), over all slots; P(hold) for hold
    slot: Array  # P(slot), over all items; P(hold) for hold
    send: Array  # P(send) or P(hold), as the action was


@dataclass(frozen=True, slots=True, kw_only=True)
class FactoredLogger:
    """P(hold), then item and slot independently: a logging policy that is drawn fast.

    Parameters
    ----------
    name : str
        Keys its draws.
    hold : float
        P(hold).
    item : ndarray, (H, K)
        P(item | send).
    slot : ndarray, (H, S)
        P(slot | send).
    """

    name: str
    hold: float
    item: Array
    slot: Array

    def redraw(self, number: int, *, n_days: int) -> NDArray[np.int64]:
        """Draw the actions of every household and day once more, (H·T,)."""
        h, n_slots = self.slot.shape
        rows = np.arange(h * n_days)
        household = rows // n_days
        lane = [
            uniforms(key_of(self.name, number, part), rows, stream=Stream.WORLD)
            for part in ("hold", "item", "slot")
        ]
        item = _inverse(self.item, household, lane[1])
        slot = _inverse(self.slot, household, lane[2])
        return np.where(lane[0] < self.hold, 0, 1 + item * n_slots + slot)

    def logged(self, action: NDArray[np.int64], *, n_days: int) -> Logged:
        """Return actions of every household and day with their exact propensities."""
        n_slots = self.slot.shape[1]
        household = np.arange(len(action)) // n_days
        is_hold = action == 0
        item, slot = divmod(np.maximum(action - 1, 0), n_slots)
        send = 1.0 - self.hold
        p_item, p_slot = send * self.item[household, item], send * self.slot[household, slot]
        return Logged(
            action=action,
            propensity=np.where(is_hold, self.hold, p_item * p_slot / send),
            item=np.where(is_hold, self.hold, p_item),
            slot=np.where(is_hold, self.hold, p_slot),
            send=np.where(is_hold, self.hold, send),
        )


def random_logger(shop: Purchases) -> FactoredLogger:
    """Every one of the 1 + K·S actions with the same probability."""
    h, k, s = shop.n_users, shop.n_items, shop.n_slots
    return FactoredLogger(
        name="random",
        hold=1.0 / (1 + k * s),
        item=np.full((h, k), 1.0 / k),
        slot=np.full((h, s), 1.0 / s),
    )


def broad_logger(shop: Purchases) -> FactoredLogger:
    """Half the household's own training frequencies, half uniform, item and slot apart."""
    training = shop.buy_day < shop.train_days
    by_item = np.zeros((shop.n_users, shop.n_items))
    np.add.at(by_item, (shop.buy_user[training], shop.buy_item[training]), 1.0)
    training = shop.active_day < shop.train_days
    by_slot = np.zeros((shop.n_users, shop.n_slots))
    np.add.at(by_slot, (shop.active_user[training], shop.active_slot[training]), 1.0)
    return FactoredLogger(
        name="broad", hold=FLOOR.hold, item=_half_own(by_item), slot=_half_own(by_slot)
    )


def _half_own(counts: Array) -> Array:
    uniform = np.full_like(counts, 1.0 / counts.shape[1])
    total = counts.sum(axis=1, keepdims=True)
    own = np.where(total > 0, counts / np.maximum(total, 1.0), uniform)
    return np.asarray(0.5 * own + 0.5 * uniform)


def _inverse(pmf: Array, household: NDArray[np.int64], lane: Array) -> NDArray[np.int64]:
    """Invert each household's cumulative pmf; one sorted table serves all rows."""
    cumulative = np.cumsum(pmf, axis=1)
    cumulative /= cumulative[:, -1:]
    table = (cumulative + np.arange(len(pmf))[:, None]).ravel()
    found = np.searchsorted(table, household + lane, side="right")
    width = pmf.shape[1]
    return np.asarray(np.clip(found - household * width, 0, width - 1), np.int64)
