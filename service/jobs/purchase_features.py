"""Features of households, categories and windows, day by day, from purchases up to yesterday.

Purchases enter; for each day the item features (H, K, Di), slot features (H, S, Ds) and
context (H, D) leave, made from earlier days only. Linear heads score the outer product of the
two, so ``chance of the category × chance of the window`` is a single term. The time-blind set
keeps the household's rates of categories and the identity of the window, and drops all that
knows a gap, a weekday, the household's hours or the time of the query.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from service.jobs.purchase_history import History
from service.jobs.purchases import Purchases
from service.jobs.steps import read_arrays
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

    def save(self, path: Path) -> None:
        """Write the vectors in single precision, as named arrays, never as a pickle."""
        np.savez(
            path,
            allow_pickle=False,
            first_day=np.array(self.first_day),
            context=self.context.astype(np.float32),
            item_scores=self.item_scores.astype(np.float32),
            slot_probabilities=self.slot_probabilities.astype(np.float32),
        )

    @classmethod
    def load(cls, path: Path) -> EncodedDays:
        """Read what :meth:`save` wrote.

        Raises
        ------
        ForeignFileError
            If the file is truncated or of another kind.
        """
        arrays = read_arrays(path, step=path.parent)
        return cls(
            first_day=int(arrays["first_day"]),
            context=arrays["context"].astype(np.float64),
            item_scores=arrays["item_scores"],
            slot_probabilities=arrays["slot_probabilities"],
        )

    def restricted_to(self, users: NDArray[np.int64]) -> EncodedDays:
        """Return the vectors of some users, in that order."""
        return EncodedDays(
            first_day=self.first_day,
            context=self.context[users],
            item_scores=self.item_scores[users],
            slot_probabilities=self.slot_probabilities[users],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DayFeatures:
    """Features of one day for all H households, and their time-blind twins.

    Only the columns that they are made of are kept; the arrays are laid out when they are
    asked for. Ninety-five days of all households laid out would fill a gigabyte a process.
    """

    day: int
    context: Array  # (H, D)
    rate: Array  # (H, K) P(category | active day), which knows no time
    timed_items: tuple[Array, ...]  # each (H, K)
    share: Array  # (H, S) P(active in window)
    timed_slots: tuple[Array, ...]  # each (H, S)
    scale: FeatureScale | None = None

    @property
    def items(self) -> Array:
        """Item features (H, K, Di)."""
        columns = [_constant(self.rate), self.rate, *_with_square(self.timed_items)]
        return _laid_out(columns, None if self.scale is None else self.scale.items)

    @property
    def slots(self) -> Array:
        """Slot features (H, S, Ds)."""
        columns = [_constant(self.share), self.share, *_with_square(self.timed_slots)]
        return _laid_out(columns, None if self.scale is None else self.scale.slots)

    @property
    def blind_items(self) -> Array:
        """Item features that know no time, (H, K, Bi)."""
        columns = [_constant(self.rate), self.rate, self.rate**2]
        return _laid_out(columns, None if self.scale is None else self.scale.blind_items)

    @property
    def blind_slots(self) -> Array:
        """Which window it is, (H, S, Bs)."""
        shape = self.share.shape
        columns = [np.broadcast_to(row, shape) for row in np.eye(shape[1])]
        return _laid_out(columns, None if self.scale is None else self.scale.blind_slots)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureScale:
    """Root mean squares of each feature over training days; features are divided by them."""

    items: Array  # (Di,)
    slots: Array  # (Ds,)
    blind_items: Array
    blind_slots: Array

    def apply(self, features: DayFeatures) -> DayFeatures:
        """Return the features in units of their training size."""
        return replace(features, scale=self)


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
    timed_items = [timing.item_chances(history)]
    timed_slots = [timing.slot_chances(history)]
    context = np.zeros((len(rate), 0))
    if encoded is not None:
        at = history.day - encoded.first_day
        context = encoded.context[:, at]
        timed_items.append(np.exp(encoded.item_scores[:, at]))
        timed_slots.append(encoded.slot_probabilities[:, at])
    return DayFeatures(
        day=history.day,
        context=context,
        rate=rate,
        timed_items=tuple(timed_items),
        share=share,
        timed_slots=tuple(timed_slots),
    )


def _constant(like: Array) -> Array:
    return np.full_like(like, _CONSTANT)


def _with_square(timed: tuple[Array, ...]) -> list[Array]:
    """The chance of a timing model and its square, then what the encoder says."""
    return [timed[0], timed[0] ** 2, *timed[1:]]


def _laid_out(columns: list[Array], scale: Array | None) -> Array:
    features = np.stack(columns, axis=-1)
    return features if scale is None else np.asarray(features / scale)
