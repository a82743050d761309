"""What towers are trained on: final rows, and the settings of one training.

A frozen copy, so that a training may run in another thread or process while the model learns on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit.errors import BadInputError

__all__ = ["Lesson", "Training"]

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """How towers are trained.

    Parameters
    ----------
    epochs : int
        Passes over the rows, at most.
    patience : int
        Passes without a better fit of the rows held out before training stops.
    batch_rows : int
        Rows of one step.
    learning_rate, weight_decay : float
        Of AdamW (Loshchilov and Hutter 2019).
    held_share : float
        Share of the rows that are held out.
    prior_precision : float
        λ of the last layer that towers are judged by.
    """

    epochs: int
    patience: int
    batch_rows: int
    learning_rate: float
    weight_decay: float
    held_share: float
    prior_precision: float

    def __post_init__(self) -> None:
        counts = (self.epochs, self.patience, self.batch_rows)
        is_sound = 0 < self.learning_rate < np.inf and 0 <= self.weight_decay < np.inf
        if min(counts) < 1 or not is_sound or not 0 < self.held_share < 1:
            raise BadInputError(
                "expected epochs, patience and batch_rows of at least 1, a learning_rate above 0, "
                f"a weight_decay of at least 0 and held_share in (0, 1), got {counts}, "
                f"{self.learning_rate}, {self.weight_decay}, {self.held_share}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """N final rows; ``n_turns`` names the basis that their contexts are in."""

    context: Array  # (N, D)
    item: Array  # (N, Di)
    slot: Array  # (N, Ds)
    is_send: Flags  # (N,)
    target: Array  # (N, R')
    weight: Array  # (N,) what is left of them after discounting
    is_held: Flags  # (N,) kept out of the training, to judge it by
    key: int  # seeds the order of rows
    n_turns: int
    how: Training

    def rows(self, chosen: NDArray[Any]) -> tuple[Array, Array, Array, Flags]:
        """Context, item, slot and is_send of chosen rows."""
        return self.context[chosen], self.item[chosen], self.slot[chosen], self.is_send[chosen]
