"""Decaying counts of what each user does and when, shrunk to the population.

Behaviour (who did what in which slot, a period at a time) enters; rates per user × item and
user × slot leave. These are the counts behind the count, popularity and best-hour policies.
Shrinkage: a user's count of c in n periods becomes (c + κ·p) / (n + κ), p the population's
rate: the posterior mean of a Beta(κp, κ(1−p)) prior.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit.errors import BadInputError, BadShapeError

__all__ = ["BehaviourCounts", "CountParams"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class CountParams:
    """Shrinkage and forgetting.

    Parameters
    ----------
    shrink_item, shrink_slot : float
        κ: how many periods of the population's behaviour a user starts with.
    half_life : float
        Periods after which a count weighs half; infinite keeps all.
    is_static : bool
        True ignores everything observed after :meth:`BehaviourCounts.freeze`.
    """

    shrink_item: float = 5.0
    shrink_slot: float = 10.0
    half_life: float = float("inf")
    is_static: bool = False

    def __post_init__(self) -> None:
        if min(self.shrink_item, self.shrink_slot, self.half_life) <= 0:
            raise BadInputError(
                "expected shrinkage and half-life above 0, got "
                f"{self.shrink_item}, {self.shrink_slot}, {self.half_life}"
            )


@dataclass(slots=True)
class BehaviourCounts:
    """User × item and user × slot counts.

    Parameters
    ----------
    n_users, n_items, n_slots : int
        Ranges of the codes.
    params : CountParams
        Shrinkage and forgetting.
    """

    n_users: int
    n_items: int
    n_slots: int
    params: CountParams
    by_item: Array = field(init=False)  # (U, K)
    by_slot: Array = field(init=False)  # (U, S)
    active: Array = field(init=False)  # (U,) periods with any behaviour
    periods: float = field(init=False, default=0.0)
    is_frozen: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self.by_item = np.zeros((self.n_users, self.n_items))
        self.by_slot = np.zeros((self.n_users, self.n_slots))
        self.active = np.zeros(self.n_users)

    def observe(
        self,
        *,
        item_user: NDArray[np.int64],
        item: NDArray[np.int64],
        slot_user: NDArray[np.int64],
        slot: NDArray[np.int64],
    ) -> None:
        """Take one period (a day): distinct (user, item) and (user, slot) pairs that occurred."""
        if self.is_frozen:
            return
        fade = 0.5 ** (1.0 / self.params.half_life)
        self.by_item *= fade
        self.by_slot *= fade
        self.active *= fade
        np.add.at(self.by_item, (item_user, item), 1.0)
        np.add.at(self.by_slot, (slot_user, slot), 1.0)
        self.active[np.unique(slot_user)] += 1.0
        self.periods = self.periods * fade + 1.0

    def freeze(self) -> None:
        """End of the training range: static counts ignore what comes later."""
        self.is_frozen = self.params.is_static

    def item_rates(self, user: NDArray[np.int64]) -> Array:
        """P(item | user active in a period), (N, K)."""
        kappa = self.params.shrink_item
        population = self.by_item.sum(axis=0) / max(self.active.sum(), 1.0)
        return np.asarray(
            (self.by_item[user] + kappa * population) / (self.active[user] + kappa)[:, None]
        )

    def slot_rates(self, user: NDArray[np.int64]) -> Array:
        """P(user active in slot of a period), (N, S)."""
        kappa = self.params.shrink_slot
        population = self.by_slot.sum(axis=0) / max(self.periods * self.n_users, 1.0)
        return np.asarray((self.by_slot[user] + kappa * population) / (self.periods + kappa))

    def population(self) -> tuple[Array, Array]:
        """Rates of the whole population: items (K,) and slots (S,)."""
        items = self.by_item.sum(axis=0) / max(self.active.sum(), 1.0)
        slots = self.by_slot.sum(axis=0) / max(self.periods * self.n_users, 1.0)
        return np.asarray(items), np.asarray(slots)

    def state(self) -> dict[str, NDArray[Any]]:
        """Return a copy of the counts, as named arrays."""
        return {
            "by_item": self.by_item.copy(),
            "by_slot": self.by_slot.copy(),
            "active": self.active.copy(),
            "periods": np.array(self.periods),
            "is_frozen": np.array(self.is_frozen),
        }

    def load(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Restore what :meth:`state` returned."""
        if state["by_item"].shape != self.by_item.shape:
            raise BadShapeError(
                f"expected counts of shape {self.by_item.shape}, got {state['by_item'].shape}"
            )
        self.by_item = np.array(state["by_item"], np.float64)
        self.by_slot = np.array(state["by_slot"], np.float64)
        self.active = np.array(state["active"], np.float64)
        self.periods = float(state["periods"])
        self.is_frozen = bool(state["is_frozen"])
