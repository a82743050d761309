"""Personal counts: a user's own rate of the item times their own rate of the slot.

Static, updated every period, or updated with decay, by :class:`CountParams`; shrunk to the
population. The baseline that a learned policy has to beat on purchases.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bandit.actions import Request
from policies.baselines.count_policy import CountPolicy

__all__ = ["Counts"]


class Counts(CountPolicy):
    """P(item | user active) × P(user active in slot), for every pair."""

    policy_id = "counts"

    def rates(self, request: Request) -> NDArray[np.float64]:
        """Product of the personal rates, (N, K, S)."""
        user, items = self.codes(request)
        by_item = np.take_along_axis(self.counts.item_rates(user), items, axis=1)
        by_slot = np.take_along_axis(self.counts.slot_rates(user), self.slots(request), axis=1)
        return np.asarray(by_item[:, :, None] * by_slot[:, None, :])
