"""The popular item at the popular hour: the same push for everyone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bandit.actions import Request
from policies.baselines.count_policy import CountPolicy

__all__ = ["PopularItemHour"]


class PopularItemHour(CountPolicy):
    """Population rate of the item times population rate of the slot."""

    policy_id = "popular"

    def rates(self, request: Request) -> NDArray[np.float64]:
        """Product of the population's rates, (N, K, S)."""
        _, items = self.codes(request)
        by_item, by_slot = self.counts.population()
        return np.asarray(by_item[items][:, :, None] * by_slot[self.slots(request)][:, None, :])
