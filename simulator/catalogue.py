"""Items: latent features, categories, prices, templates, stock, expiry and fading novelty.

A configuration enters; tables by item, by age, and of stock by day and item, leave. The catalogue
is a function of the configuration alone, so every row, shard and process sees the same one. Where
items expire, an item stands for a place in the feed: each edition keeps its features and gets a
new clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

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
_SPARE_DAYS = 2  # of stock, beyond the horizon
_FADED = 40.0  # half-lives after which nothing is left of novelty
_CHUNK = 65_536  # items whose features are drawn at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """Tables of I items; what changes by the hour is kept by age, so millions of items fit."""

    features: NDArray[np.float32]  # (I, D) about standard normal
    category: NDArray[np.int32]  # (I,)
    complement: NDArray[np.int32]  # (C,) the category that goes with each
    template: NDArray[np.int32]  # (I,)
    price: Float  # (I,) money
    copy_effect: Float  # (I,) log-odds of the item's template
    attraction: NDArray[np.float32]  # (I,) log-odds: popularity and copy
    novelty: NDArray[np.float32]  # (H,) log-odds of being new, by age in hours
    has_stock: NDArray[np.bool_]  # (days, I)
    slates: NDArray[np.int32]  # (P, K) lists of distinct items
    lifetime_h: float
    birth_h: NDArray[np.int32]  # (I,) offset of each item's clock

    @property
    def n_items(self) -> int:
        """Number of items I."""
        return len(self.category)

    def appeal_of(self, items: NDArray[np.int32], hour: Whole) -> NDArray[np.float32]:
        """Log-odds of popularity, copy and what is left of novelty, at each row's hour, (N, K)."""
        if len(self.novelty) == 1:
            return self.attraction.take(items)
        age = np.minimum(self._age_h(items, hour), len(self.novelty) - 1)
        return self.attraction.take(items) + self.novelty.take(age)

    def in_stock(self, items: NDArray[np.int32], hour: Whole) -> NDArray[np.bool_]:
        """Whether each item can be had at its row's hour, (N, K)."""
        day = np.minimum(hour // 24, len(self.has_stock) - 1)
        return np.asarray(self.has_stock.ravel().take(items + (day * self.n_items)[:, None]))

    def hours_left(self, items: NDArray[np.int32], hour: Whole) -> Float:
        """Hours until each item expires, (N, K); infinite where nothing does."""
        if not self.lifetime_h:
            return np.full(items.shape, np.inf)
        age = np.mod(hour[:, None] + self.birth_h[items], self.lifetime_h)
        return np.asarray(self.lifetime_h - age)

    def _age_h(self, items: NDArray[np.int32], hour: Whole) -> Whole:
        """Whole hours since each item came, or came anew, (N, K)."""
        age = hour[:, None] + self.birth_h.take(items)
        return np.mod(age, self.lifetime_h).astype(np.int64) if self.lifetime_h else age


def catalogue_of(config: WorldConfig) -> Catalogue:
    """Build the catalogue of a configuration."""
    items = config.items
    keys = life_keys(_CATALOGUE_SEED, np.arange(items.n_items))
    zero = np.zeros(items.n_items, np.int64)
    category = _choice(keys, lane=0, n=items.n_categories)
    template = _choice(keys, lane=1, n=items.n_templates)
    copy = np.log1p(items.template_sd * _normal_scores(items.n_templates, user=10**9))[template]
    noise = normals(keys, zero, Draw.CATALOGUE, n_lanes=2)
    birth_h = (uniforms(keys, zero, Draw.CATALOGUE, lane=50) * _cycle_h(items)).astype(np.int64)
    popularity = items.popularity_sd * noise[:, 0]
    return Catalogue(
        features=_features(keys, category, items),
        category=category.astype(np.int32),
        complement=_complements(items.n_categories).astype(np.int32),
        template=template.astype(np.int32),
        price=np.exp(items.price_mu + items.price_sd * noise[:, 1]),
        copy_effect=copy,
        attraction=(popularity + copy).astype(np.float32),
        novelty=_novelty(items, horizon_h=24 * config.clock.horizon_days),
        has_stock=_stock(keys, items, n_days=config.clock.horizon_days + _SPARE_DAYS),
        slates=_slates(config),
        lifetime_h=items.lifetime_h,
        birth_h=birth_h.astype(np.int32),
    )


def _choice(keys: NDArray[np.uint64], *, lane: int, n: int) -> Whole:
    zero = np.zeros(len(keys), np.int64)
    return (uniforms(keys, zero, Draw.TRAIT, lane=lane) * n).astype(np.int64)


def _table(n: int, *, user: int) -> Float:
    """``n`` standard normals under a key of their own."""
    keys = life_keys(_CATALOGUE_SEED, user + np.arange(n))
    return normals(keys, np.zeros(n, np.int64), Draw.CATALOGUE, n_lanes=1)[:, 0]


def _normal_scores(n: int, *, user: int) -> Float:
    """Quantiles of a standard normal in random order: the best of few is no matter of luck."""
    scores = np.array([NormalDist().inv_cdf((i + 0.5) / n) for i in range(n)])
    return scores[np.argsort(_table(n, user=user), kind="stable")]


def _features(keys: NDArray[np.uint64], category: Whole, items: Items) -> NDArray[np.float32]:
    """Half of an item's variance is its category's, half its own, (I, D)."""
    centre_keys = life_keys(_CATALOGUE_SEED, 2 * 10**9 + np.arange(items.n_categories))
    zero = np.zeros(items.n_categories, np.int64)
    centres = normals(centre_keys, zero, Draw.TASTE, n_lanes=items.n_features)
    made = np.empty((len(keys), items.n_features), np.float32)
    for start in range(0, len(keys), _CHUNK):
        part = slice(start, start + _CHUNK)
        zero = np.zeros(len(keys[part]), np.int64)
        own = normals(keys[part], zero, Draw.TASTE, n_lanes=items.n_features)
        made[part] = np.sqrt(0.5) * (centres[category[part]] + own)
    return made


def _complements(n_categories: int) -> Whole:
    """A cycle through the categories, so that none is its own complement where there are two."""
    order = np.argsort(_table(n_categories, user=3 * 10**9), kind="stable")
    follows = np.empty(n_categories, np.int64)
    follows[order] = np.roll(order, -1)
    return follows


def _cycle_h(items: Items) -> float:
    """Over how many hours births are spread."""
    return items.lifetime_h or 4.0 * items.popularity_half_life_h


def _novelty(items: Items, *, horizon_h: int) -> NDArray[np.float32]:
    """Log-odds of being new by age: ln 2 at birth, fading to 0, (H,)."""
    half_life_h = items.popularity_half_life_h
    if not half_life_h:
        return np.zeros(1, np.float32)
    oldest_h = min(items.lifetime_h or horizon_h + _cycle_h(items), _FADED * half_life_h)
    age = np.arange(int(oldest_h) + 2)
    return np.asarray(np.log1p(np.exp2(-age / half_life_h)), np.float32)


def _stock(keys: NDArray[np.uint64], items: Items, *, n_days: int) -> NDArray[np.bool_]:
    """Whether each item is in stock, drawn anew every day, (days, I)."""
    days = np.arange(n_days)[:, None]
    drawn = (uniforms(keys, day, Draw.CATALOGUE, lane=60) for day in days)
    return np.stack([each >= items.stock_out_per_day for each in drawn])


def _slates(config: WorldConfig) -> NDArray[np.int32]:
    """Lists of K distinct items: permutations of the catalogue, cut into lists; one at least."""
    n_items, k = config.items.n_items, config.clock.n_candidates
    a_round = n_items // k
    keys = life_keys(_CATALOGUE_SEED, 4 * 10**9 + np.arange(n_items))
    cut = []
    for turn in range(max(1, -(-_N_SLATES // a_round) if n_items > k else 1)):
        order = np.argsort(uniforms(keys, np.full(n_items, turn), Draw.SLATE), kind="stable")
        cut.append(order[: a_round * k].reshape(a_round, k))
    # A whole permutation is kept, however long: every item of a large catalogue is on some list.
    return np.concatenate(cut)[: max(_N_SLATES, a_round)].astype(np.int32)
