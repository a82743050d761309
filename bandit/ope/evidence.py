"""What an off-policy estimate rests on: columns of a log beside a target policy's view of it.

Logged rewards and propensities, and the target's probabilities of the *logged* actions,
enter; importance weights leave. Marginal weights compare how often each policy takes the
action's item, slot, or sends at all: narrower, and biased where the reward needs more than
that. Reference: Saito and Joachims (2022), "Off-policy evaluation for large action spaces via
embeddings", for marginal weights.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit.errors import BadInputError, expect_shape

__all__ = ["Evidence", "Weighting"]

Array = NDArray[np.float64]


class Weighting(Enum):
    """Which probabilities of the logged action are compared."""

    JOINT = "joint"
    ITEM = "item"
    SLOT = "slot"
    SEND = "send"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """N logged decisions under a target policy; a leading axis of B redraws is allowed.

    Parameters
    ----------
    reward : ndarray, (…, N)
        Reward of the logged action.
    propensity, target : ndarray, (…, N)
        Probability of the logged action under the logging and the target policy.
    cluster : ndarray of int, (N,)
        User of each row; rows of one user are not independent.
    logged_item, target_item, logged_slot, target_slot, logged_send, target_send : ndarray
        The same for the action's item (over all slots), its slot (over all items), and for
        sending as such; for hold all three are P(hold). Optional, both of a pair or none.
    baseline_logged : ndarray, (…, N), optional
        q̂(x, a) of the logged action, from a model fitted on other users.
    baseline_target : ndarray, (…, N), optional
        Σₐ π(a|x)·q̂(x, a).
    """

    reward: Array
    propensity: Array
    target: Array
    cluster: NDArray[np.int64]
    logged_item: Array | None = None
    target_item: Array | None = None
    logged_slot: Array | None = None
    target_slot: Array | None = None
    logged_send: Array | None = None
    target_send: Array | None = None
    baseline_logged: Array | None = None
    baseline_target: Array | None = None

    def __post_init__(self) -> None:
        n = self.reward.shape[-1]
        if n < 2:
            raise BadInputError(f"expected at least two logged decisions, got {n}")
        expect_shape("cluster", self.cluster, (n,), "one user a row")
        for f in fields(self):
            column = getattr(self, f.name)
            if column is not None:
                expect_shape(f.name, column, (*column.shape[:-1], n), "one entry a logged decision")
        _finite("reward", self.reward, "join outcomes first")
        for name in ("baseline_logged", "baseline_target"):
            _finite(name, getattr(self, name), "does the reward model know every row?")
        for name in ("propensity", "logged_item", "logged_slot", "logged_send"):
            _probability(name, getattr(self, name), may_be_zero=False)
        for name in ("target", "target_item", "target_slot", "target_send"):
            _probability(name, getattr(self, name), may_be_zero=True)
        for one, other in (
            ("logged_item", "target_item"),
            ("logged_slot", "target_slot"),
            ("logged_send", "target_send"),
            ("baseline_logged", "baseline_target"),
        ):
            if (getattr(self, one) is None) != (getattr(self, other) is None):
                raise BadInputError(f"expected {one} and {other} together, got one of them")

    @property
    def weightings(self) -> tuple[Weighting, ...]:
        """Which weightings this evidence allows, the joint one first."""
        given = {
            Weighting.JOINT: self.propensity,
            Weighting.ITEM: self.logged_item,
            Weighting.SLOT: self.logged_slot,
            Weighting.SEND: self.logged_send,
        }
        return tuple(weighting for weighting, column in given.items() if column is not None)

    @property
    def has_baseline(self) -> bool:
        """True where a reward model's predictions are given."""
        return self.baseline_logged is not None

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Evidence:
        """Return the evidence of some rows."""
        given = {f.name: getattr(self, f.name) for f in fields(self)}
        taken: dict[str, Any] = {n: c[..., rows] for n, c in given.items() if c is not None}
        return Evidence(**taken)

    def weight(self, weighting: Weighting) -> Array:
        """Importance weights of the logged actions, (…, N)."""
        logged, target = {
            Weighting.JOINT: (self.propensity, self.target),
            Weighting.ITEM: (self.logged_item, self.target_item),
            Weighting.SLOT: (self.logged_slot, self.target_slot),
            Weighting.SEND: (self.logged_send, self.target_send),
        }[weighting]
        if logged is None or target is None:
            raise BadInputError(
                f"expected {weighting.value} probabilities of both policies, got none: give "
                f"logged_{weighting.value} and target_{weighting.value}"
            )
        return np.asarray(target / logged)


def _finite(name: str, column: Array | None, hint: str) -> None:
    if column is not None and not np.isfinite(column).all():
        raise BadInputError(f"expected finite {name}, got NaN or infinity: {hint}")


def _probability(name: str, column: Array | None, *, may_be_zero: bool) -> None:
    if column is None:
        return
    low = column < 0 if may_be_zero else column <= 0
    bad = ~np.isfinite(column) | low | (column > 1 + 1e-9)
    if bad.any():
        bound = "[0, 1]" if may_be_zero else "(0, 1]"
        where = tuple(int(i) for i in np.argwhere(bad)[0])
        raise BadInputError(
            f"expected {name} in {bound}, got {column[where]!r} at row {where[-1]}: "
            "a logged action always had a positive probability"
        )
