"""Warm starts: what a linear head would have learned from days on which every answer is known.

Features and hits of training days enter; moments of ζ = item ⊗ slot leave. The sums over all
K·S pairs of a household factor into a sum over items times a sum over slots, so a day costs
one small product instead of K·S rows a household.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = ["PairMoments"]

Array = NDArray[np.float64]


@dataclass(slots=True)
class PairMoments:
    """Σ ζζᵀ and Σ ζ·hit over all item × slot pairs of all households seen.

    Parameters
    ----------
    n_item_features, n_slot_features : int
        Di and Ds.
    """

    n_item_features: int
    n_slot_features: int
    second: Array = field(init=False)  # (Di·Di, Ds·Ds)
    first: Array = field(init=False)  # (Di, Ds)
    n_rows: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        di, ds = self.n_item_features, self.n_slot_features
        self.second = np.zeros((di * di, ds * ds))
        self.first = np.zeros((di, ds))

    def add(
        self,
        items: Array,
        slots: Array,
        *,
        hit: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]],
    ) -> None:
        """Take one day.

        Parameters
        ----------
        items : ndarray, (H, K, Di)
            Item features.
        slots : ndarray, (H, S, Ds)
            Slot features.
        hit : three arrays
            User, item and slot of every hit of the day.
        """
        n = len(items)
        by_item = (items.transpose(0, 2, 1) @ items).reshape(n, -1)
        by_slot = (slots.transpose(0, 2, 1) @ slots).reshape(n, -1)
        self.second += by_item.T @ by_slot
        user, item, slot = hit
        self.first += items[user, item].T @ slots[user, slot]
        self.n_rows += n

    def scaled(self, item_scale: Array, slot_scale: Array, weight: float) -> tuple[Array, Array]:
        """Moments in units of the scales, a household-day counting as ``weight`` decisions.

        Returns
        -------
        precision : ndarray, (Di·Ds, Di·Ds)
        moment : ndarray, (1, Di·Ds)
        """
        di, ds = self.n_item_features, self.n_slot_features
        cube = self.second.reshape(di, di, ds, ds).transpose(0, 2, 1, 3)
        size = (item_scale[:, None] * slot_scale[None, :]).ravel()
        precision = cube.reshape(di * ds, di * ds) / np.outer(size, size)
        moment = self.first.ravel() / size
        return weight * precision, weight * moment[None]
