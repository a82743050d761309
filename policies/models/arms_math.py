"""Scores and variances of many arms with coefficients of their own, as pure functions.

Features of rows and coefficients of arms enter, scores leave. Under M draws all arms of a row are
one product, what the slot adds another; a variance xᵀΣx is linear in the products of pairs of
features, so those of all arms are one product as well. Reference: Li, Chu, Langford and Schapire
(2010), alg. 1.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["drawn_scores", "form_of", "mean_scores", "squares_of"]

Array = NDArray[np.float64]
Single = NDArray[np.float32]


def mean_scores(context: Array, slot: Array, theta: Array) -> Array:
    """θₖ·[1, c, slot] of every arm at every slot, (n, S, J).

    Parameters
    ----------
    context : ndarray, (n, 1 + D)
        [1, c].
    slot : ndarray, (n, S, Ds)
        Slot features.
    theta : ndarray, (J, 1 + D + Ds)
        Coefficients of each arm.
    """
    seen = context.shape[1]
    return np.asarray((context @ theta[:, :seen].T)[:, None] + slot @ theta[:, seen:].T)


def drawn_scores(context: Array, slot: Array, table: Single) -> Single:
    """The same under M draws, slots before arms, (n, M, S, J); ``table`` is (L, M, J)."""
    n, s, ds = slot.shape
    seen, (_, m, j) = context.shape[1], table.shape
    flat = table.reshape(len(table), m * j)
    if s == 1:
        features = np.concatenate([context, slot[:, 0]], axis=1, dtype=np.float32)
        return np.asarray((features @ flat).reshape(n, m, 1, j))
    scores = (context.astype(np.float32) @ flat[:seen]).reshape(n, m, 1, j)
    of_slot = slot.astype(np.float32).reshape(n * s, ds) @ flat[seen:]
    added = np.add(scores, of_slot.reshape(n, s, m, j).transpose(0, 2, 1, 3), order="C")
    return np.asarray(added)


def squares_of(features: NDArray[Any]) -> NDArray[Any]:
    """Products of every pair of features, (n, L(L + 1)/2), in the precision they come in."""
    first, second = _pairs(features.shape[1])
    return np.asarray(features.take(first, axis=1) * features.take(second, axis=1))


def form_of(covariance: Array) -> Array:
    """Σ of each arm (J, L, L) as what :func:`squares_of` are multiplied with, (J, L(L + 1)/2)."""
    first, second = _pairs(covariance.shape[1])
    return np.asarray(covariance[:, first, second] * np.where(first == second, 1.0, 2.0))


@lru_cache(maxsize=16)
def _pairs(n_features: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    first, second = np.triu_indices(n_features)
    return first, second
