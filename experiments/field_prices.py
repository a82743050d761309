"""Five prices at once: each fifth of the users is decided for at a price of its own.

A policy and its five prices enter; a policy leaves. What a send has to pay is taken off its score
in the policy's own way; the policy learns from everybody, so five points of its frontier cost one
run. Kinds of price: ``value``, the cost of a message in the scheme's unit, for whatever weighs a
send against it; ``click``, least chance of a click; ``q``, least lead in Q; ``tau``, least relative
lift; ``week``, sends a week that are allocated; ``keep``, the share of sends kept at random, for
what has no score to send by; ``told``, what a policy is told and takes off itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit.actions import HOLD, Request, take_requests
from bandit.outcomes import Feedback, RewardScheme
from policies.budgets.budget import thinned
from policies.exploration import best_action

__all__ = ["N_GROUPS", "ByGroup", "group_of", "with_cost"]

Array = NDArray[np.float64]

N_GROUPS = 5


def group_of(user: NDArray[np.int64]) -> NDArray[np.int64]:
    """Which price a user's sends pay, (N,)."""
    return np.asarray(user % N_GROUPS)


def with_cost(scheme: RewardScheme, more: float) -> RewardScheme:
    """The same scheme where a message costs so much more."""
    components = tuple(
        replace(c, weight=c.weight - more) if c.measure == "send" else c for c in scheme.components
    )
    return replace(scheme, components=components)


@dataclass(slots=True)
class ByGroup:
    """A policy asked at a price a group.

    Parameters
    ----------
    inner : Policy
        What decides and learns.
    kind : str
        Of the price; see the module.
    prices : sequence of float
        One a group.
    """

    inner: Any
    kind: str
    prices: Sequence[float]

    @property
    def policy_id(self) -> str:
        """That of the policy inside."""
        return str(self.inner.policy_id)

    @property
    def reads_lists(self) -> bool:
        """Whether it is to be told what else was on offer."""
        return bool(getattr(self.inner, "reads_lists", False))

    def pmf(self, request: Request, key: int) -> Array:
        """Each group's pmf at its own price, (N, A)."""
        pmf = np.empty((request.n_rows, request.n_actions))
        group = group_of(request.user)
        for number, price in enumerate(self.prices):
            rows = np.flatnonzero(group == number)
            if len(rows):
                pmf[rows] = self._at(price, take_requests(request, rows), key)
        return pmf

    def update(self, feedback: Feedback) -> None:
        """Learn from all groups."""
        self.inner.update(feedback)

    def revise(self, feedback: Feedback) -> None:
        """Learn anew."""
        self.inner.revise(feedback)

    def _at(self, price: float, request: Request, key: int) -> Array:
        inner = self.inner
        if self.kind == "keep":
            pmf = inner.pmf(request, key)
            kept = np.full(pmf.shape, max(price, 1e-12))
            kept[:, HOLD] = 1.0
            return thinned(pmf, request.mask, kept=kept)
        if self.kind == "q":
            values = inner.network.values(request)
            values[:, 1:] -= price
            return best_action(values, request.mask)
        if self.kind == "told":
            inner.price = price
            return np.asarray(inner.pmf(request, key))
        if self.kind in ("tau", "week"):
            field = {"tau": "threshold", "week": "per_week"}[self.kind]
            inner.params = replace(inner.params, **{field: price})
            return np.asarray(inner.pmf(request, key))
        usual = inner.scheme
        inner.scheme = with_cost(usual, price)
        try:
            return np.asarray(inner.pmf(request, key))
        finally:
            inner.scheme = usual
