"""Best hour and a ranker: the two-stage practice of commercial send-time products.

First the user's most active slot is fixed, then items are ranked for it, whatever the other
slots would have been worth. Personal hours need some history: users without enough fall back
to the population's best slot, as such products do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bandit.actions import Request
from bandit.outcomes import RewardScheme
from policies.baselines.behaviour_counts import CountParams
from policies.baselines.count_policy import CountPolicy
from policies.shape import PolicyShape

__all__ = ["BestHourRanker"]


class BestHourRanker(CountPolicy):
    """The user's busiest slot, then the user's items by rate.

    Parameters
    ----------
    least_active : float
        Active periods below which the population's best slot is taken.
    """

    policy_id = "best_hour"
    cannot: ClassVar[Mapping[str, str]] = CountPolicy.cannot

    def __init__(
        self,
        shape: PolicyShape,
        scheme: RewardScheme,
        *,
        params: CountParams | None = None,
        always_sends: bool = False,
        least_active: float = 4.0,
    ) -> None:
        super().__init__(shape, scheme, params=params, always_sends=always_sends)
        self.least_active = least_active

    def rates(self, request: Request) -> NDArray[np.float64]:
        """Item rates in the chosen slot, zero in the others, (N, K, S)."""
        user, _ = self.codes(request)
        by_item = self.item_rates(request)
        chosen = self.best_slot(user, request)  # (N,)
        code = np.take_along_axis(self.slots(request), chosen[:, None], axis=1)
        activity = np.take_along_axis(self.counts.slot_rates(user), code, axis=1)
        rates = np.zeros((request.n_rows, request.n_items, request.n_slots))
        rates[np.arange(request.n_rows), :, chosen] = by_item * activity
        return rates

    def item_rates(self, request: Request) -> NDArray[np.float64]:
        """How likely each item is taken by an active user, (N, K)."""
        rates = self.counts.item_rates(request.user)
        return np.take_along_axis(rates, request.items, axis=1)

    def best_slot(self, user: NDArray[np.int64], request: Request) -> NDArray[np.int64]:
        """Slot of most activity among those with an open pair, (N,)."""
        shape = (request.n_rows, request.n_items, request.n_slots)
        open_slots = request.mask[:, 1:].reshape(shape).any(axis=1)
        known = self.counts.active[user] >= self.least_active
        _, population = self.counts.population()
        hours = np.where(known[:, None], self.counts.by_slot[user], population[None, :])
        rates = np.take_along_axis(hours, self.slots(request), axis=1)
        return np.asarray(np.where(open_slots, rates, -1.0).argmax(axis=1))
