from __future__ import annotations

import numpy as np
import pytest

from service.jobs.plain_rates import plain_rates
from service.jobs.purchases import Purchases


def test_rates_are_those_of_counting_by_hand(small_shop: Purchases) -> None:
    """Household by household, with counts of the training days alone."""
    shop = small_shop
    days, n = len(shop.online_days), shop.n_users
    truth = np.stack([shop.hits(day) for day in shop.online_days])  # (T, H, K, S)
    own = 0
    for user in range(n):
        item = np.zeros(shop.n_items)
        slot = np.zeros(shop.n_slots)
        for day in range(shop.train_days):
            hits = shop.hits(day)[user]
            item += hits.any(axis=1)
            users, slots = shop.active(day)
            slot[np.unique(slots[users == user])] += 1
        # Ties are broken by popularity: any of the tied ones may be it.
        best = truth[:, user][:, item == item.max()][:, :, slot == slot.max()]
        if best.shape[1] == best.shape[2] == 1:
            own += best.sum()
        else:
            own += truth[:, user, item.argmax(), slot.argmax()].sum()
    rates = {row["what"]: row["hits_per_send"] for row in plain_rates(shop)}
    assert rates["a random pair"] == pytest.approx(truth.mean())
    assert rates["perfect knowledge"] == pytest.approx(truth.any(axis=(2, 3)).mean())
    found = rates["each household's own most frequent category and window"]
    assert abs(found - own / (n * days)) < 0.02
    assert list(rates.values()) == sorted(rates.values())
