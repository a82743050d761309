"""Every hour of the week by latent factors, then a ranker: send-time optimisation as it is sold.

Users times 168 hours of the week (seven days of S slots) hold how often each was active; a few
factors that all users share stand for it, so that an hour is scored by what users of like habits
do then. The open slot of the highest score is taken, and the user's best item for it. References:
Salesforce Einstein send-time optimisation (168 scores a user, the best within the next day);
Tipping and Bishop (1999), "Probabilistic principal component analysis", whose posterior mean the
scores are: with every cell observed, it is the factorisation of least squares, shrunk.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bandit.actions import Request
from bandit.errors import BadInputError
from bandit.outcomes import RewardScheme
from policies.baselines.behaviour_counts import BehaviourCounts, CountParams
from policies.baselines.best_hour import BestHourRanker
from policies.baselines.clock import local_start_ms
from policies.baselines.week_counts import WeekCounts, weekday_of
from policies.shape import PolicyShape

__all__ = ["HourFactors"]


class HourFactors(BestHourRanker):
    """The hour of the week of the highest factor score, then the user's items by rate.

    Parameters
    ----------
    shape, scheme, params, always_sends, least_active
        As of :class:`policies.baselines.best_hour.BestHourRanker`.
    n_factors : int
        Factors that stand for a user's week.
    """

    policy_id = "hour_factors"
    cannot: ClassVar[Mapping[str, str]] = BestHourRanker.cannot

    def __init__(
        self,
        shape: PolicyShape,
        scheme: RewardScheme,
        *,
        params: CountParams | None = None,
        always_sends: bool = False,
        least_active: float = 4.0,
        n_factors: int = 8,
    ) -> None:
        if n_factors < 0:
            raise BadInputError(f"expected n_factors of at least 0, got {n_factors}")
        self.n_factors = n_factors
        super().__init__(
            shape, scheme, params=params, always_sends=always_sends, least_active=least_active
        )

    def counts_of(self, shape: PolicyShape, params: CountParams) -> BehaviourCounts:
        """Return counts that tell the days of the week apart."""
        self._week = WeekCounts(shape.n_users, shape.n_items, shape.n_slots, params)
        return self._week

    def best_slot(self, user: NDArray[np.int64], request: Request) -> NDArray[np.int64]:
        """Slot of the highest score among those with an open pair, (N,)."""
        shape = (request.n_rows, request.n_items, request.n_slots)
        open_slots = request.mask[:, 1:].reshape(shape).any(axis=1)
        start_ms = request.grid.start_ms
        if self.counts.params.by_hour:
            start_ms = local_start_ms(request)
        hour = weekday_of(start_ms) * self.counts.n_slots + self.slots(request)
        scores = self._week.scores(n_factors=self.n_factors)
        known = self.counts.active[user] >= self.least_active
        score = np.where(known[:, None], scores[user[:, None], hour], scores.mean(axis=0)[hour])
        return np.asarray(np.where(open_slots, score, -np.inf).argmax(axis=1))
