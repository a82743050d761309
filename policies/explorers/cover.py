"""Online cover over a reward model.

n greedy policies stand in a row, each on estimated uplifts and a bonus for what those before it
left out; the least probability falls as 1/√(rows · actions). References: Agarwal, Hsu, Kale,
Langford, Li and Schapire (2014), "Taming the monster"; Bietti, Agarwal and Langford (2021), "A
contextual bandit bake-off".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bandit.actions import Request
from bandit.errors import BadInputError
from policies.exploration import cover
from policies.roles import RewardModel

__all__ = ["Cover"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cover:
    """How many policies, and how far apart.

    Parameters
    ----------
    n_policies : int
        Each gets an equal share.
    psi : float
        About how much less weighted reward an action may bring and still be covered.
    is_uniform : bool
        Raise every action to the least probability; without, only what a policy takes has any
        (``--nounif``).

    Notes
    -----
    The later policies of the paper *learn* bonuses by cost-sensitive classification over all
    actions of a decision. Feedback carries the features of the one that was taken, so there is
    nothing to learn them from; to keep every short list for it was weighed and left. But what
    such a learner regresses on is, given the request, the estimated reward and a bonus that is
    known when asked. So it is computed: what the online form tends to with a perfect learner.
    """

    cannot: ClassVar[Mapping[str, str]] = {
        "holds_when_sends_are_dear": "its least probability sends whatever it costs"
    }

    n_policies: int = 10
    psi: float = 0.1
    is_uniform: bool = True

    def __post_init__(self) -> None:
        if self.n_policies < 1 or not 0 <= self.psi < np.inf:
            raise BadInputError(
                "expected n_policies of at least 1 and a finite psi of at least 0, got "
                f"{self.n_policies}, {self.psi}"
            )

    def pmf(
        self, model: RewardModel, request: Request, *, key: int, n_learned: int
    ) -> NDArray[np.float64]:
        """Shares of the policies, raised to the least probability, (N, A)."""
        n_actions = request.mask.sum(axis=1, keepdims=True)
        least = np.minimum(1.0 / n_actions, 1.0 / np.sqrt(max(n_learned, 1) * n_actions))
        return cover(
            model.values(request),
            request.mask,
            n_policies=self.n_policies,
            psi=self.psi,
            least=least,
            raises_zeros=self.is_uniform,
        )
