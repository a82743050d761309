"""Multinomial logistic regression as one pure function: features and soft labels in, weights out.

The penalised likelihood is convex, so Newton's method finds the one optimum; its linear systems
are solved by conjugate gradients, which never form a (F·C)² matrix. Preconditioned by what the
Hessian would be if probabilities did not vary with the features. References: Nocedal and Wright
(2006), "Numerical Optimization", alg. 7.1 (Newton–CG); Böhning (1992) for the multinomial
Hessian.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bandit.errors import StateError

__all__ = ["fit_softmax", "softmax"]

Array = NDArray[np.float64]

_MAX_STEPS = 100
_TOLERANCE = 1e-8  # of the gradient, a row


def softmax(scores: Array) -> Array:
    """Probabilities along the last axis, shifted so that nothing overflows."""
    shifted = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))


def fit_softmax(features: Array, label: Array, *, ridge: float = 1.0) -> Array:
    """Weights W (F, C) that minimise −Σ label·log softmax(x·W) + ridge/2·‖W without x₀‖².

    Parameters
    ----------
    features : ndarray, (N, F)
        The first column is the constant 1; its weights are not penalised.
    label : ndarray, (N, C)
        Each row sums to 1; every class needs some mass.
    ridge : float
        Penalty, above 0; 1 is the default of scikit-learn's ``C=1``.

    Raises
    ------
    StateError
        If the optimum is not found; with a ridge above 0 it always exists.
    """
    n_rows, n_classes = label.shape
    penalty = np.full((features.shape[1], 1), ridge)
    penalty[0] = 0.0
    values, vectors = np.linalg.eigh(features.T @ features)
    weights = np.zeros((features.shape[1], n_classes))
    p = softmax(features @ weights)
    loss = _loss(p, label, weights, penalty)
    for _ in range(_MAX_STEPS):
        gradient = features.T @ (p - label) + penalty * weights
        if np.abs(gradient).max() <= _TOLERANCE * n_rows:
            return weights
        variance = (p * (1 - p)).mean(axis=0) + 1e-12
        size = np.maximum(values, 0.0)[:, None] * variance + ridge

        def curvature(step: Array, p: Array = p) -> Array:
            moved = features @ step
            change = p * (moved - (p * moved).sum(axis=1, keepdims=True))
            return np.asarray(features.T @ change + penalty * step)

        def rescaled(residual: Array, size: Array = size) -> Array:
            return np.asarray(vectors @ ((vectors.T @ residual) / size))

        step = _conjugate_gradients(curvature, -gradient, rescaled)
        weights, p, loss, is_better = _line_search(
            features, label, weights, step, penalty=penalty, loss=loss, p=p, gradient=gradient
        )
        if not is_better:
            # Rounding is all that is left between this point and the optimum.
            if np.abs(gradient).max() <= 1e3 * _TOLERANCE * n_rows:
                return weights
            break
    raise StateError(
        f"expected an optimum within {_MAX_STEPS} steps, the gradient is still "
        f"{np.abs(gradient).max():.3g}: scale the features, or raise the ridge above {ridge}"
    )


def _loss(p: Array, label: Array, weights: Array, penalty: Array) -> float:
    likelihood = (label * np.log(np.maximum(p, 1e-300))).sum()
    return float(0.5 * (penalty * weights**2).sum() - likelihood)


def _line_search(
    features: Array,
    label: Array,
    weights: Array,
    step: Array,
    *,
    penalty: Array,
    loss: float,
    p: Array,
    gradient: Array,
) -> tuple[Array, Array, float, bool]:
    """Halve the step until the loss falls enough (Armijo); say whether it ever did."""
    slope = float((gradient * step).sum())
    length = 1.0
    while length > 1e-10:
        tried = weights + length * step
        p_tried = softmax(features @ tried)
        loss_tried = _loss(p_tried, label, tried, penalty)
        if loss_tried < loss + 1e-4 * length * slope:
            return tried, p_tried, loss_tried, True
        length /= 2
    return weights, p, loss, False


def _conjugate_gradients(
    curvature: Callable[[Array], Array], target: Array, rescaled: Callable[[Array], Array]
) -> Array:
    """Solve ``curvature(step) = target`` well enough for a Newton step."""
    step = np.zeros_like(target)
    residual = target.copy()
    scaled = rescaled(residual)
    direction, along = scaled, float((residual * scaled).sum())
    size = float(np.linalg.norm(target))
    enough = min(0.1, np.sqrt(size / target.size)) * size
    for _ in range(2 * target.size):
        bent = curvature(direction)
        bend = float((direction * bent).sum())
        if bend <= 1e-14 * along:
            break
        step += along / bend * direction
        residual -= along / bend * bent
        if np.linalg.norm(residual) <= enough:
            break
        scaled = rescaled(residual)
        following = float((residual * scaled).sum())
        direction, along = scaled + following / along * direction, following
    return step
