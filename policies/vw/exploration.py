"""What an exploration of Vowpal Wabbit is: a command line, and probabilities or a question.

Nothing here loads the library.
"""

from __future__ import annotations

from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from bandit.errors import StateError
from bandit.outcomes import RewardScheme

__all__ = ["Exploration", "OneModel"]

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


class Exploration(Protocol):
    """**Protocol:** one way to explore; a frozen dataclass of its settings."""

    is_weighted: ClassVar[bool]  # whether rows are weighted by 1/p when they are learned

    @property
    def is_asked(self) -> bool:
        """True where Vowpal Wabbit computes the probabilities."""
        ...

    @property
    def models(self) -> tuple[int, ...]:
        """Places of the policies of the ensemble among the models of the table."""
        ...

    @property
    def n_models(self) -> int:
        """Models that share the table, those of the ensemble and others."""
        ...

    def arguments(self, scheme: RewardScheme) -> str:
        """Command line of the exploration."""
        ...

    def probabilities(
        self, costs: Array, mask: Mask, *, n_learned: int, cost_range: tuple[float, float]
    ) -> Array:
        """Probabilities over unmasked actions, (N, A).

        Parameters
        ----------
        costs : ndarray, (M, N, A)
            What each policy of the ensemble expects.
        mask : ndarray of bool, (N, A)
            True where an action may be taken.
        n_learned : int
            Rows learned so far.
        cost_range : two floats
            Least and largest cost learned so far, 0 included.
        """
        ...


class OneModel:
    """What most explorations share: one model, rows weighted, probabilities computed here."""

    __slots__ = ()
    is_weighted: ClassVar[bool] = True

    @property
    def is_asked(self) -> bool:
        """Whether Vowpal Wabbit computes the probabilities."""
        return False

    @property
    def models(self) -> tuple[int, ...]:
        """The first."""
        return (0,)

    @property
    def n_models(self) -> int:
        """One alone."""
        return 1

    def probabilities(
        self, costs: Array, mask: Mask, *, n_learned: int, cost_range: tuple[float, float]
    ) -> Array:
        """Refuse: only Vowpal Wabbit knows them."""
        raise StateError(f"expected {type(self).__name__} to be asked of Vowpal Wabbit")
