"""Who did what, sparse: one entry a pair of user and item, however many users and items there are.

Rows of behaviour enter; the :class:`policies.candidates.towers.History` of any users leaves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bandit.errors import BadInputError, expect_shape
from policies.candidates.towers import History

__all__ = ["Interactions"]

Array = NDArray[np.float64]
Whole = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interactions:
    """Distinct pairs in order of user and item, with their summed weights.

    Parameters
    ----------
    n_items : int
        Item ids are below it; user ids may be any.
    user, item : ndarray of int, (M,)
        Pairs, ascending.
    weight : ndarray, (M,)
        Above 0.

    Examples
    --------
    >>> none = Interactions.none(n_items=3)
    >>> some = none.plus(np.array([7, 7, 5]), np.array([2, 2, 0]))
    >>> some.user.tolist(), some.item.tolist(), some.weight.tolist()
    ([5, 7], [0, 2], [1.0, 2.0])
    """

    n_items: int
    user: Whole
    item: Whole
    weight: Array

    @classmethod
    def none(cls, *, n_items: int) -> Interactions:
        """Nobody did anything yet."""
        whole = np.zeros(0, np.int64)
        return cls(n_items=n_items, user=whole, item=whole, weight=np.zeros(0))

    def plus(self, user: Whole, item: Whole, *, weight: Array | None = None) -> Interactions:
        """These and M more rows of behaviour, which may repeat pairs.

        Raises
        ------
        BadInputError
            For an item that is none, or a weight that is not finite and above 0.
        """
        expect_shape("item", item, user.shape, "one item for each user")
        more = np.ones(len(user)) if weight is None else np.asarray(weight, np.float64)
        expect_shape("weight", more, user.shape, "one weight for each pair")
        if item.size and (item.min() < 0 or item.max() >= self.n_items):
            raise BadInputError(
                f"expected item ids in [0, {self.n_items}), got {item.min()} to {item.max()}"
            )
        if not (np.isfinite(more) & (more > 0)).all():
            raise BadInputError("expected finite weights above 0: leave out what weighs nothing")
        users, items = np.append(self.user, user), np.append(self.item, item)
        order = np.lexsort((items, users))
        users, items = users[order], items[order]
        is_new = np.append(True, (np.diff(users) != 0) | (np.diff(items) != 0))[: len(users)]
        summed = np.bincount(
            np.cumsum(is_new) - 1, np.append(self.weight, more)[order], int(is_new.sum())
        )
        return Interactions(
            n_items=self.n_items,
            user=users[is_new],
            item=items[is_new],
            weight=np.asarray(summed, np.float64),
        )

    def history(self, user: Whole) -> History:
        """What these N users did; whoever is not here did nothing."""
        first = np.searchsorted(self.user, user, side="left")
        length = np.searchsorted(self.user, user, side="right") - first
        row = np.repeat(np.arange(len(user)), length)
        # Entry j of row n lies at first[n] + j.
        entry = np.arange(len(row)) - np.repeat(np.cumsum(length) - length - first, length)
        return History(n_rows=len(user), row=row, item=self.item[entry], weight=self.weight[entry])

    def everybody(self) -> History:
        """What all who did anything did, a row each."""
        return self.history(np.unique(self.user))
