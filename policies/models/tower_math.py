"""Scores and variances of every item × slot pair from tower outputs, without writing φ out.

Outputs u of K items and v of S slots and coefficients of ζ = [1, u, v, u ⊙ v] enter; one number a
pair leaves. Seen from a slot, ζ·θ is affine in u, so K·S pairs cost a product of (S, E) and (E, K).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["pair_scores", "pair_variances"]

Array = NDArray[np.float64]
Real = NDArray[Any]  # in single or in double precision


def pair_scores(u: Real, v: Real, theta: Real) -> Real:
    """θ·ζ of every pair under M coefficient vectors, (N, M, S·K), slots before items.

    Parameters
    ----------
    u : ndarray, (N, K, E)
        Outputs of the item tower.
    v : ndarray, (N, S, E)
        Outputs of the slot tower.
    theta : ndarray, (M, 1 + 3E)
        Coefficients of ζ; its precision is that of the scores.
    """
    n, k, width = u.shape
    m, s = len(theta), v.shape[1]
    of_item, of_slot, of_both = np.split(theta[:, 1:], 3, axis=1)
    worth = of_both[None, :, None] * v[:, None]  # (N, M, S, E) what u is worth in a slot
    worth += of_item[None, :, None]
    scores = worth.reshape(n, m * s, width) @ u.transpose(0, 2, 1)
    alone = (v @ of_slot.T + theta[:, 0]).transpose(0, 2, 1)  # (N, M, S)
    scores = scores.reshape(n, m, s, k)
    scores += alone[..., None]
    return np.asarray(scores.reshape(n, m, s * k))


def pair_variances(u: Array, v: Array, covariance: Array) -> Array:
    """ζᵀΣζ of every pair, (N, S·K), slots before items; Σ is (1 + 3E, 1 + 3E)."""
    n, k, width = u.shape
    s = v.shape[1]
    slot_block = np.r_[0, 1 + width : 1 + 2 * width]  # what does not meet u: 1 and v
    item_block, both_block = slice(1, 1 + width), slice(1 + 2 * width, None)
    seen = np.concatenate([np.ones((n, s, 1)), v], axis=2)  # (N, S, 1 + E)
    alone = ((seen @ covariance[np.ix_(slot_block, slot_block)]) * seen).sum(axis=2)
    across = seen @ covariance[slot_block, item_block]
    across += (seen @ covariance[slot_block, both_block]) * v  # (N, S, E)
    mixed = covariance[item_block, both_block] * v[:, :, None, :]  # (N, S, E, E)
    form = covariance[both_block, both_block] * v[..., :, None] * v[..., None, :]
    form += mixed
    form += mixed.transpose(0, 1, 3, 2)
    form += covariance[item_block, item_block]
    squares = ((u[:, None] @ form) * u[:, None]).sum(axis=3)  # (N, S, K)
    variance = squares + 2.0 * across @ u.transpose(0, 2, 1) + alone[..., None]
    return np.asarray(np.maximum(variance, 0.0).reshape(n, s * k))
