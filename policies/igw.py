"""Inverse-gap weighting over the shared bilinear head (SquareCB).

Each action's probability falls with the gap of its estimated weighted uplift to the best;
γ grows with the number of rows learned. References: Abe and Long (1999); Foster and Rakhlin
(2020), "Beyond UCB", eq. (2) and theorem 1 for the schedule γ ∝ √(A·n).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit.actions import Request
from bandit.errors import BadInputError
from bandit.outcomes import Feedback, RewardScheme
from bandit.protocols import State
from policies.checks import check_state
from policies.exploration import inverse_gap
from policies.linear_head import HeadParams
from policies.linear_policy import LinearPolicy
from policies.shape import PolicyShape

__all__ = ["InverseGap", "InverseGapParams"]


@dataclass(frozen=True, slots=True, kw_only=True)
class InverseGapParams:
    """Schedule γ = scale · √(A · (1 + rows learned)), A the unmasked actions of a row.

    Parameters
    ----------
    scale : float
        Larger is greedier; the gap is in units of the weighted reward.
    """

    scale: float = 10.0

    def __post_init__(self) -> None:
        if not 0 <= self.scale < np.inf:
            raise BadInputError(f"expected a finite scale of at least 0, got {self.scale}")


class InverseGap(LinearPolicy):
    """SquareCB over the shared bilinear head."""

    policy_id = "igw"

    def __init__(
        self,
        shape: PolicyShape,
        scheme: RewardScheme,
        *,
        head: HeadParams | None = None,
        params: InverseGapParams | None = None,
    ) -> None:
        super().__init__(shape, scheme, head=head or HeadParams())
        self.params = params or InverseGapParams()
        self.n_learned = 0

    def pmf(self, request: Request, key: int) -> NDArray[np.float64]:
        """Inverse-gap weights of the estimated uplifts, (N, A)."""
        self.head.check(request)
        n_actions = request.mask.sum(axis=1, keepdims=True)  # (N, 1)
        gamma = self.params.scale * np.sqrt(n_actions * (1.0 + self.n_learned))
        return inverse_gap(self.values(request), request.mask, gamma=gamma)

    def update(self, feedback: Feedback) -> None:
        """Learn, and count rows for the schedule."""
        super().update(feedback)
        self.n_learned += feedback.n_rows

    def state(self) -> State:
        """Return the head and the schedule's count."""
        counted: dict[str, NDArray[Any]] = {"n_learned": np.array(self.n_learned)}
        return dict(super().state()) | counted

    def load(self, state: State) -> None:
        """Restore head and count."""
        check_state(state, {"n_learned": ()})
        super().load(state)
        self.n_learned = int(state["n_learned"])
