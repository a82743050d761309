"""SquareCB with a free schedule, and with elimination before it.

γ grows as a power of the rows learned; with elimination only actions that confidence bounds leave
in play are weighted. References: Foster and Rakhlin (2020), "Beyond UCB"; Foster, Rakhlin,
Simchi-Levi and Xu (2020), "Instance-dependent complexity of contextual bandits", alg. 1 (AdaCB),
for elimination.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bandit.actions import Request
from bandit.errors import BadInputError
from policies.contrasts import best_known
from policies.exploration import inverse_gap, plausible
from policies.explorers.reg_cb import confidence_bounds
from policies.roles import RewardModel

__all__ = ["SquareCB"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SquareCB:
    """Schedule γ = gamma_scale · (rows learned)^gamma_exponent, and whether to eliminate.

    Parameters
    ----------
    gamma_scale, gamma_exponent : float
        Vowpal Wabbit's defaults; the exponent ½ is that of the theorem. Before any row γ is 0,
        and the pmf uniform.
    eliminates : bool
        Weigh only what :func:`policies.explorers.reg_cb.confidence_bounds` leave in play.
    mellowness : float
        Width of those bounds.

    Notes
    -----
    Under ``--elim`` Vowpal Wabbit 9.11.9 counts survivors only while scores fall, and was seen to
    return negative probabilities; here A is the number of survivors.
    """

    gamma_scale: float = 10.0
    gamma_exponent: float = 0.5
    eliminates: bool = False
    mellowness: float = 0.1

    def __post_init__(self) -> None:
        settings = (self.gamma_scale, self.gamma_exponent, self.mellowness)
        if not all(0 <= x < np.inf for x in settings):
            raise BadInputError(
                "expected finite gamma_scale, gamma_exponent and mellowness of at least 0, got "
                f"{settings}"
            )

    def pmf(
        self, model: RewardModel, request: Request, *, key: int, n_learned: int
    ) -> NDArray[np.float64]:
        """Inverse-gap weights of the estimated uplifts, (N, A)."""
        mask = request.mask
        if self.eliminates:
            lower, upper = confidence_bounds(
                model,
                request,
                best_known(model, request),
                key=key,
                n_learned=n_learned,
                mellowness=self.mellowness,
            )
            mask = plausible(lower, upper, mask)
        gamma = self.gamma_scale * n_learned**self.gamma_exponent if n_learned else 0.0
        return inverse_gap(model.values(request), mask, gamma=gamma)
