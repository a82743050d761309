"""An explorer whose sends have to beat waiting: hold now where deciding again is worth more.

A belief enters; what deciding again later is worth is taken from every send, and another explorer
makes probabilities of what is left, so hold wins where waiting does. With a hold comes the time at
which to decide again. Values are the model's means, so in a budget they are net of its prices.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bandit.actions import Request
from bandit.errors import BadInputError
from bandit.slots import HOUR_MS
from policies.budgets.priced import Priced
from policies.exploration.waiting import WaitValues, wait_values
from policies.explorers.thompson import Thompson
from policies.roles import Explorer, RewardModel

__all__ = ["Waiting"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """How much news there is, and who explores.

    Parameters
    ----------
    explorer : Explorer
        Makes probabilities of what sends are worth more than waiting.
    news_sd : float
        Standard deviation of a day's news about what sends are worth, in reward; measure it with
        :func:`policies.exploration.waiting.news_sd_of`. At 0 nothing is waited for.
    cost : float
        Of deciding again, in reward.
    """

    explorer: Explorer = field(default_factory=Thompson)
    news_sd: float = 0.005
    cost: float = 0.0005

    def __post_init__(self) -> None:
        if not (0 <= self.news_sd < np.inf and 0 <= self.cost < np.inf):
            raise BadInputError(
                f"expected a finite news_sd and cost of at least 0, got {self.news_sd}, {self.cost}"
            )

    @property
    def cannot(self) -> Mapping[str, str]:
        """Laws that the explorer inside cannot meet."""
        cannot: Mapping[str, str] = getattr(self.explorer, "cannot", {})
        return cannot

    @property
    def takes_prices(self) -> bool:
        """Whether the explorer inside reads values, from which waiting can be taken."""
        return bool(getattr(self.explorer, "takes_prices", True))

    def pmf(self, model: RewardModel, request: Request, *, key: int, n_learned: int) -> Array:
        """Probabilities of the explorer inside, over values less that of waiting, (N, A).

        Raises
        ------
        BadInputError
            If it reads no values.
        """
        if not self.takes_prices:
            raise BadInputError(
                "expected an explorer that ranks sends by what they are worth, got "
                f"{type(self.explorer).__name__}: waiting cannot be weighed against its choice"
            )
        patient = Priced(model, lambda asked: self._opportunity(model, asked))
        return self.explorer.pmf(patient, request, key=key, n_learned=n_learned)

    def weigh(self, model: RewardModel, request: Request) -> WaitValues:
        """What sending now, planning a slot and deciding again are worth, (N,) each."""
        worth = np.where(request.mask, model.values(request), -np.inf)[:, 1:]
        by_slot = worth.reshape(request.n_rows, request.n_items, request.n_slots)
        lead_h = (request.grid.start_ms - request.at_ms[:, None]) / HOUR_MS
        return wait_values(
            by_slot.max(axis=1, initial=-np.inf), lead_h, news_sd=self.news_sd, cost=self.cost
        )

    def wake_up_ms(self, model: RewardModel, request: Request) -> NDArray[np.int64]:
        """When to decide again after a hold, (N,); −1 where that would be worth nothing."""
        values = self.weigh(model, request)
        start = request.grid.start_ms[np.arange(request.n_rows), np.maximum(values.slot, 0)]
        return np.asarray(np.where(values.again > 0, start, -1))

    def _opportunity(self, model: RewardModel, request: Request) -> Array:
        """What each send gives up, (N, A): deciding again, where that is worth something."""
        again = np.maximum(self.weigh(model, request).again, 0.0)
        gives_up = np.repeat(again[:, None], request.n_actions, axis=1)
        gives_up[:, 0] = 0.0
        return gives_up
