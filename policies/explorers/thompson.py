"""Thompson sampling whose propensities are exact.

M parameter vectors are drawn once per policy state; the pmf of a row is the share of draws
under which an action is best, hold included at uplift zero. The action is drawn from that pmf
elsewhere, so the logged propensity is the true one. References: Agrawal and Goyal (2013);
DESIGN §4 *Exact propensities*.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bandit.actions import Request, take_requests
from bandit.errors import BadInputError
from policies.roles import RewardModel

__all__ = ["Thompson"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Thompson:
    """Draws a state and their spread.

    Parameters
    ----------
    n_draws : int
        M; the pmf's resolution is 1/M.
    scale : float
        Multiplies the posterior's standard deviation; 1 is Thompson sampling.
    deflates : bool
        Whether to divide it by √(2 ln A), A the row's unmasked actions up to the next power of
        two. The best of A equal actions lies that many deviations above the mean, so optimism
        stays the same however many there are: among two a wrong lead is still doubted, and among
        hundreds not every draw goes to whatever is known least.
    """

    n_draws: int = 32
    scale: float = 1.0
    deflates: bool = False

    def __post_init__(self) -> None:
        if self.n_draws < 1 or not 0 <= self.scale < np.inf:
            raise BadInputError(
                "expected n_draws of at least 1 and a finite scale of at least 0, got "
                f"{self.n_draws}, {self.scale}"
            )

    def pmf(
        self, model: RewardModel, request: Request, *, key: int, n_learned: int
    ) -> NDArray[np.float64]:
        """Share of posterior draws under which each action is best, (N, A)."""
        if not self.deflates:
            return model.best_shares(request, key, n_draws=self.n_draws, scale=self.scale)
        levels = _levels(request.mask)
        if len(levels) and (levels == levels[0]).all():
            return model.best_shares(
                request, key, n_draws=self.n_draws, scale=self._deflated(levels[0])
            )
        shares = np.empty(request.mask.shape)
        for level in np.unique(levels):
            rows = np.flatnonzero(levels == level)
            some, scale = take_requests(request, rows), self._deflated(level)
            shares[rows] = model.best_shares(some, key, n_draws=self.n_draws, scale=scale)
        return shares

    def _deflated(self, level: np.int64) -> float:
        return float(self.scale / np.sqrt(2.0 * np.log(2.0) * level))


def _levels(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Least b of each row with 2^b at least its unmasked actions, and at least 1: (N,)."""
    bits = np.ceil(np.log2(mask.sum(axis=1)))
    return np.asarray(np.maximum(bits, 1.0), np.int64)
