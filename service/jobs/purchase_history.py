"""Running counts of a shop up to yesterday, and what they say about timing.

Purchases are taken day by day; rates that fade with a half-life of 90 days leave, shrunk to
the population, and with them the design rows of the timing models: how due a category is, how
long ago the household shopped, what it does on this weekday. Nothing of today is in them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.jobs.purchases import Purchases

__all__ = ["History"]

Array = NDArray[np.float64]

_HALF_LIFE_DAYS = 90.0
_RECENT_DAYS = 30.0
_PRIOR_ACTIVE = 5.0  # active days of the population's taste that a household starts with
_PRIOR_DAYS = 10.0  # days of the population's hours
_PRIOR_WEEKS = 6.0  # same weekdays of the household's own hours
_NEVER = -60.0


@dataclass(slots=True)
class History:
    """What every household did before ``day``."""

    ever_item: Array  # (H, K) days with the category, not fading
    item: Array  # (H, K) fading
    recent_item: Array  # (H, K) fading fast
    last_item: Array  # (H, K) last day with the category
    active: Array  # (H,) days with any purchase, fading
    recent_active: Array  # (H,) fading fast
    last_active: Array  # (H,)
    slot: Array  # (H, S) days with the window active, fading
    recent_slot: Array  # (H, S) fading fast
    weekday_slot: Array  # (H, 7, S) fading
    weekdays: Array  # (7,) how many of each weekday have passed, fading
    days: float = 0.0  # how many days have passed, fading
    day: int = 0

    @classmethod
    def of(cls, shop: Purchases) -> History:
        """Return the history before the first day."""
        h, k, s = shop.n_users, shop.n_items, shop.n_slots
        return cls(
            ever_item=np.zeros((h, k)),
            item=np.zeros((h, k)),
            recent_item=np.zeros((h, k)),
            last_item=np.full((h, k), _NEVER),
            active=np.zeros(h),
            recent_active=np.zeros(h),
            last_active=np.full(h, _NEVER / 2),
            slot=np.zeros((h, s)),
            recent_slot=np.zeros((h, s)),
            weekday_slot=np.zeros((h, 7, s)),
            weekdays=np.zeros(7),
        )

    def learn(self, shop: Purchases) -> None:
        """Take the purchases of ``self.day`` and move on to the next."""
        user, item, _ = shop.bought(self.day)
        pairs = np.unique(user * shop.n_items + item)
        user, item = pairs // shop.n_items, pairs % shop.n_items
        active_user, slot = shop.active(self.day)
        active = np.unique(active_user)
        self._fade()
        for counts in (self.ever_item, self.item, self.recent_item):
            counts[user, item] += 1
        for counts in (self.slot, self.recent_slot):
            counts[active_user, slot] += 1
        self.weekday_slot[active_user, self.day % 7, slot] += 1
        self.active[active] += 1
        self.recent_active[active] += 1
        self.last_item[user, item] = self.day
        self.last_active[active] = self.day
        self.weekdays[self.day % 7] += 1
        self.days += 1
        self.day += 1

    def item_rates(self) -> Array:
        """P(category | active day), shrunk to the population, (H, K)."""
        population = self.item.sum(axis=0) / max(self.active.sum(), 1e-9)
        shrunk = self.item + _PRIOR_ACTIVE * population
        return np.asarray(shrunk / (self.active + _PRIOR_ACTIVE)[:, None])

    def slot_rates(self) -> Array:
        """P(active in window), shrunk to the population, (H, S)."""
        population = self.slot.sum(axis=0) / max(self.days * len(self.slot), 1e-9)
        return np.asarray((self.slot + _PRIOR_DAYS * population) / (self.days + _PRIOR_DAYS))

    def item_design(self) -> Array:
        """Rows of the model of P(category | active today), (H, K, P)."""
        rate = self.item_rates()
        recent = (self.recent_item + 3 * rate) / (self.recent_active + 3)[:, None]
        interval = np.clip(self.day / (self.ever_item + 1), 1.0, 200.0)
        # Log of (time since last) / (usual interval): below 0 not yet due, above 0 overdue.
        due = np.log(np.clip((self.day - self.last_item) / interval, 0.05, 20.0))
        log_rate = _log(rate)
        gap = np.broadcast_to(self._log_gap()[:, None], rate.shape)
        yesterday = np.broadcast_to(self._shopped_yesterday()[:, None], rate.shape)
        return np.stack(
            [
                log_rate,
                log_rate**2,
                _log(recent),
                due,
                due**2,
                np.tanh(due),
                log_rate * due,
                np.exp(-((due + 1) ** 2)),
                (due < -2).astype(np.float64),
                gap,
                yesterday,
                yesterday * np.tanh(due),
            ],
            axis=-1,
        )

    def slot_design(self) -> Array:
        """Rows of the model of P(active in window today), (H, S, P)."""
        share = self.slot_rates()
        log_share = _log(share)
        recent = (self.recent_slot + 8 * share) / (_RECENT_DAYS / np.log(2) + 8)
        gap = np.broadcast_to(self._log_gap()[:, None], share.shape)
        yesterday = np.broadcast_to(self._shopped_yesterday()[:, None], share.shape)
        pace = np.broadcast_to(_log(self._pace())[:, None], share.shape)
        windows = [np.broadcast_to(row, share.shape) for row in np.eye(share.shape[1])[1:]]
        return np.stack(
            [
                log_share,
                log_share**2,
                _log(self._weekday_rates(share)),
                _log(recent),
                gap,
                gap**2,
                np.tanh(gap) * log_share,
                np.exp(-(gap**2)),
                yesterday,
                pace,
                *windows,
            ],
            axis=-1,
        )

    def _weekday_rates(self, share: Array) -> Array:
        weekday = self.day % 7
        own, n = self.weekday_slot[:, weekday], self.weekdays[weekday]
        population = own.sum(axis=0) / max(n * len(own), 1e-9)
        relative = population / np.maximum(self.slot.sum(axis=0), 1e-9) * self.days * len(own)
        return np.asarray((own + _PRIOR_WEEKS * share * relative) / (n + _PRIOR_WEEKS))

    def _pace(self) -> Array:
        """Active days a day."""
        return np.clip(self.active / max(self.days, 1.0), 0.01, 1.0)

    def _log_gap(self) -> Array:
        """Log of (days since last shopping) × (usual pace)."""
        return np.log(np.clip((self.day - self.last_active) * self._pace(), 0.02, 20.0))

    def _shopped_yesterday(self) -> Array:
        return (self.day - self.last_active <= 1).astype(np.float64)

    def _fade(self) -> None:
        slow, fast = 0.5 ** (1 / _HALF_LIFE_DAYS), 0.5 ** (1 / _RECENT_DAYS)
        for counts in (self.item, self.active, self.slot, self.weekday_slot, self.weekdays):
            np.multiply(counts, slow, out=counts)
        for counts in (self.recent_item, self.recent_active, self.recent_slot):
            np.multiply(counts, fast, out=counts)
        self.days *= slow


def _log(rate: Array) -> Array:
    return np.log(np.clip(rate, 1e-5, 1.0))
