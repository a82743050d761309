"""The two halves of a learning policy: a reward model, which believes, and an explorer.

A reward model learns from feedback and says what actions are worth and how sure that is; an
explorer turns such a belief into probabilities. :class:`policies.explored.Explored` joins one of
each into a :class:`bandit.protocols.Policy`, so every exploration works over every model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from bandit.actions import Request
from bandit.outcomes import Feedback, RewardScheme
from bandit.protocols import Estimate, State

__all__ = ["Explorer", "RewardModel"]

Array = NDArray[np.float64]


@runtime_checkable
class RewardModel(Protocol):
    """**Protocol:** a belief about the components of every action, weighed late."""

    @property
    def cannot(self) -> Mapping[str, str]:
        """Laws that a policy over this model cannot meet, each with the reason."""
        ...

    @property
    def scheme(self) -> RewardScheme:
        """What a reward is."""
        ...

    def reweigh(self, scheme: RewardScheme) -> None:
        """Take other weights of the same components."""
        ...

    def check(self, request: Request) -> None:
        """Raise :class:`bandit.errors.BadInputError` unless the request fits and is finite."""
        ...

    def values(self, request: Request) -> Array:
        """Weighted mean uplift of every action, (N, A); 0 for hold."""
        ...

    def spreads(self, request: Request) -> Array:
        """Standard deviation of the weighted uplift of every action, (N, A); 0 for hold."""
        ...

    def draws(
        self, request: Request, key: int, *, n_draws: int, scale: float
    ) -> Iterator[tuple[slice, Array]]:
        """Weighted uplifts under M posterior draws, in chunks of rows: (n, M, A), hold at 0.

        The same draws for every row and every call with this state and key; ``scale`` multiplies
        the posterior's standard deviation. M is ``n_draws``, or all draws there are where a model
        holds a number of them.
        """
        ...

    def best_shares(self, request: Request, key: int, *, n_draws: int, scale: float) -> Array:
        """Share of those draws under which each unmasked action is best, (N, A)."""
        ...

    def estimate(self, request: Request) -> Estimate:
        """Means and standard deviations of the components, base and uplift apart."""
        ...

    def update(self, feedback: Feedback) -> None:
        """Learn rows seen for the first time."""
        ...

    def revise(self, feedback: Feedback) -> None:
        """Replace what open rows taught."""
        ...

    def state(self) -> State:
        """Return everything learned."""
        ...

    def load(self, state: State) -> None:
        """Restore what :meth:`state` returned."""
        ...


class Explorer(Protocol):
    """**Protocol:** probabilities of a belief; a frozen dataclass of its settings."""

    def pmf(self, model: RewardModel, request: Request, *, key: int, n_learned: int) -> Array:
        """Probabilities over unmasked actions, (N, A).

        Parameters
        ----------
        model : RewardModel
            What is believed.
        request : Request
            N rows, already checked by the model.
        key : int
            Seeds draws; made of the policy's id and its ``state_seq``.
        n_learned : int
            Rows learned so far, for schedules.
        """
        ...
