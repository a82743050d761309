"""Rows that wait until they are final, for learners that cannot unlearn.

Feedback enters as it comes; rows ready to learn leave, in the order of their decision ids, so
that neither the order of a batch nor the number of pieces shows. Rows of a batch are given out
once all their components are mature.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit.errors import BadInputError
from bandit.outcomes import Feedback
from policies.checks import check_feedback
from policies.models.open_rows import OpenRows

__all__ = ["FinalRows", "HeldRows"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalRows:
    """N rows to learn, in the order of their decision ids."""

    context: Array  # (N, D)
    item: Array  # (N, Di)
    slot: Array  # (N, Ds)
    is_send: NDArray[np.bool_]  # (N,)
    position: NDArray[np.int64]  # (N,) which slot of the grid, −1 for hold
    propensity: Array  # (N,)
    components: Array  # (N, R)

    @property
    def n_rows(self) -> int:
        """Number of rows N."""
        return len(self.is_send)


class HeldRows:
    """What a learner was told and may not learn yet.

    Parameters
    ----------
    lengths : three ints
        D, Di and Ds.
    """

    def __init__(self, lengths: tuple[int, int, int]) -> None:
        self.lengths = lengths
        context, item, slot = lengths
        self.rows = OpenRows(
            {"context": context, "item": item, "slot": slot}
            | dict.fromkeys(("is_send", "position", "propensity"), 1)
        )

    def take(self, feedback: Feedback) -> FinalRows:
        """Take rows for the first time; return those that are final already."""
        check_feedback(feedback, self.lengths)
        _check(feedback)
        self.rows.expect_new(feedback.decision_id)
        columns: dict[str, Array] = {
            "context": feedback.context,
            "item": feedback.item_features,
            "slot": feedback.slot_features,
            "is_send": feedback.is_send[:, None].astype(float),
            "position": feedback.slot[:, None].astype(float),
            "propensity": feedback.propensity[:, None],
        }
        is_final = np.asarray((feedback.maturity >= 1).all(axis=1))
        if not is_final.all():
            waiting = {name: column[~is_final] for name, column in columns.items()}
            self.rows.add(feedback.decision_id[~is_final], waiting)
        order = _in_order(feedback.decision_id, is_final)
        ready = {name: np.asarray(column[order], float) for name, column in columns.items()}
        return _final(ready, feedback.components[order])

    def release(self, feedback: Feedback) -> FinalRows:
        """Return rows that were held back and are final now."""
        _check(feedback)
        is_final = np.asarray((feedback.maturity >= 1).all(axis=1))
        self.rows.positions(feedback.decision_id)
        order = _in_order(feedback.decision_id, is_final)
        where = self.rows.positions(feedback.decision_id[order])
        ready = {name: self.rows.take(name, where) for name in self.rows.widths}
        self.rows.drop(where)
        return _final(ready, feedback.components[order])

    def state(self) -> dict[str, NDArray[Any]]:
        """Return the table of held rows."""
        return self.rows.state()

    def load(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Restore the table."""
        self.rows.load(state)


def _check(feedback: Feedback) -> None:
    if not np.isfinite(feedback.components).all():
        raise BadInputError("expected finite components in feedback, got NaN or infinity")
    if not ((feedback.propensity > 0) & (feedback.propensity <= 1)).all():
        raise BadInputError("expected propensities in (0, 1] in feedback")


def _in_order(ids: NDArray[np.int64], chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
    where = np.flatnonzero(chosen)
    return np.asarray(where[np.argsort(ids[where])])


def _final(columns: Mapping[str, Array], components: Array) -> FinalRows:
    return FinalRows(
        context=columns["context"],
        item=columns["item"],
        slot=columns["slot"],
        is_send=columns["is_send"][:, 0] > 0,
        position=columns["position"][:, 0].astype(np.int64),
        propensity=columns["propensity"][:, 0],
        components=components,
    )
