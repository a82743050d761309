"""A diagonal Gaussian belief about many coefficients, and how rows move it.

A belief and rows of φ, whose intercept, outcome and weight enter; a belief leaves. What rows say
together is solved exactly, in the space of the rows; of what they leave only variances are kept, so
P coefficients cost P numbers and not P². Reference: Chapelle and Li (2011), alg. 3.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from policies.models.glm_math import sigmoid

__all__ = ["Diagonal", "Rows", "moved"]

Array = NDArray[np.float64]
Whole = NDArray[np.int64]

_NEWTON_STEPS = 8
_FAR = 2.0  # log-odds that one Newton step may move a row
_NEAR = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """N rows to learn from."""

    features: Array  # (N, P) φ
    item: Whole  # (N,) whose intercept; −1 for none
    target: Array  # (N,)
    weight: Array  # (N,) how surely the target is known, in [0, 1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagonal:
    """N(mean, σ²/precision) of every coefficient and intercept, each apart from all others."""

    mean: Array  # (P,)
    precision: Array  # (P,) in rows
    item_mean: Array  # (I,)
    item_precision: Array  # (I,)
    noise: float  # σ², 1 for a response

    @property
    def slope(self) -> Array:
        """How an intercept moves with θ, (I, P): it does not."""
        return np.broadcast_to(0.0, (len(self.item_mean), len(self.mean)))

    @property
    def item_sd(self) -> Array:
        """Standard deviation of each intercept, (I,)."""
        return np.asarray(np.sqrt(self.noise / self.item_precision))

    def away(self, normal: Array, item_normal: Array) -> tuple[Array, Array]:
        """How far M draws lie from the means, of standard normals: θ (M, P), intercepts (M, I)."""
        return normal * np.sqrt(self.noise / self.precision), item_normal * self.item_sd

    def spread(self, features: Array, own: Array) -> Array:
        """Standard deviation of φ·θ + own·b of rows, (N,)."""
        along = np.sqrt(self.noise * (features**2 @ (1.0 / self.precision)))
        return np.asarray(np.hypot(along, own))

    def predicted(self, features: Array, item: Whole) -> Array:
        """Mean linear predictor of rows, (N,)."""
        has_item = item >= 0
        eta = features @ self.mean
        if len(self.item_mean):
            eta[has_item] += self.item_mean[item[has_item]]
        return np.asarray(eta)

    def covariance(self, features: Array, item: Whole) -> Array:
        """Of the predictors of rows with each other, in units of the noise, (N, N)."""
        between = (features / self.precision) @ features.T
        if len(self.item_mean):
            same = (item[:, None] == item) & (item >= 0)
            between += np.where(same, 1.0 / self.item_precision[np.maximum(item, 0)], 0.0)
        return np.asarray(between)


def moved(belief: Diagonal, rows: Rows, *, is_response: bool) -> Diagonal:
    """The belief after some rows: their common mode, and what each coefficient is known by then.

    Newton's steps in the rows' own space (Rasmussen and Williams 2006, alg. 3.1): for counts one
    step is exact. In the mode, precision·(mean − mean before) is Σ φ·weight·(target − expected).
    """
    if not len(rows.item):
        return belief
    start = belief.predicted(rows.features, rows.item)
    between = belief.covariance(rows.features, rows.item)
    at, (expected, curvature) = start, _expected(start, is_response=is_response)
    for _ in range(_NEWTON_STEPS if is_response else 1):
        root = np.sqrt(rows.weight * curvature)
        pull = root**2 * (at - start) + rows.weight * (rows.target - expected)
        inner = np.eye(len(at)) + root[:, None] * between * root
        pull -= root * np.linalg.solve(inner, root * (between @ pull))
        step = start + between @ pull - at
        farthest = float(np.abs(step).max())
        at = at + (step * min(1.0, _FAR / max(farthest, 1e-12)) if is_response else step)
        expected, curvature = _expected(at, is_response=is_response)
        if farthest < _NEAR:
            break
    push = rows.weight * (rows.target - expected)
    heard = rows.weight * curvature
    return _with(belief, rows, push=push, heard=heard)


def _with(belief: Diagonal, rows: Rows, *, push: Array, heard: Array) -> Diagonal:
    item_mean, item_precision = belief.item_mean.copy(), belief.item_precision.copy()
    if len(item_mean):
        has_item = np.flatnonzero(rows.item >= 0)
        who = rows.item[has_item]
        np.add.at(item_mean, who, push[has_item] / belief.item_precision[who])
        np.add.at(item_precision, who, heard[has_item])
    return Diagonal(
        mean=belief.mean + (push @ rows.features) / belief.precision,
        precision=belief.precision + heard @ rows.features**2,
        item_mean=item_mean,
        item_precision=item_precision,
        noise=belief.noise,
    )


def _expected(eta: Array, *, is_response: bool) -> tuple[Array, Array]:
    """What rows are expected to bring, and how fast that moves with their predictors."""
    if not is_response:
        return eta, np.ones_like(eta)
    chance = sigmoid(eta)
    return chance, chance * (1.0 - chance)
