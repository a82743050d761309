"""Features of households, categories and windows, day by day, from purchases up to yesterday.

Purchases enter; for each day the item features (H, K, Di), slot features (H, S, Ds) and
context (H, D) leave, made from earlier days only. Linear heads score the outer product of the
two, so ``chance of the category × chance of the window`` is a single term. The time-blind set
keeps the household's rates of categories and the identity of the window, and drops all that
knows a gap, a weekday, the household's hours or the time of the query.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.jobs.purchase_history import History
from service.jobs.purchases import Purchases
from service.jobs.timing_models import TimingModels

__all__ = ["DayFeatures", "EncodedDays", "FeatureScale", "fit_scale", "walk_features"]

Array = NDArray[np.float64]

_CONSTANT = 0.05  # of the size of a rate, so that the ridge treats intercepts alike


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedDays:
    """What an encoder says at each local midnight of the days from ``first_day`` on."""

    first_day: int
    context: Array  # (H, T, D)
    item_scores: Array  # (H, T, K) log-probabilities of the next category
    slot_probabilities: Array  # (H, T, S) chance of being active


@dataclass(frozen=True, slots=True, kw_only=True)
class DayFeatures:
    """Features of one day for all H households, and their time-blind twins."""

    day: int
    context: Array  # (H, D)
    items: Array  # (H, K, Di)
    slots: Array  # (H, S, Ds)
    blind_items: Array  # (H, K, Bi)
    blind_slots: Array  # (H, S, Bs)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureScale:
    """Root mean squares of each feature over training days; features are divided by them."""

    items: Array  # (Di,)
    slots: Array  # (Ds,)
    blind_items: Array
    blind_slots: Array

    def apply(self, features: DayFeatures) -> DayFeatures:
        """Return the features in units of their training size."""
        return DayFeatures(
            day=features.day,
            context=features.context,
            items=features.items / self.items,
            slots=features.slots / self.slots,
            blind_items=features.blind_items / self.blind_items,
            blind_slots=features.blind_slots / self.blind_slots,
        )


def fit_scale(days: list[DayFeatures]) -> FeatureScale:
    """Fit the scale on training days only."""

    def size(name: str) -> Array:
        squares = [(getattr(day, name) ** 2).mean(axis=(0, 1)) for day in days]
        return np.asarray(np.sqrt(np.mean(squares, axis=0)).clip(min=1e-9))

    return FeatureScale(
        items=size("items"),
        slots=size("slots"),
        blind_items=size("blind_items"),
        blind_slots=size("blind_slots"),
    )


def walk_features(
    shop: Purchases,
    timing: TimingModels,
    *,
    first_day: int,
    until_day: int,
    encoded: EncodedDays | None = None,
) -> Iterator[DayFeatures]:
    """Yield the features of each day in ``[first_day, until_day)``, oldest first.

    Parameters
    ----------
    shop : Purchases
        Where purchases are read day by day; day d's features see days before d only.
    timing : TimingModels
        Fitted on the training range.
    first_day, until_day : int
        Range of days.
    encoded : EncodedDays, optional
        Vectors of an encoder; without it the features are the classic ones.
    """
    history = History.of(shop)
    while history.day < until_day:
        if history.day >= first_day:
            yield _features(history, timing, encoded)
        history.learn(shop)


def _features(history: History, timing: TimingModels, encoded: EncodedDays | None) -> DayFeatures:
    rate, share = history.item_rates(), history.slot_rates()
    item, slot = timing.item_chances(history), timing.slot_chances(history)
    timed_items, timed_slots = [item, item**2], [slot, slot**2]
    context = np.zeros((len(rate), 0))
    if encoded is not None:
        at = history.day - encoded.first_day
        context = encoded.context[:, at]
        timed_items.append(np.exp(encoded.item_scores[:, at]))
        timed_slots.append(encoded.slot_probabilities[:, at])
    small = np.full_like(rate, _CONSTANT)
    windows = [np.broadcast_to(row, share.shape) for row in np.eye(share.shape[1])]
    return DayFeatures(
        day=history.day,
        context=context,
        items=np.stack([small, rate, *timed_items], axis=-1),
        slots=np.stack([np.full_like(share, _CONSTANT), share, *timed_slots], axis=-1),
        blind_items=np.stack([small, rate, rate**2], axis=-1),
        blind_slots=np.stack(windows, axis=-1),
    )
