"""What a step has decided, as sparse columns: who, what, when, how much, because of which push.

Pieces of one kind enter; one table of M rows leaves. The world decides outcomes at once and
reveals them later, so a row's time may lie days ahead of the step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bandit.outcomes import Kind

__all__ = ["Happened", "concatenated", "happened", "no_happened"]

Whole = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """M outcomes, in no order."""

    row: Whole  # (M,) position of the user
    kind: NDArray[np.uint8]  # (M,)
    at_min: NDArray[np.float64]  # (M,) minutes since the world's start, on the row's clock
    value: NDArray[np.float64]  # (M,) money of an order, else 1
    ref: Whole  # (M,) decision whose push it answers, −1 for none
    item: NDArray[np.int32]  # (M,) item looked at, bought or sent; −1 for none
    is_caused: NDArray[np.bool_]  # (M,) by a push of this step

    @property
    def n_rows(self) -> int:
        """Number of outcomes M."""
        return len(self.row)

    def take(self, rows: NDArray[np.bool_] | Whole) -> Happened:
        """Return some of the outcomes."""
        return Happened(
            row=self.row[rows],
            kind=self.kind[rows],
            at_min=self.at_min[rows],
            value=self.value[rows],
            ref=self.ref[rows],
            item=self.item[rows],
            is_caused=self.is_caused[rows],
        )


def happened(
    kind: Kind,
    row: Whole,
    *,
    at_min: NDArray[np.float64],
    value: NDArray[np.float64] | float = 1.0,
    ref: Whole | int = -1,
    item: NDArray[np.int32] | int = -1,
    is_caused: bool = False,
) -> Happened:
    """Outcomes of one kind; scalars stand for all rows."""
    m = len(row)
    return Happened(
        row=row,
        kind=np.full(m, kind, np.uint8),
        at_min=at_min,
        value=np.full(m, value, np.float64) if isinstance(value, (int, float)) else value,
        ref=np.full(m, ref, np.int64) if isinstance(ref, int) else ref,
        item=np.full(m, item, np.int32) if isinstance(item, int) else item,
        is_caused=np.full(m, is_caused, np.bool_),
    )


def no_happened() -> Happened:
    """Nothing: no rows."""
    return happened(Kind.DELIVERED, np.zeros(0, np.int64), at_min=np.zeros(0))


def concatenated(parts: Sequence[Happened]) -> Happened:
    """One table of several."""
    return Happened(
        **{
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in Happened.__slots__
        }
    )
