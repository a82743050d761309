"""What always sending reaches by plain counting: yardsticks beside every policy's hit rate.

A shop enters; the share of online household-days that each way of counting hits leaves, with
counts from the training days only, and the share that perfect knowledge would hit. No policy,
no floor, no cost: rates to read a table against.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.jobs.purchases import Purchases

__all__ = ["plain_rates"]

Array = NDArray[np.float64]


def plain_rates(shop: Purchases) -> list[dict[str, Any]]:
    """Hits a send of always sending, on the online days.

    Returns
    -------
    list of dict
        ``what, hits_per_send``: random, most popular, each household's own, perfect.
    """
    item, slot = _training_counts(shop)
    everyone = np.arange(shop.n_users)
    choices = {
        "the most popular category in the most popular window": (
            np.full(shop.n_users, item.sum(axis=0).argmax()),
            np.full(shop.n_users, slot.sum(axis=0).argmax()),
        ),
        "each household's own most frequent category and window": (
            _own(item).argmax(axis=1),
            _own(slot).argmax(axis=1),
        ),
    }
    hits = dict.fromkeys(("a random pair", *choices, "perfect knowledge"), 0.0)
    for day in shop.online_days:
        truth = shop.hits(day)  # (H, K, S)
        hits["a random pair"] += truth.mean(axis=(1, 2)).sum()
        hits["perfect knowledge"] += truth.any(axis=(1, 2)).sum()
        for what, (items, slots) in choices.items():
            hits[what] += truth[everyone, items, slots].sum()
    n = shop.n_users * len(shop.online_days)
    return [{"what": what, "hits_per_send": float(count / n)} for what, count in hits.items()]


def _training_counts(shop: Purchases) -> tuple[Array, Array]:
    """Days with each category (H, K), and days with each window (H, S), in training."""
    item = np.zeros((shop.n_users, shop.n_items))
    slot = np.zeros((shop.n_users, shop.n_slots))
    for day in range(shop.train_days):
        user, bought, _ = shop.bought(day)
        pairs = np.unique(user * shop.n_items + bought)
        np.add.at(item, (pairs // shop.n_items, pairs % shop.n_items), 1.0)
        np.add.at(slot, shop.active(day), 1.0)
    return item, slot


def _own(counts: Array) -> Array:
    """Own counts, ties and silence broken by everybody's."""
    everybody = counts.sum(axis=0)
    return np.asarray(counts + 0.5 * everybody / max(everybody.sum(), 1.0))
