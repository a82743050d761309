"""Rows that are learned but not yet final, kept so that a revision is exact.

A row enters with its features, component values, precision weights and the discount clock;
it leaves when its maturity is 1. Replacing its contribution then equals having learned the
final value at once, also under discounting and after the encoder's basis has turned.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bandit.errors import StateError

__all__ = ["OpenRows"]

Array = NDArray[np.float64]


@dataclass(slots=True)
class OpenRows:
    """A columnar table of open rows, sorted by decision id.

    Parameters
    ----------
    n_features, n_components : int
        P and R.
    """

    n_features: int
    n_components: int
    decision_id: NDArray[np.int64] = field(init=False)  # (O,) ascending
    features: Array = field(init=False)  # (O, P) in today's basis
    target: Array = field(init=False)  # (O, R) as last learned
    weight: Array = field(init=False)  # (O, R) as last learned
    log_discount: Array = field(init=False)  # (O,) clock when the row entered

    def __post_init__(self) -> None:
        self.decision_id = np.zeros(0, np.int64)
        self.features = np.zeros((0, self.n_features))
        self.target = np.zeros((0, self.n_components))
        self.weight = np.zeros((0, self.n_components))
        self.log_discount = np.zeros(0)

    def add(
        self,
        decision_id: NDArray[np.int64],
        *,
        features: Array,
        target: Array,
        weight: Array,
        log_discount: float,
    ) -> None:
        """Keep rows that may be revised later."""
        self.expect_new(decision_id)
        ids = np.concatenate([self.decision_id, decision_id])
        order = np.argsort(ids, kind="stable")
        self.decision_id = ids[order]
        self.features = np.concatenate([self.features, features])[order]
        self.target = np.concatenate([self.target, target])[order]
        self.weight = np.concatenate([self.weight, weight])[order]
        clock = np.full(len(decision_id), log_discount)
        self.log_discount = np.concatenate([self.log_discount, clock])[order]

    def expect_new(self, decision_id: NDArray[np.int64]) -> None:
        """Raise :class:`StateError` if an id is here already, or comes twice."""
        if _has_twins(np.concatenate([self.decision_id, decision_id])):
            raise StateError("expected decisions learned once, got an id twice: call revise")

    def positions(self, decision_id: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where the rows lie.

        Raises
        ------
        StateError
            If one of them was never learned, is final already, or comes twice.
        """
        if _has_twins(decision_id):
            raise StateError("expected each decision once a batch of revisions, got an id twice")
        where = np.searchsorted(self.decision_id, decision_id)
        inside = np.minimum(where, max(len(self.decision_id) - 1, 0))
        if len(self.decision_id) == 0 or (self.decision_id[inside] != decision_id).any():
            raise StateError(
                "expected revisions of open rows, got a decision that was never learned or is "
                "final already: send it through update first"
            )
        return np.asarray(where)

    def drop(self, where: NDArray[np.int64]) -> None:
        """Forget rows that are final."""
        keep = np.ones(len(self.decision_id), np.bool_)
        keep[where] = False
        self.decision_id = self.decision_id[keep]
        self.features = self.features[keep]
        self.target = self.target[keep]
        self.weight = self.weight[keep]
        self.log_discount = self.log_discount[keep]

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Return a copy of the table, as named arrays."""
        return {
            "open.decision_id": self.decision_id.copy(),
            "open.features": self.features.copy(),
            "open.target": self.target.copy(),
            "open.weight": self.weight.copy(),
            "open.log_discount": self.log_discount.copy(),
        }


def _has_twins(ids: NDArray[np.int64]) -> bool:
    return bool((np.diff(np.sort(ids)) == 0).any())
