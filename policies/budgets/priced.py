"""A reward model whose sends have a price: what each is worth less what it has to pay.

A model and the price of every action enter; a model leaves, for any explorer that ranks actions by
their values, bounds or draws. What is believed and how surely stays as it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit.actions import Request
from policies.models.linear_math import shares_of
from policies.roles import RewardModel

__all__ = ["Priced"]

Array = NDArray[np.float64]


class Priced:
    """What a model believes, less prices; it learns nothing and is made for one request.

    Parameters
    ----------
    model : RewardModel
        What believes.
    pays : callable
        Prices of a request's actions, (N, A), 0 for hold.
    """

    def __init__(self, model: RewardModel, pays: Any) -> None:
        self.model = model
        self.pays = pays

    def __getattr__(self, name: str) -> Any:
        """Whatever else the model has: spreads, estimates, scheme, differences."""
        return getattr(self.model, name)

    def values(self, request: Request) -> Array:
        """Weighted mean uplift less the price, (N, A)."""
        return np.asarray(self.model.values(request) - self.pays(request))

    def draws(
        self, request: Request, key: int, *, n_draws: int, scale: float
    ) -> Iterator[tuple[slice, Array]]:
        """Weighted uplifts under posterior draws less the price, in chunks of rows."""
        pays = self.pays(request)
        for rows, drawn in self.model.draws(request, key, n_draws=n_draws, scale=scale):
            yield rows, drawn - pays[rows][:, None]

    def best_shares(self, request: Request, key: int, *, n_draws: int, scale: float) -> Array:
        """Share of those draws under which each unmasked action is best at its price, (N, A)."""
        shares, mask = np.empty(request.mask.shape), request.mask
        pays = self.pays(request)[:, 1:]
        for rows, drawn in self.model.draws(request, key, n_draws=n_draws, scale=scale):
            left = (drawn[:, :, 1:] - pays[rows][:, None]).astype(np.float32)
            # The order of pairs is of no account there, so all are items of one slot.
            shares[rows] = shares_of(left, mask[rows], 0.0, n_slots=1)
        return shares
