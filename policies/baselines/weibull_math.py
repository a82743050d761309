"""Accelerated failure times with censoring: log T = xβ + σ·ε, ε of the least extreme value.

Durations, whether they ended, and features enter; coefficients leave, and with them the chance
that something ends within a time. Written in ``θ = β / σ`` and ``s = 1 / σ`` the penalised
likelihood is concave, so that Newton's steps from nothing find its one maximum. Reference:
Kalbfleisch and Prentice (2002), "The statistical analysis of failure time data".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bandit.errors import StateError

__all__ = ["chance_within", "fit", "log_likelihood"]

Array = NDArray[np.float64]

_MOST_STEPS = 100
_LEAST_SHAPE = 1e-3


def chance_within(log_time: Array | float, shape: float, location: Array) -> Array:
    """``1 − exp(−exp(s·log t − xθ))``: chance of an end by time t, of the shape of ``location``."""
    return np.asarray(-np.expm1(-np.exp(np.clip(shape * log_time - location, -700.0, 700.0))))


def fit(
    features: Array, log_time: Array, ended: NDArray[np.bool_], *, penalty: float
) -> tuple[Array, float]:
    """Return θ (P,) and s of the greatest penalised likelihood.

    Parameters
    ----------
    features : ndarray, (N, P)
        The first column is 1 and is not penalised.
    log_time : ndarray, (N,)
        Logarithm of how long each row was watched.
    ended : ndarray of bool, (N,)
        False where it was still going on (censored).
    penalty : float
        λ of ``λ·|θ|² / 2``; on ``(s − 1)² / 2`` as well.

    Raises
    ------
    StateError
        If Newton's steps do not settle.
    """
    # One more column for s: z = s·log t − xθ is linear in all that is sought.
    design = np.concatenate([-features, log_time[:, None]], axis=1)
    ridge = np.full(design.shape[1], penalty)
    ridge[0] = 0.0
    start = np.zeros(design.shape[1])
    start[-1] = 1.0
    sought, value = start, _objective(design, ended, ridge, start)
    for _ in range(_MOST_STEPS):
        step = _newton_step(design, ended, ridge, sought)
        if np.abs(step).max() < 1e-9:
            return sought[:-1], float(sought[-1])
        scale = 1.0
        while True:
            tried = sought + scale * step
            reached = (
                _objective(design, ended, ridge, tried) if tried[-1] > _LEAST_SHAPE else -np.inf
            )
            if reached >= value - 1e-12 * abs(value) or scale < 1e-9:
                break
            scale /= 2.0
        sought, value = tried, reached
    raise StateError(f"expected survival times to be fitted in {_MOST_STEPS} steps, got further")


def log_likelihood(
    features: Array, log_time: Array, ended: NDArray[np.bool_], *, theta: Array, shape: float
) -> float:
    """Log-likelihood of the logarithms of times, constants of the data left out."""
    design = np.concatenate([-features, log_time[:, None]], axis=1)
    return _objective(design, ended, np.zeros(design.shape[1]), np.append(theta, shape))


def _objective(design: Array, ended: NDArray[np.bool_], ridge: Array, sought: Array) -> float:
    z = design @ sought
    with np.errstate(over="ignore"):
        likelihood = (z[ended] + np.log(sought[-1])).sum() - np.exp(z).sum()
    return float(likelihood - 0.5 * ridge @ (sought - _centre(ridge)) ** 2)


def _newton_step(design: Array, ended: NDArray[np.bool_], ridge: Array, sought: Array) -> Array:
    risk = np.exp(design @ sought)
    gradient = design.T @ (ended - risk) - ridge * (sought - _centre(ridge))
    curvature = (design * risk[:, None]).T @ design + np.diag(ridge)
    gradient[-1] += ended.sum() / sought[-1]
    curvature[-1, -1] += ended.sum() / sought[-1] ** 2
    return np.asarray(np.linalg.solve(curvature, gradient))


def _centre(ridge: Array) -> Array:
    """What the penalty draws to: no effects, and a hazard that stays (s = 1)."""
    centre = np.zeros(len(ridge))
    centre[-1] = 1.0
    return centre
