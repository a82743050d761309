"""Softmax (Boltzmann) exploration: probabilities that grow exponentially with the uplift.

References: Sutton and Barto (2018), §2.8; Cesa-Bianchi, Gentile, Lugosi and Neu (2017), "Boltzmann
exploration done right", on why no fixed temperature is right: it does not know how sure a
score is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bandit.actions import Request
from bandit.errors import BadInputError
from policies.exploration import softmax
from policies.roles import RewardModel

__all__ = ["Softmax"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Softmax:
    """How sharply probabilities follow uplifts.

    Parameters
    ----------
    inverse_temperature : float
        λ, in units of 1 / weighted reward: at the default an uplift that is larger by .05 is
        about twelve times as likely.
    """

    inverse_temperature: float = 50.0

    def __post_init__(self) -> None:
        if not 0 <= self.inverse_temperature < np.inf:
            raise BadInputError(
                "expected a finite inverse_temperature of at least 0, got "
                f"{self.inverse_temperature}"
            )

    def pmf(
        self, model: RewardModel, request: Request, *, key: int, n_learned: int
    ) -> NDArray[np.float64]:
        """Softmax of the estimated uplifts, (N, A)."""
        return softmax(
            model.values(request), request.mask, inverse_temperature=self.inverse_temperature
        )
