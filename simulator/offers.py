"""The short list of every user: the world's slate, with features a server would know.

An observation enters; an :class:`~bandit.actions.ItemSet` leaves. What a send adds differs between
users too, so a user's figures stand among the features of the items: uplift is made of these.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bandit.actions import ItemSet, Observation
from simulator.known import CONTEXT_NAMES
from simulator.response import wanted_item
from simulator.world import World

__all__ = ["ITEM_NAMES", "Slates"]

Float = NDArray[np.float64]

ITEM_NAMES: tuple[str, ...] = (
    "one",
    "match",
    "is_new",
    "was_sent",
    "sends_this_week",
    "sessions_per_day",
    "click_share",
)
_REPEAT_H = 7.0 * 24.0


@dataclass(slots=True, frozen=True, kw_only=True)
class Slates:
    """Candidates of a simulated world; implements :class:`bandit.protocols.Candidates`.

    A world in which one item is wanted now, and says so (``click.wanted_gain``), has one feature
    more, last: whether it is that item.
    """

    world: World

    def __call__(self, observation: Observation) -> ItemSet:
        """Return the slate of each observed user, (N, K), features in order of ITEM_NAMES."""
        items = self.world.slates()
        shape = items.shape
        columns = [
            np.ones(shape),
            self._match(items),
            self._is_new(items),
            self._was_sent(items),
            *(
                np.broadcast_to(observation.context[:, CONTEXT_NAMES.index(name), None], shape)
                for name in ("sends_this_week", "sessions_per_day", "click_share")
            ),
        ]
        if self.world.config.click.wanted_gain:
            columns.append(self._is_wanted(items))
        return ItemSet(
            items=items.astype(np.int64), features=np.stack(columns, axis=2), source="slate"
        )

    def _is_wanted(self, items: NDArray[np.int32]) -> Float:
        population, rows = self.world.population, self.world.observed
        wanted = wanted_item(
            population.traits.take(rows), population.state.take(rows), n_items=items.shape[1]
        )
        return np.asarray(wanted[:, None] == np.arange(items.shape[1]), np.float64)

    def _match(self, items: NDArray[np.int32]) -> Float:
        """Fit of items to what was looked at, about [−1, 1]."""
        features = self.world.ground.catalogue.features
        profile = self.world.known.profile[self.world.observed]  # (N, D)
        fit = np.einsum("nd,nkd->nk", profile, features[items], dtype=np.float64)
        return np.asarray(fit / features.shape[1])

    def _is_new(self, items: NDArray[np.int32]) -> Float:
        """What is left of an item's novelty, 1 when it is born."""
        catalogue, half_life_h = (
            self.world.ground.catalogue,
            self.world.config.items.popularity_half_life_h,
        )
        if not half_life_h:
            return np.zeros(items.shape)
        age_h = self.world.hour + catalogue.birth_h[items]
        if catalogue.lifetime_h:
            age_h = np.mod(age_h, catalogue.lifetime_h)
        return np.asarray(np.exp2(-age_h / half_life_h))

    def _was_sent(self, items: NDArray[np.int32]) -> Float:
        """1 where the item was sent just now, fading with a half-life of a week."""
        state, rows = self.world.population.state, self.world.observed
        item, at_h = state.recent_item[rows], state.recent_h[rows]  # (N, 4) each
        is_same = items[:, :, None] == item[:, None, :]
        age_h = self.world.hour - at_h
        catalogue = self.world.ground.catalogue
        if catalogue.lifetime_h:
            # What has taken an expired item's place since then was never sent.
            left_h = catalogue.hours_left(items, state.hour[rows])
            is_same &= age_h[:, None, :] <= catalogue.lifetime_h - left_h[:, :, None]
        return np.asarray((is_same * np.exp2(-age_h / _REPEAT_H)[:, None, :]).max(axis=2))
