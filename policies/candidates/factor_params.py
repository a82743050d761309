"""Settings of the implicit-feedback factorisation, apart from the library that computes it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bandit.errors import BadInputError

__all__ = ["FactorParams"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorParams:
    """Size and weights of the factorisation.

    Parameters
    ----------
    n_factors : int
        d, length of the vectors of users and items.
    confidence : float
        α: a pair of weight r counts 1 + α·r, one that never occurred 1.
    ridge : float
        λ, penalty on the squared length of every vector.
    n_rounds : int
        Times that users and items are solved in turn.
    seed : int
        Of the vectors that the rounds start from.
    """

    n_factors: int = 32
    confidence: float = 10.0
    ridge: float = 1.0
    n_rounds: int = 15
    seed: int = 1

    def __post_init__(self) -> None:
        sizes = (self.n_factors, self.n_rounds)
        if min(sizes) < 1 or not all(0 < x < np.inf for x in (self.confidence, self.ridge)):
            raise BadInputError(
                "expected n_factors and n_rounds of at least 1 and a finite confidence and ridge "
                f"above 0, got {sizes}, {self.confidence}, {self.ridge}"
            )
