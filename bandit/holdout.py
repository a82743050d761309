"""A share of users who are planned for and never sent to, so that uplift can be seen.

User ids enter; the mode of each row leaves. The share is drawn by keyed hash, so a user stays
in or out for as long as the key lives, on any machine, and raising the share only adds users.
Whoever turns out to be several ids is silent as soon as one of them is held out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bandit.decide import Mode
from bandit.draws import Stream, uniforms
from bandit.errors import BadInputError
from bandit.identity import Links

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
    links : Links, optional
        Which ids are one user, as known by now; replace the holdout when more is known.

    Examples
    --------
    >>> Holdout(share=0.0, key=1)(np.array([7, 8]))
    array([0, 0], dtype=uint8)
    """

    share: float
    key: int
    links: Links | None = None

    def __post_init__(self) -> None:
        if not 0.0 <= self.share <= 1.0:
            raise BadInputError(f"expected a share of users between 0 and 1, got {self.share}")

    def draws(self, user: NDArray[np.int64]) -> NDArray[np.bool_]:
        """True where the id itself was drawn into the holdout, whoever it is linked to, (N,)."""
        return np.asarray(uniforms(self.key, user, stream=Stream.HOLDOUT) < self.share)

    def holds_out(self, user: NDArray[np.int64]) -> NDArray[np.bool_]:
        """True where the user, or any id that is the same user, is in the holdout, (N,)."""
        if self.links is None:
            return self.draws(user)
        ids = self.links.ids
        silent = self.links.resolve(ids[self.draws(ids)])
        return np.asarray(self.draws(user) | np.isin(self.links.resolve(user), silent))

    def __call__(self, user: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Mode of each user's decisions: holdout or live, (N,)."""
        return np.where(self.holds_out(user), Mode.HOLDOUT, Mode.LIVE).astype(np.uint8)
