"""The shared bilinear Gaussian model: estimates, spreads and posterior draws of a linear head.

Requests and feedback enter; beliefs leave. Scores of all K·S pairs cost K + S small products. The
maths are in :mod:`policies.models.linear_math`, the moments in
:mod:`policies.models.linear_head`. Reference: Rasmussen and Williams (2006), §2.1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bandit.actions import Request
from bandit.outcomes import Feedback, RewardScheme
from bandit.protocols import Estimate, State
from policies.models.contrast_math import contrast_variances
from policies.models.linear_head import HeadParams, LinearHead
from policies.models.linear_math import (
    best_shares,
    component_draws,
    pair_scores,
    pair_variances,
    row_chunks,
)
from policies.parts import estimate_of, send_value
from policies.shape import PolicyShape

__all__ = ["LinearModel"]

Array = NDArray[np.float64]


class LinearModel:
    """What a :class:`LinearHead` believes.

    Parameters
    ----------
    shape : PolicyShape
        Lengths of what requests will carry.
    scheme : RewardScheme
        Components and weights.
    params : HeadParams, optional
        Prior, noise, forgetting.
    """

    cannot: ClassVar[Mapping[str, str]] = {}

    def __init__(
        self, shape: PolicyShape, scheme: RewardScheme, params: HeadParams | None = None
    ) -> None:
        self.head = LinearHead(
            shape.n_context,
            shape.n_item_features,
            shape.n_slot_features,
            scheme,
            params or HeadParams(),
        )
        self._drawn: tuple[tuple[int, int, float], Array, Array] | None = None

    @property
    def scheme(self) -> RewardScheme:
        """What a reward is; its weights apply from the next request on."""
        return self.head.scheme

    def reweigh(self, scheme: RewardScheme) -> None:
        """Take other weights of the same components."""
        self.head.reweigh(scheme)

    def check(self, request: Request) -> None:
        """Raise :class:`bandit.errors.BadInputError` unless the request fits and is finite."""
        self.head.check(request)

    def update(self, feedback: Feedback) -> None:
        """Learn rows seen for the first time."""
        self.head.learn(feedback)

    def revise(self, feedback: Feedback) -> None:
        """Replace what open rows taught."""
        self.head.revise(feedback)

    def rotate(self, basis: Array, kept: float) -> None:
        """Follow the encoder's new basis (see :meth:`LinearHead.rotate`)."""
        self.head.rotate(basis, kept)

    def state(self) -> State:
        """Return the head's moments and open rows."""
        return self.head.state()

    def load(self, state: State) -> None:
        """Restore the head."""
        self.head.load(state)

    def estimate(self, request: Request) -> Estimate:
        """Posterior mean and standard deviation of base and uplift, unweighted."""
        self.head.check(request)
        n, n_components = request.n_rows, len(self.scheme)
        mean, factor = self.head.posterior()
        base_features = np.concatenate([np.ones((n, 1)), request.context], axis=1)
        base = np.zeros((2, n, n_components))
        uplift = np.zeros((2, n, request.n_actions, n_components))
        n_base, pairs = self.head.n_base, self.head.pair_block()
        item, slot, spread = (
            request.item_features,
            request.slot_features,
            self.head.pair_covariance(),
        )
        for row, component in enumerate(self.head.learned):
            base[0, :, component] = base_features @ mean[row, :n_base]
            base[1, :, component] = np.linalg.norm(base_features @ factor[row, :n_base], axis=1)
            uplift[0, :, 1:, component] = pair_scores(item, slot, mean[row, pairs])
            uplift[1, :, 1:, component] = np.sqrt(pair_variances(item, slot, spread[row]))
        return estimate_of(self.scheme, base, uplift)

    def values(self, request: Request) -> Array:
        """Weighted mean uplift of every action, (N, A); 0 for hold."""
        mean, _ = self.head.posterior()
        theta = self.weights() @ mean[:, self.head.pair_block()]
        values = np.zeros((request.n_rows, request.n_actions))
        values[:, 1:] = pair_scores(request.item_features, request.slot_features, theta)
        values[:, 1:] += self.send_value()
        return values

    def base_values(self, request: Request) -> Array:
        """Weighted mean of what comes without a push, (N,)."""
        theta = self.weights() @ self.head.posterior()[0]
        return np.asarray(theta[0] + request.context @ theta[1 : self.head.n_base])

    def spreads(self, request: Request) -> Array:
        """Standard deviation of the weighted uplift of every action, (N, A); 0 for hold."""
        # Components are independent, so the variance of their weighted sum is a sum as well.
        spread = np.tensordot(self.weights() ** 2, self.head.pair_covariance(), axes=1)
        spreads = np.zeros((request.n_rows, request.n_actions))
        spreads[:, 1:] = np.sqrt(
            pair_variances(request.item_features, request.slot_features, spread)
        )
        return spreads

    def contrast_spreads(self, request: Request, reference: NDArray[np.int64]) -> Array:
        """Standard deviation of every action's weighted uplift less the reference's, (N, A).

        Parameters
        ----------
        request : Request
            N rows.
        reference : ndarray of int, (N,)
            An action of each row.
        """
        spread = np.tensordot(self.weights() ** 2, self.head.pair_covariance(), axes=1)
        return np.sqrt(
            contrast_variances(request.item_features, request.slot_features, spread, reference)
        )

    def draws(
        self, request: Request, key: int, *, n_draws: int, scale: float
    ) -> Iterator[tuple[slice, Array]]:
        """Weighted uplifts under M posterior draws, in chunks of rows: (n, M, A), hold at 0."""
        theta = self.coefficients(key, n_draws=n_draws, scale=scale)
        for rows in row_chunks(request.n_rows, 8 * n_draws * request.n_actions):
            item, slot = request.item_features[rows], request.slot_features[rows]
            drawn = np.zeros((len(item), n_draws, request.n_actions))
            for m, one in enumerate(theta):
                drawn[:, m, 1:] = pair_scores(item, slot, one) + self.send_value()
            yield rows, drawn

    def best_shares(self, request: Request, key: int, *, n_draws: int, scale: float) -> Array:
        """Share of posterior draws under which each unmasked action is best, (N, A)."""
        return best_shares(
            request.item_features,
            request.slot_features,
            self.coefficients(key, n_draws=n_draws, scale=scale),
            send_value=self.send_value(),
            mask=request.mask,
        )

    def coefficients(self, key: int, *, n_draws: int, scale: float) -> Array:
        """Weighted coefficients of ζ under M posterior draws, (M, Di·Ds)."""
        drawn = self._components(key, n_draws, scale)
        return np.asarray(np.tensordot(self.weights(), drawn, axes=1))

    def _components(self, key: int, n_draws: int, scale: float) -> Array:
        """Draws of each component, (R', M, Di·Ds): once a state and key, whatever the weights."""
        mean, factor = self.head.posterior()
        asked = key, n_draws, scale
        if self._drawn is None or self._drawn[0] != asked or self._drawn[1] is not mean:
            pairs = self.head.pair_block()
            theta = component_draws(
                mean[:, pairs], factor[:, pairs], key=key, n_draws=n_draws, scale=scale
            )
            self._drawn = asked, mean, theta
        return self._drawn[2]

    def weights(self) -> Array:
        """Weights of the learned components, (R',)."""
        return np.asarray(self.scheme.weights[self.head.learned])

    def send_value(self) -> float:
        """Weighted worth of sending as such: costs that are known, not learned."""
        return send_value(self.scheme)
