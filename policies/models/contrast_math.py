"""Variances of differences between two actions' linear scores, without materialising features.

Item and slot features, a covariance and a reference action a row enter; the variance of every
action's score less the reference's leaves: (ζ − ζ′)ᵀΣ(ζ − ζ′), with ζ = item ⊗ slot and 0 for hold.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bandit.actions import HOLD
from policies.models.linear_math import pair_variances

__all__ = ["contrast_variances"]

Array = NDArray[np.float64]


def contrast_variances(
    item: Array, slot: Array, covariance: Array, reference: NDArray[np.int64]
) -> Array:
    """Variance of every action's score less that of the reference, (N, A).

    Parameters
    ----------
    item : ndarray, (N, K, Di)
        Item features.
    slot : ndarray, (N, S, Ds)
        Slot features.
    covariance : ndarray, (Di·Ds, Di·Ds)
        Σ of the coefficients of ζ.
    reference : ndarray of int, (N,)
        An action of each row.
    """
    (n, k, d_item), (_, s, d_slot) = item.shape, slot.shape
    own, shared = np.zeros((2, n, 1 + k * s))
    own[:, 1:] = pair_variances(item, slot, covariance)
    sent = np.flatnonzero(reference != HOLD)
    at = reference[sent] - 1
    pair = item[sent, at // s][:, :, None] * slot[sent, at % s][:, None]  # (sent, Di, Ds)
    seen = (pair.reshape(len(sent), d_item * d_slot) @ covariance).reshape(
        len(sent), d_item, d_slot
    )
    across = item[sent] @ seen @ slot[sent].transpose(0, 2, 1)  # (sent, K, S)
    shared[sent, 1:] = across.reshape(len(sent), k * s)
    rows = np.arange(n)
    variance = own + own[rows, reference][:, None] - 2 * shared
    variance[rows, reference] = 0.0
    return np.asarray(np.maximum(variance, 0.0))
