"""The short list of every user: the world's slate, with features a server would know.

An observation enters; an :class:`~bandit.actions.ItemSet` leaves. What a send adds differs between
users too, so a user's figures stand among the features of the items: uplift is made of these.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bandit.actions import ItemSet, Observation
from simulator.kernel import Ground
from simulator.known import CONTEXT_NAMES
from simulator.response import wanted_item
from simulator.state import State, Traits
from simulator.world import World

__all__ = ["ITEM_NAMES", "Slates", "item_features_of"]

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
        world, items = self.world, self.world.slates()
        features = item_features_of(
            items,
            ground=world.ground,
            traits=world.population.traits.take(world.observed),
            state=world.population.state.take(world.observed),
            profile=world.known.profile[world.observed],
            context=observation.context,
        )
        return ItemSet(items=items.astype(np.int64), features=features, source="slate")


def item_features_of(
    items: NDArray[np.int32],
    *,
    ground: Ground,
    traits: Traits,
    state: State,
    profile: NDArray[np.float32],
    context: Float,
) -> Float:
    """Features in order of ITEM_NAMES of the items offered to N users, (N, K, F).

    Parameters
    ----------
    items : ndarray of int32, (N, K)
        Items of each row.
    ground : Ground
        Shared tables of the population.
    traits, state : Traits, State
        Of the rows; what of them a server knows is read, and what is wanted where that is told.
    profile : ndarray of float32, (N, D)
        Leaky mean of the features of what was looked at.
    context : ndarray, (N, C)
        Context vectors of the rows.
    """
    columns = [
        np.ones(items.shape),
        _match(items, profile, ground),
        _is_new(items, state, ground),
        _was_sent(items, state, ground),
        *(
            np.broadcast_to(context[:, CONTEXT_NAMES.index(name), None], items.shape)
            for name in ("sends_this_week", "sessions_per_day", "click_share")
        ),
    ]
    if ground.config.click.wanted_gain:
        wanted = wanted_item(traits, state, n_items=items.shape[1])
        columns.append(np.asarray(wanted[:, None] == np.arange(items.shape[1]), np.float64))
    return np.stack(columns, axis=2)


def _match(items: NDArray[np.int32], profile: NDArray[np.float32], ground: Ground) -> Float:
    """Fit of items to what was looked at, about [−1, 1]."""
    features = ground.catalogue.features
    fit = np.einsum("nd,nkd->nk", profile, features[items], dtype=np.float64)
    return np.asarray(fit / features.shape[1])


def _is_new(items: NDArray[np.int32], state: State, ground: Ground) -> Float:
    """What is left of an item's novelty, 1 when it is born."""
    catalogue, half_life_h = ground.catalogue, ground.config.items.popularity_half_life_h
    if not half_life_h:
        return np.zeros(items.shape)
    age_h = state.hour[:, None] + catalogue.birth_h[items]
    if catalogue.lifetime_h:
        age_h = np.mod(age_h, catalogue.lifetime_h)
    return np.asarray(np.exp2(-age_h / half_life_h))


def _was_sent(items: NDArray[np.int32], state: State, ground: Ground) -> Float:
    """1 where the item was sent just now, fading with a half-life of a week."""
    is_same = items[:, :, None] == state.recent_item[:, None, :]
    age_h = state.hour[:, None] - state.recent_h  # (N, 4)
    catalogue = ground.catalogue
    if catalogue.lifetime_h:
        # What has taken an expired item's place since then was never sent.
        left_h = catalogue.hours_left(items, state.hour)
        is_same &= age_h[:, None, :] <= catalogue.lifetime_h - left_h[:, :, None]
    return np.asarray((is_same * np.exp2(-age_h / _REPEAT_H)[:, None, :]).max(axis=2))
