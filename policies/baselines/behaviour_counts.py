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
from policies.checks import check_state

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
    by_hour : bool
        Whether slots are told apart by the hour of the user's clock at which they start, 24 of
        them, as a grid that begins at the decision needs; behaviour is then told by that hour.
        False tells them apart by their place in the grid, where places are parts of the day.
    """

    shrink_item: float = 5.0
    shrink_slot: float = 10.0
    half_life: float = float("inf")
    is_static: bool = False
    by_hour: bool = False

    def __post_init__(self) -> None:
        if not all(value > 0 for value in (self.shrink_item, self.shrink_slot, self.half_life)):
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
        weekday: int | NDArray[np.int64] = 0,
    ) -> None:
        """Take one period (a day): which (user, item) and (user, slot) pairs occurred.

        A pair counts once a period, however often it is named; a user of either kind of pair
        was active. The day of the week, Monday 0, is for counts that tell days apart: that of the
        period, or of each user and slot by the user's own clock.
        """
        buyer, bought = self._pairs("item", item_user, item, self.n_items)
        visitor, visited = self._pairs("slot", slot_user, slot, self.n_slots)
        if self.is_frozen:
            return
        fade = 0.5 ** (1.0 / self.params.half_life)
        self.by_item *= fade
        self.by_slot *= fade
        self.active *= fade
        self.by_item[buyer, bought] += 1.0
        self.by_slot[visitor, visited] += 1.0
        self.active[np.union1d(buyer, visitor)] += 1.0
        self.periods = self.periods * fade + 1.0

    def freeze(self) -> None:
        """End of the training range: static counts ignore what comes later."""
        self.is_frozen = self.params.is_static

    def item_rates(self, user: NDArray[np.int64]) -> Array:
        """P(item | user active in a period), (N, K)."""
        kappa = self.params.shrink_item
        population, _ = self.population()
        return np.asarray(
            (self.by_item[user] + kappa * population) / (self.active[user] + kappa)[:, None]
        )

    def slot_rates(self, user: NDArray[np.int64]) -> Array:
        """P(user active in slot of a period), (N, S)."""
        kappa = self.params.shrink_slot
        _, population = self.population()
        return np.asarray((self.by_slot[user] + kappa * population) / (self.periods + kappa))

    def population(self) -> tuple[Array, Array]:
        """Rates of the whole population, zero before anything: items (K,) and slots (S,)."""
        items, slots = self.by_item.sum(axis=0), self.by_slot.sum(axis=0)
        active, periods = self.active.sum(), self.periods * self.n_users
        return items / (active if active > 0 else 1.0), slots / (periods if periods > 0 else 1.0)

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
        shapes = {name: getattr(self, name).shape for name in ("by_item", "by_slot", "active")}
        check_state(state, shapes | {"periods": (), "is_frozen": ()})
        self.by_item = np.array(state["by_item"], np.float64)
        self.by_slot = np.array(state["by_slot"], np.float64)
        self.active = np.array(state["active"], np.float64)
        self.periods = float(state["periods"])
        self.is_frozen = bool(state["is_frozen"])

    def _pairs(
        self, name: str, user: NDArray[np.int64], code: NDArray[np.int64], n_codes: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Users and codes of distinct pairs, checked."""
        if user.shape != code.shape:
            raise BadShapeError(f"expected a user for each {name}, got {user.shape}, {code.shape}")
        for what, codes, limit in (("user", user, self.n_users), (name, code, n_codes)):
            if codes.size and (codes.min() < 0 or codes.max() >= limit):
                raise BadInputError(
                    f"expected {what} codes in [0, {limit}), got {codes.min()} to {codes.max()}"
                )
        return np.divmod(np.unique(user * n_codes + code), n_codes)
