"""A Bayesian last layer: Gaussian regression of several components on features made elsewhere.

Rows of φ with values and precisions enter; posteriors of N(φ·θ, σ²) leave, one a component. Only
sums are kept, so what is taken back out again leaves no trace; the noise is learned with them.
References: Rasmussen and Williams (2006), eq. 2.8; Murphy (2007), §3, for the noise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from policies.checks import check_state
from policies.models.linear_head import HeadParams
from policies.models.linear_math import factor_of_covariance, moments_of, posterior_mean, twins

__all__ = ["LastLayer"]

Array = NDArray[np.float64]


@dataclass(slots=True)
class LastLayer:
    """Moments of R' components over P features.

    Parameters
    ----------
    n_features, n_components : int
        P and R'.
    params : HeadParams
        Prior and noise; forgetting is the caller's.
    """

    n_features: int
    n_components: int
    params: HeadParams
    precision: Array = field(init=False)  # (R', P, P) Σ w·φφᵀ
    moment: Array = field(init=False)  # (R', P) Σ w·y·φ
    square: Array = field(init=False)  # (R',) Σ w·y²
    n_seen: Array = field(init=False)  # (R',) Σ w
    _posterior: tuple[Array, Array] | None = field(init=False, default=None)
    _covariance: tuple[slice, Array, Array] | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        r, p = self.n_components, self.n_features
        self.precision, self.moment = np.zeros((r, p, p)), np.zeros((r, p))
        self.square, self.n_seen = np.zeros((2, r))

    def add(self, features: Array, *, weighted: Array, squared: Array, weight: Array) -> None:
        """Add rows; differences of sums where they are revised.

        Parameters
        ----------
        features : ndarray, (N, P)
            φ.
        weighted, squared, weight : ndarray, (N, R')
            w·y, w·y² and w.
        """
        precision, moment = moments_of(features, weighted, weight)
        self.precision += precision
        self.moment += moment
        self.square += squared.sum(axis=0)
        self.n_seen += weight.sum(axis=0)
        self._posterior = None

    def discount(self, kept: float) -> None:
        """Let what was learned before count for less; the prior stays."""
        for name in _SUMS:
            setattr(self, name, kept * getattr(self, name))
        self._posterior = None

    def turn(self, turn: Array) -> None:
        """Follow features that turn to ``turn``·φ."""
        self.precision = turn @ self.precision @ turn.T
        self.moment = self.moment @ turn.T
        self._posterior = None

    def posterior(self) -> tuple[Array, Array]:
        """Mean (R', P) and factor F of the covariance F·Fᵀ, (R', P, P); closed to writing."""
        if self._posterior is None:
            factor, mean = np.empty_like(self.precision), np.empty_like(self.moment)
            for row, twin in enumerate(twins(self.precision)):
                factor[row] = (
                    factor[twin]
                    if twin < row
                    else factor_of_covariance(
                        self.precision[row], prior=self.params.prior_precision
                    )
                )
                mean[row] = posterior_mean(factor[row], self.moment[row])
            factor *= self._noise_sd(mean)[:, None, None]
            mean.flags.writeable = factor.flags.writeable = False
            self._posterior = mean, factor
        return self._posterior

    def covariance(self, block: slice) -> Array:
        """Covariance of a block of coefficients, (R', B, B); kept like the posterior."""
        mean, whole = self.posterior()
        held = self._covariance
        if held is None or held[0] != block or held[1] is not mean:
            factor = whole[:, block]
            spread = np.empty((len(factor), factor.shape[1], factor.shape[1]))
            for row, twin in enumerate(twins(factor)):
                spread[row] = spread[twin] if twin < row else factor[row] @ factor[row].T
            spread.flags.writeable = False
            self._covariance = held = block, mean, spread
        return held[2]

    def state(self) -> dict[str, NDArray[Any]]:
        """Return copies of the sums."""
        return {name: getattr(self, name).copy() for name in _SUMS}

    def load(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Restore what :meth:`state` returned."""
        check_state(state, {name: getattr(self, name).shape for name in _SUMS})
        for name in _SUMS:
            setattr(self, name, np.array(state[name], np.float64))
        self._posterior = None

    def _noise_sd(self, mean: Array) -> Array:
        """σ of each component, (R',): the guess, moved by the residuals."""
        guess, rows = self.params.noise_sd, self.params.noise_rows
        if np.isinf(rows):
            return np.full(len(mean), guess)
        residual = np.maximum(self.square - (mean * self.moment).sum(axis=1), 0.0)
        return np.asarray(np.sqrt((rows * guess**2 + residual) / (rows + self.n_seen)))


_SUMS = ("precision", "moment", "square", "n_seen")
