"""The hybrid features of a decision: blocks of main effects and of crosses, in one vector.

Context, item and slot features enter; one row φ a decision leaves, and the slices at which each
block lies in it. A base block is there for every decision, the others for sends only. Reference:
Li, Chu, Langford and Schapire (2010), §3.2 (hybrid models).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bandit.errors import expect_shape
from policies.models.layout import Layout
from policies.shape import PolicyShape

__all__ = ["Blocks"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Blocks(Layout):
    """Where each block lies in φ.

    Parameters
    ----------
    shape : PolicyShape
        D, Di and Ds.

    Notes
    -----
    ``one`` and ``c`` are the base: what comes without a push. ``send``, ``item``, ``slot``,
    ``context``, ``context_item``, ``context_slot`` and ``item_slot`` are what a push adds.
    """

    shape: PolicyShape

    def __post_init__(self) -> None:
        d, di, ds = self.lengths
        sizes = {
            "one": 1,
            "c": d,
            "send": 1,
            "item": di,
            "slot": ds,
            "context": d,
            "context_item": d * di,
            "context_slot": d * ds,
            "item_slot": di * ds,
        }
        self.lay(sizes)

    @property
    def lengths(self) -> tuple[int, int, int]:
        """D, Di and Ds."""
        shape = self.shape
        return shape.n_context, shape.n_item_features, shape.n_slot_features

    @property
    def n_base(self) -> int:
        """Length of the base, which comes first."""
        return self.edges[2]

    def features(
        self, context: Array, item: Array, slot: Array, *, is_send: NDArray[np.bool_]
    ) -> Array:
        """φ of chosen actions, (N, P); all but the base is zero where nothing is sent."""
        n = len(context)
        ones = np.ones((n, 1))
        sent = [
            ones,
            item,
            slot,
            context,
            _crossed(context, item),
            _crossed(context, slot),
            _crossed(item, slot),
        ]
        sends = np.concatenate(sent, axis=1) * is_send[:, None]
        return np.concatenate([ones, context, sends], axis=1)

    def turned(self, basis: Array) -> Array:
        """Matrix that turns φ when contexts turn to ``basis``·c, (P, P)."""
        d, di, ds = self.lengths
        expect_shape("basis", basis, (d, d), "a row a new coordinate")
        turn = np.eye(self.n_features)
        turn[self.at("c"), self.at("c")] = basis
        turn[self.at("context"), self.at("context")] = basis
        turn[self.at("context_item"), self.at("context_item")] = np.kron(basis, np.eye(di))
        turn[self.at("context_slot"), self.at("context_slot")] = np.kron(basis, np.eye(ds))
        return turn


def _crossed(left: Array, right: Array) -> Array:
    """Every product of a pair of features, (N, L · R)."""
    n, width = len(left), left.shape[1] * right.shape[1]
    return np.asarray((left[:, :, None] * right[:, None, :]).reshape(n, width))
