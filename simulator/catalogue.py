"""Items: latent features, categories, prices, templates, stock, expiry and fading novelty.

A configuration enters; tables by item, and by tick and item, leave. The catalogue is a function
of the configuration alone, so every row, shard and process sees the same one. Where items expire,
an item stands for a place in the feed: each edition keeps its features and gets a new clock.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.config import WorldConfig
from simulator.sections import Items
from simulator.streams import Draw, life_keys, normals, uniforms

__all__ = ["Catalogue", "catalogue_of"]

Float = NDArray[np.float64]
Whole = NDArray[np.int64]

_CATALOGUE_SEED = 0x0FFE
_N_SLATES = 4096
_FAST_H = 100.0  # novelty that halves faster than this is kept by the hour


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """Tables of I items; T ticks of ``tick_h`` hours."""

    features: NDArray[np.float32]  # (I, D) about standard normal
    category: NDArray[np.int32]  # (I,)
    complement: NDArray[np.int32]  # (C,) the category that goes with each
    template: NDArray[np.int32]  # (I,)
    price: Float  # (I,) money
    copy_effect: Float  # (I,) log-odds of the item's template
    appeal: NDArray[np.float32]  # (T, I) log-odds: popularity, copy and what is left of novelty
    is_in_stock: NDArray[np.bool_]  # (T, I)
    slates: NDArray[np.int32]  # (P, K) lists of distinct items
    tick_h: int
    lifetime_h: float
    birth_h: Whole  # (I,) offset of each item's clock

    @property
    def n_items(self) -> int:
        """Number of items I."""
        return len(self.category)

    def tick(self, hour: Whole) -> Whole:
        """Row of the tables by time for each hour, any shape."""
        return np.minimum(hour // self.tick_h, len(self.appeal) - 1)

    def appeal_of(self, items: NDArray[np.int32], hour: Whole) -> NDArray[np.float32]:
        """Log-odds of each item at its row's hour, (N, K)."""
        return self.appeal.ravel().take(self._places(items, hour))

    def in_stock(self, items: NDArray[np.int32], hour: Whole) -> NDArray[np.bool_]:
        """Whether each item can be had at its row's hour, (N, K)."""
        return self.is_in_stock.ravel().take(self._places(items, hour))

    def _places(self, items: NDArray[np.int32], hour: Whole) -> Whole:
        return items + (self.tick(hour) * self.n_items)[:, None]

    def hours_left(self, items: NDArray[np.int32], hour: Whole) -> Float:
        """Hours until each item expires, (N, K); infinite where nothing does."""
        if not self.lifetime_h:
            return np.full(items.shape, np.inf)
        age = np.mod(hour[:, None] + self.birth_h[items], self.lifetime_h)
        return np.asarray(self.lifetime_h - age)


def catalogue_of(config: WorldConfig) -> Catalogue:
    """Build the catalogue of a configuration."""
    items = config.items
    keys = life_keys(_CATALOGUE_SEED, np.arange(items.n_items))
    zero = np.zeros(items.n_items, np.int64)
    category = _choice(keys, lane=0, n=items.n_categories)
    template = _choice(keys, lane=1, n=items.n_templates)
    copy = np.log1p(items.template_sd * _table(items.n_templates, user=10**9))[template]
    noise = normals(keys, zero, Draw.CATALOGUE, n_lanes=2)
    birth_h = (uniforms(keys, zero, Draw.CATALOGUE, lane=50) * _cycle_h(items)).astype(np.int64)
    tick_h = 1 if items.lifetime_h or 0 < items.popularity_half_life_h < _FAST_H else 24
    hours = np.arange(0, 24 * config.clock.horizon_days + 48, tick_h)
    popularity = items.popularity_sd * noise[:, 0]
    return Catalogue(
        features=_features(keys, category, items).astype(np.float32),
        category=category.astype(np.int32),
        complement=_complements(items.n_categories).astype(np.int32),
        template=template.astype(np.int32),
        price=np.exp(items.price_mu + items.price_sd * noise[:, 1]),
        copy_effect=copy,
        appeal=(popularity + copy + _novelty(items, hours, birth_h)).astype(np.float32),
        is_in_stock=_stock(keys, items, hours),
        slates=_slates(config),
        tick_h=tick_h,
        lifetime_h=items.lifetime_h,
        birth_h=birth_h,
    )


def _choice(keys: NDArray[np.uint64], *, lane: int, n: int) -> Whole:
    zero = np.zeros(len(keys), np.int64)
    return (uniforms(keys, zero, Draw.TRAIT, lane=lane) * n).astype(np.int64)


def _table(n: int, *, user: int) -> Float:
    """``n`` standard normals under a key of their own."""
    keys = life_keys(_CATALOGUE_SEED, user + np.arange(n))
    return normals(keys, np.zeros(n, np.int64), Draw.CATALOGUE, n_lanes=1)[:, 0]


def _features(keys: NDArray[np.uint64], category: Whole, items: Items) -> Float:
    """Half of an item's variance is its category's, half its own."""
    own = normals(keys, np.zeros(len(keys), np.int64), Draw.TASTE, n_lanes=items.n_features)
    centre_keys = life_keys(_CATALOGUE_SEED, 2 * 10**9 + np.arange(items.n_categories))
    zero = np.zeros(items.n_categories, np.int64)
    centres = normals(centre_keys, zero, Draw.TASTE, n_lanes=items.n_features)
    return np.asarray(np.sqrt(0.5) * (centres[category] + own))


def _complements(n_categories: int) -> Whole:
    """A cycle through the categories, so that none is its own complement where there are two."""
    order = np.argsort(_table(n_categories, user=3 * 10**9), kind="stable")
    follows = np.empty(n_categories, np.int64)
    follows[order] = np.roll(order, -1)
    return follows


def _cycle_h(items: Items) -> float:
    """Over how many hours births are spread."""
    return items.lifetime_h or 4.0 * items.popularity_half_life_h


def _novelty(items: Items, hours: Whole, birth_h: Whole) -> Float:
    """Log-odds of being new: ln 2 at birth, fading to 0, (T, I)."""
    if not items.popularity_half_life_h:
        return np.zeros((len(hours), len(birth_h)))
    age = hours[:, None] + birth_h[None, :]
    if items.lifetime_h:
        age = np.mod(age, items.lifetime_h)
    return np.asarray(np.log1p(np.exp2(-age / items.popularity_half_life_h)))


def _stock(keys: NDArray[np.uint64], items: Items, hours: Whole) -> NDArray[np.bool_]:
    """Whether each item is in stock, drawn anew every day, (T, I)."""
    days = np.unique(hours // 24)
    drawn = uniforms(keys[None, :], days[:, None], Draw.CATALOGUE, lane=60)
    return np.asarray((drawn >= items.stock_out_per_day)[hours // 24])


def _slates(config: WorldConfig) -> NDArray[np.int32]:
    """Lists of K distinct items: permutations of the catalogue, cut into lists."""
    n_items, k = config.items.n_items, config.clock.n_candidates
    a_round = n_items // k
    keys = life_keys(_CATALOGUE_SEED, 4 * 10**9 + np.arange(n_items))
    cut = []
    for turn in range(max(1, -(-_N_SLATES // a_round) if n_items > k else 1)):
        order = np.argsort(uniforms(keys, np.full(n_items, turn), Draw.SLATE), kind="stable")
        cut.append(order[: a_round * k].reshape(a_round, k))
    return np.concatenate(cut)[:_N_SLATES].astype(np.int32)
