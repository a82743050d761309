"""What all count policies share: behaviour in, rates out, one send rule.

They learn from behaviour (:meth:`CountPolicy.observe`), which everybody shows whether pushed
or not, and not from feedback, which only pushed users show. A subclass says which rates rank
the actions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bandit.actions import Request
from bandit.errors import BadInputError
from bandit.outcomes import Feedback, RewardScheme
from bandit.protocols import Estimate, State
from policies.baselines.behaviour_counts import BehaviourCounts, CountParams
from policies.baselines.clock import hours_of_day
from policies.exploration import best_action
from policies.parts import send_value
from policies.shape import PolicyShape

__all__ = ["CountPolicy"]

Array = NDArray[np.float64]

_HOURS_A_DAY = 24


class CountPolicy:
    """Rank item × slot by rates; send where the best is worth more than it costs.

    Parameters
    ----------
    shape : PolicyShape
        Ranges of users, items and slots; item ids of requests are codes below ``n_items``.
    scheme : RewardScheme
        A send is worth ``rate × weight of the first component that is not a cost``, less the
        known costs of sending.
    params : CountParams
        Shrinkage and forgetting.
    always_sends : bool
        True sends the best pair whatever it costs.
    """

    policy_id: str = "count_policy"
    cannot: ClassVar[Mapping[str, str]] = {
        "learns_identity": "counts see users, items and slots, not the context",
        "beats_uniform_on_tiny": "counts learn from behaviour, and tiny shows feedback only",
        "permutes_slots": "counts know a slot by its position",
        "refuses_nan": "counts read no features",
        "turns_with_the_encoder": "counts read no context",
    }

    def __init__(
        self,
        shape: PolicyShape,
        scheme: RewardScheme,
        *,
        params: CountParams | None = None,
        always_sends: bool = False,
    ) -> None:
        self.scheme = scheme
        self.always_sends = always_sends
        params = params or CountParams()
        if params.by_hour:
            shape = replace(shape, n_slots=_HOURS_A_DAY)
        self.counts = self.counts_of(shape, params)

    def counts_of(self, shape: PolicyShape, params: CountParams) -> BehaviourCounts:
        """Return the counts to learn from."""
        return BehaviourCounts(shape.n_users, shape.n_items, shape.n_slots, params)

    def pmf(self, request: Request, key: int) -> Array:
        """All mass on the best pair, or on hold where it is worth no more than it costs."""
        rates = self.rates(request)
        values = np.zeros((request.n_rows, request.n_actions))
        values[:, 1:] = self._worth() * rates.reshape(values[:, 1:].shape) + self._cost()
        if self.always_sends:
            may_send = request.mask[:, 1:].any(axis=1)
            values[may_send, 0] = values.min(initial=0.0) - 1.0
        return best_action(values, request.mask)

    def rates(self, request: Request) -> Array:
        """Estimated rate of every item × slot pair, (N, K, S)."""
        raise NotImplementedError

    def estimate(self, request: Request) -> Estimate:
        """Rates as the mean of the first learned component; no spread is claimed."""
        n, n_components = request.n_rows, len(self.scheme)
        mean = np.zeros((n, request.n_actions, n_components))
        for position, component in enumerate(self.scheme.components):
            if component.measure == "send":
                mean[:, 1:, position] = 1.0
        mean[:, 1:, self._learned()] = self.rates(request).reshape(n, request.n_actions - 1)
        return Estimate(
            base_mean=np.zeros((n, n_components)),
            base_sd=np.zeros((n, n_components)),
            uplift_mean=mean,
            uplift_sd=np.zeros_like(mean),
        )

    def update(self, feedback: Feedback) -> None:
        """Learn nothing: counts learn from behaviour."""

    def revise(self, feedback: Feedback) -> None:
        """Learn nothing: counts learn from behaviour."""

    def state(self) -> State:
        """Return the counts."""
        return self.counts.state()

    def load(self, state: State) -> None:
        """Restore the counts."""
        self.counts.load(state)

    def codes(self, request: Request) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """User and item codes of a request, checked against the counts' ranges."""
        if not self.counts.params.by_hour and request.n_slots != self.counts.n_slots:
            raise BadInputError(
                f"expected requests of {self.counts.n_slots} slots, got {request.n_slots}"
            )
        for name, codes, limit in (
            ("user codes", request.user, self.counts.n_users),
            ("item ids", request.items, self.counts.n_items),
        ):
            if codes.size and (codes.min() < 0 or codes.max() >= limit):
                raise BadInputError(
                    f"expected {name} in [0, {limit}), got {codes.min()} to {codes.max()}"
                )
        return request.user, request.items

    def slots(self, request: Request) -> NDArray[np.int64]:
        """What of the counts each slot is: its local hour or its place, (N, S)."""
        if self.counts.params.by_hour:
            return hours_of_day(request).astype(np.int64)
        return np.tile(np.arange(request.n_slots), (request.n_rows, 1))

    def _learned(self) -> int:
        for position, component in enumerate(self.scheme.components):
            if component.measure != "send":
                return position
        raise BadInputError(
            f"expected a component of scheme {self.scheme.name!r} that rates could stand for, got "
            "costs of sending only"
        )

    def _worth(self) -> float:
        return float(self.scheme.weights[self._learned()])

    def _cost(self) -> float:
        return send_value(self.scheme)
