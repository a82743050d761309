"""A share of users who are planned for and never sent to, so that uplift can be seen.

User ids enter; the mode of each row leaves. The share is drawn by keyed hash, so a user stays
in or out for as long as the key lives, on any machine, and raising the share only adds users.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bandit.decide import Mode
from bandit.draws import Stream, uniforms
from bandit.errors import BadInputError

__all__ = ["Holdout"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdout:
    """Which users are held out.

    Holdout users get virtual plans under the same rules and caps as everyone else, with hold
    executed, so that the two groups' decision times and intervals line up.

    Parameters
    ----------
    share : float
        Share of users held out, 0 … 1.
    key : int
        Secret of the experiment; another key draws another group.

    Examples
    --------
    >>> Holdout(share=0.0, key=1)(np.array([7, 8]))
    array([0, 0], dtype=uint8)
    """

    share: float
    key: int

    def __post_init__(self) -> None:
        if not 0.0 <= self.share <= 1.0:
            raise BadInputError(f"expected a share of users between 0 and 1, got {self.share}")

    def holds_out(self, user: NDArray[np.int64]) -> NDArray[np.bool_]:
        """True where the user is in the holdout, (N,)."""
        return np.asarray(uniforms(self.key, user, stream=Stream.HOLDOUT) < self.share)

    def __call__(self, user: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Mode of each user's decisions: holdout or live, (N,)."""
        return np.where(self.holds_out(user), Mode.HOLDOUT, Mode.LIVE).astype(np.uint8)
