"""Linear Thompson sampling whose propensities are exact.

M parameter vectors are drawn once per policy state; the pmf of a row is the share of draws
under which an action is best, hold included at uplift zero. The action is drawn from that pmf
elsewhere, so the logged propensity is the true one. References: Agrawal and Goyal (2013);
DESIGN §4 *Exact propensities*.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bandit.actions import Request
from bandit.draws import Stream, generator
from bandit.errors import BadInputError
from bandit.outcomes import RewardScheme
from policies.linear_head import HeadParams
from policies.linear_math import best_shares, posterior_draws
from policies.linear_policy import LinearPolicy
from policies.shape import PolicyShape

__all__ = ["LinTS", "LinTSParams"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LinTSParams:
    """Draws a state and their spread.

    Parameters
    ----------
    n_draws : int
        M; the pmf's resolution is 1/M.
    scale : float
        Multiplies the posterior's standard deviation; 1 is Thompson sampling.
    """

    n_draws: int = 32
    scale: float = 1.0

    def __post_init__(self) -> None:
        if self.n_draws < 1 or not 0 <= self.scale < np.inf:
            raise BadInputError(
                "expected n_draws of at least 1 and a finite scale of at least 0, got "
                f"{self.n_draws}, {self.scale}"
            )


class LinTS(LinearPolicy):
    """Thompson sampling over the shared bilinear head.

    Examples
    --------
    >>> from bandit.outcomes import ENGAGEMENT
    >>> shape = PolicyShape(n_context=2, n_item_features=1, n_slot_features=1,
    ...                     n_users=1, n_items=1, n_slots=1)
    >>> LinTS(shape, ENGAGEMENT).policy_id
    'lints'
    """

    policy_id = "lints"

    def __init__(
        self,
        shape: PolicyShape,
        scheme: RewardScheme,
        *,
        head: HeadParams | None = None,
        params: LinTSParams | None = None,
    ) -> None:
        super().__init__(shape, scheme, head=head or HeadParams())
        self.params = params or LinTSParams()
        self._drawn: tuple[int, NDArray[np.float64], NDArray[np.float64]] | None = None

    def pmf(self, request: Request, key: int) -> NDArray[np.float64]:
        """Share of posterior draws under which each action is best, (N, A)."""
        self.head.check(request)
        return best_shares(
            request.item_features,
            request.slot_features,
            self.draws(key),
            send_value=self.send_value(),
            mask=request.mask,
        )

    def draws(self, key: int) -> NDArray[np.float64]:
        """Weighted coefficients of ζ under M posterior draws, (M, Di·Ds)."""
        return np.asarray(np.tensordot(self.weights(), self._components(key), axes=1))

    def _components(self, key: int) -> NDArray[np.float64]:
        """Draws of each component, (R', M, Di·Ds): once a state and key, whatever the weights."""
        mean, factor = self.head.posterior()
        if self._drawn is None or self._drawn[0] != key or self._drawn[1] is not mean:
            pairs, params = self.head.pair_block(), self.params
            rng = generator(key, stream=Stream.POSTERIOR)
            theta = np.zeros((len(mean), params.n_draws, self.head.n_pairs))
            for row in range(len(mean)):
                theta[row] = posterior_draws(
                    mean[row, pairs],
                    factor[row, pairs],
                    scale=params.scale,
                    n_draws=params.n_draws,
                    rng=rng,
                )
            self._drawn = key, mean, theta
        return self._drawn[2]
