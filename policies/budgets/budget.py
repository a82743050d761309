"""Budgets around any policy: a slow planner sets shadow prices, a fast executor has sends pay them.

Feedback of the inner policy enters, and with it what its plans were allocated; once a period every
price takes a step of dual ascent. A request is answered by the same explorer over the same belief,
each send less its price, so that sends are cut where they are worth least. What has no belief to
price is thinned: a send is kept with probability exp(−price / worth), else held. References: Zhao
et al. (2018), Pinterest, for allocated volume; Balseiro, Lu and Mirrokni (2020) for the ascent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit.actions import HOLD, Request
from bandit.errors import BadInputError
from bandit.outcomes import Feedback, RewardScheme
from bandit.protocols import Estimate, Policy, State
from bandit.slots import HOUR_MS
from policies.budgets.ledger import Ledger
from policies.budgets.limits import Limit, prices_of_actions
from policies.budgets.priced import Priced
from policies.checks import part_of
from policies.explored import Explored, wake_ups
from policies.turning import turn

__all__ = ["Budget", "PriceParams", "thinned"]

Array = NDArray[np.float64]
_MINE = "budget."
_FEW = 5.0  # sends a user-week: four fifths of what pays in the identity world take more


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceParams:
    """How prices move.

    Parameters
    ----------
    worth : float
        What a good send is worth, in reward: the unit in which prices move.
    pace : float
        What a price rises from zero in a period that uses twice its budget, in ``worth``.
    growth : float
        What it rises there besides, as a share of itself: prices that turn out far from ``worth``
        are found in few periods; 0 for steps that are the same everywhere.
    highest : float
        No price goes beyond, in ``worth``.
    period_h : float
        Hours between two steps; decisions should be learned within one (delay-aware joins do).
    """

    worth: float = 0.01
    pace: float = 0.2
    growth: float = 0.1
    highest: float = 100.0
    period_h: float = 24.0

    def __post_init__(self) -> None:
        settings = (self.worth, self.pace, self.highest, self.period_h)
        if not (all(0 < x < np.inf for x in settings) and 0 <= self.growth <= 1):
            raise BadInputError(
                "expected finite worth, pace, highest and period_h above 0 and growth in [0, 1], "
                f"got {settings} and {self.growth}"
            )


class Budget:
    """An inner policy whose sends pay shadow prices.

    Parameters
    ----------
    inner : Policy
        Decides; :class:`policies.explored.Explored` has its beliefs priced, unless its explorer
        declares ``takes_prices = False``; others are thinned at random.
    limits : sequence of Limit
        What there is to use.
    n_users : int
        Among whom what there is for each user and week is shared.
    params : PriceParams, optional
        How prices move.

    Notes
    -----
    Prices pace; they do not forbid. Over P periods the use exceeds its budgets by at most
    θ(λ_end) − θ(λ_start) of one period's budget in all, θ = ln(1 + growth·λ/(pace·worth)) / growth,
    so by that over P in the mean (:func:`policies.budgets.dual_math.overuse_bound`); caps and stock
    that must never be exceeded are guardrails. The exploration floor's sends are counted and cannot
    be priced away.

    Examples
    --------
    >>> from bandit.outcomes import ENGAGEMENT
    >>> from policies.baselines.fixed import RandomEligible
    >>> from policies.shape import PolicyShape
    >>> shape = PolicyShape(n_context=2, n_item_features=1, n_slot_features=1,
    ...                     n_users=7, n_items=1, n_slots=1)
    >>> three = Limit(name="sends", amount=3.0)
    >>> Budget(RandomEligible(shape, ENGAGEMENT), [three], n_users=7).ledger.budget.tolist()
    [3.0]
    """

    policy_id = "budget"

    def __init__(
        self,
        inner: Policy,
        limits: Sequence[Limit],
        *,
        n_users: int,
        params: PriceParams | None = None,
    ) -> None:
        self.inner: Any = inner
        self.params = params or PriceParams()
        self.ledger = Ledger(
            limits,
            period_ms=round(self.params.period_h * HOUR_MS),
            n_users=n_users,
            step=self.params.pace * self.params.worth,
            growth=self.params.growth,
            highest=self.params.highest * self.params.worth,
        )

    def __getattr__(self, name: str) -> Any:
        """Whatever else the inner policy has, such as counts of behaviour that it is shown."""
        if name == "inner":  # not there yet, as in a copy that is being made
            raise AttributeError(name)
        return getattr(self.inner, name)

    @property
    def cannot(self) -> Mapping[str, str]:
        """Laws that the inner policy cannot meet, and one that a small budget is there to break."""
        tight = [one for one in self.ledger.limits if one.per == "user-week" and not one.items]
        if any(one.amount / one.cost < _FEW for one in tight):
            return {
                **self.inner.cannot,
                "learns_identity": "seven sends a user-week would pay there",
            }
        return dict(self.inner.cannot)

    @property
    def scheme(self) -> RewardScheme:
        """What a reward is; its weights apply from the next request on."""
        scheme: RewardScheme = self.inner.scheme
        return scheme

    @scheme.setter
    def scheme(self, scheme: RewardScheme) -> None:
        self.inner.scheme = scheme

    @property
    def is_thinned(self) -> bool:
        """Whether sends are thinned at random, for want of values that prices can be taken from."""
        explorer = getattr(self.inner, "explorer", None)
        takes = getattr(explorer, "takes_prices", True)
        return not (isinstance(self.inner, Explored) and takes)

    def pays(self, request: Request) -> Array:
        """Price of each action in reward, 0 for hold, (N, A)."""
        return prices_of_actions(self.ledger.limits, self.ledger.in_force, request)

    def pmf(self, request: Request, key: int) -> Array:
        """Probabilities over unmasked actions at their prices, (N, A)."""
        if not self.ledger.in_force.any():
            return np.asarray(self.inner.pmf(request, key))
        if self.is_thinned:
            kept = np.exp(-self.pays(request) / self.params.worth)
            return thinned(self.inner.pmf(request, key), request.mask, kept=kept)
        self.inner.model.check(request)
        priced = Priced(self.inner.model, self.pays)
        pmf = self.inner.explorer.pmf(priced, request, key=key, n_learned=self.inner.n_learned)
        return np.asarray(pmf)

    def wake_up_ms(self, request: Request) -> NDArray[np.int64]:
        """When to decide again after a hold at these prices, (N,); −1 for never."""
        if self.is_thinned:
            return np.full(request.n_rows, -1, np.int64)
        return wake_ups(self.inner.explorer, Priced(self.inner.model, self.pays), request)

    def estimate(self, request: Request) -> Estimate:
        """Return what the inner policy believes; prices are no belief."""
        guess: Estimate = self.inner.estimate(request)
        return guess

    def update(self, feedback: Feedback) -> None:
        """Learn rows seen for the first time, and book what they were allocated."""
        self.inner.update(feedback)
        self.ledger.add(feedback)

    def revise(self, feedback: Feedback) -> None:
        """Replace what open rows taught; what was allocated stays."""
        self.inner.revise(feedback)

    def rotate(self, basis: Array, kept: float) -> None:
        """Follow the encoder's new basis, if the inner policy can."""
        turn(self.inner, basis, kept)

    def state(self) -> State:
        """Return the inner policy's state and the ledger."""
        mine = {_MINE + name: array for name, array in self.ledger.state().items()}
        return dict(self.inner.state()) | mine

    def load(self, state: State) -> None:
        """Restore what :meth:`state` returned."""
        self.ledger.load(part_of(state, _MINE))
        self.inner.load({n: a for n, a in state.items() if not n.startswith(_MINE)})


def thinned(pmf: Array, mask: NDArray[np.bool_], *, kept: Array) -> Array:
    """Keep each send with a probability of its own, and hold otherwise, (N, A).

    Where holding is masked, sends keep their proportions at these probabilities.

    Parameters
    ----------
    pmf : ndarray, (N, A)
        A distribution over unmasked actions.
    mask : ndarray of bool, (N, A)
        True where an action may be taken.
    kept : ndarray, (N, A)
        Above 0; 1 for hold.
    """
    left = pmf * kept
    may_hold = mask[:, HOLD]
    left[may_hold, HOLD] = 0.0
    left[may_hold, HOLD] = np.maximum(1.0 - left[may_hold].sum(axis=1), 0.0)
    return np.asarray(left / left.sum(axis=1, keepdims=True))
