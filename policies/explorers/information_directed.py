"""Information-directed sampling: explore where it tells most about what is best.

M posterior draws give every action an expected regret and a variance-based information; the pmf is
the distribution of the least squared regret a unit of information. Thompson sampling never plays
what is best under no draw; this does, where it pays. Reference: Russo and Van Roy (2018), "Learning
to optimize via information-directed sampling", V-IDS.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bandit.actions import Request
from bandit.errors import BadInputError
from policies.exploration import information_directed, regret_and_information
from policies.roles import RewardModel

__all__ = ["InformationDirected"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class InformationDirected:
    """Draws a state and their spread.

    Parameters
    ----------
    n_draws : int
        M; regrets and informations are means over them.
    scale : float
        Multiplies the posterior's standard deviation; at 0 it is greedy.

    Notes
    -----
    Draws are of uplifts, over silence. Where silence is masked nothing tells what it brings: all
    uplifts of a draw then share an error that would drown what tells them apart, so they are taken
    over the best known action instead.
    """

    n_draws: int = 64
    scale: float = 1.0

    def __post_init__(self) -> None:
        if self.n_draws < 1 or not 0 <= self.scale < np.inf:
            raise BadInputError(
                "expected n_draws of at least 1 and a finite scale of at least 0, got "
                f"{self.n_draws}, {self.scale}"
            )

    def pmf(self, model: RewardModel, request: Request, *, key: int, n_learned: int) -> Array:
        """Mixture of two actions at most, of the least information ratio, (N, A)."""
        mask = request.mask
        pmf = np.zeros(mask.shape)
        for rows, drawn in model.draws(request, key, n_draws=self.n_draws, scale=self.scale):
            told = _against_best_known(drawn, mask[rows])
            regret, information = regret_and_information(told, mask[rows])
            pmf[rows] = information_directed(regret, information, mask[rows])
        return pmf


def _against_best_known(drawn: Array, mask: NDArray[np.bool_]) -> Array:
    """The draws, less those of the action of the best mean in rows that may not hold."""
    best = np.where(mask, drawn.mean(axis=1), -np.inf).argmax(axis=1)
    origin = np.take_along_axis(drawn, best[:, None, None], axis=2)  # (n, M, 1)
    return drawn - np.where(mask[:, :1, None], 0.0, origin)
