"""What a policy of the loop is shown of a population, as arrays and as one flat row a user.

A population and what a server has heard of it enter; context, item and slot features leave, those
of a :class:`bandit.actions.Request`, and flat rows of them for learners that want one vector. Where
each stands in a row is told by :class:`RequestColumns`, which takes rows of numpy or torch apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.kernel import Ground, Population
from simulator.known import CONTEXT_NAMES, SLOT_NAMES, Known, context_of, slot_features_of
from simulator.offers import ITEM_NAMES, item_features_of

__all__ = ["Features", "RequestColumns", "features_of"]

Array = NDArray[np.float64]


class Features(NamedTuple):
    """What a request carries of N users."""

    context: Array  # (N, D)
    items: Array  # (N, K, Di)
    slots: Array  # (N, S, Ds)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestColumns:
    """Places of a request's features in a flat row: context, then item by item, then slot by slot.

    Parameters
    ----------
    n_context, n_item_features, n_slot_features : int
        D, Di and Ds.
    n_items, n_slots : int
        K and S.

    Examples
    --------
    >>> columns = RequestColumns(
    ...     n_context=1, n_items=2, n_item_features=1, n_slots=1, n_slot_features=1
    ... )
    >>> columns.split(np.array([[1.0, 2.0, 3.0, 4.0]])).items[0, :, 0].tolist()
    [2.0, 3.0]
    """

    n_context: int
    n_items: int
    n_item_features: int
    n_slots: int
    n_slot_features: int

    @classmethod
    def of(cls, features: Features) -> RequestColumns:
        """Of features of these shapes."""
        context, items, slots = (part.shape for part in features)
        return cls(
            n_context=context[1],
            n_items=items[1],
            n_item_features=items[2],
            n_slots=slots[1],
            n_slot_features=slots[2],
        )

    @classmethod
    def in_world(cls, ground: Ground, *, hours: int) -> RequestColumns:
        """Of a population that is decided for every so many hours."""
        clock = ground.config.clock
        return cls(
            n_context=len(CONTEXT_NAMES),
            n_items=clock.n_candidates,
            n_item_features=len(ITEM_NAMES) + bool(ground.config.click.wanted_gain),
            n_slots=-(-hours // clock.slot_hours),
            n_slot_features=len(SLOT_NAMES),
        )

    @property
    def width(self) -> int:
        """Length C of a row."""
        return (
            self.n_context
            + self.n_items * self.n_item_features
            + self.n_slots * self.n_slot_features
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each column of a simulated world's row."""
        of_items = (*ITEM_NAMES, "is_wanted")[: self.n_item_features]
        return (
            *CONTEXT_NAMES,
            *(f"{name}_{k}" for k in range(self.n_items) for name in of_items),
            *(f"slot_{s}_{name}" for s in range(self.n_slots) for name in SLOT_NAMES),
        )

    def flat(self, features: Features) -> NDArray[np.float32]:
        """One row a user, (N, C), in single precision."""
        n = len(features.context)
        return np.concatenate([part.reshape(n, -1) for part in features], axis=1, dtype=np.float32)

    def split(self, rows: Any) -> Any:
        """Take rows (N, C) of numpy or torch apart into :class:`Features`; nothing is copied."""
        n, end = len(rows), self.n_context + self.n_items * self.n_item_features
        return Features(
            rows[:, : self.n_context],
            rows[:, self.n_context : end].reshape(n, self.n_items, self.n_item_features),
            rows[:, end:].reshape(n, self.n_slots, self.n_slot_features),
        )


def features_of(population: Population, known: Known) -> Features:
    """What a server would show of every user to a policy that is asked now."""
    traits, state, ground = population.traits, population.state, population.ground
    local = ground.calendar.server_hour_of_week(traits.zone, traits.is_zone_known, state.hour)
    context = context_of(known, state, local_hour_of_week=local, is_zone_known=traits.is_zone_known)
    items = item_features_of(
        population.offer().items,
        ground=ground,
        traits=traits,
        state=state,
        profile=known.profile,
        context=context,
    )
    slots = slot_features_of(known, local_hour_of_week=local, offsets_h=population.offsets_h)
    return Features(context, items, slots)
