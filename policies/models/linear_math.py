"""Gaussian linear regression as pure functions: moments in, posteriors and scores out.

A head keeps moments ``(data, moment)`` = (Σ w·φφᵀ, Σ w·φ·y); the posterior of θ under prior
precision λ and noise variance σ² is N((D + λ)⁻¹d, σ²(D + λ)⁻¹). Action features of sends are
the outer product ζ = item ⊗ slot, so scores of all K·S pairs cost K + S small products.
References: Rasmussen and Williams (2006), eq. 2.8; Li et al. (2010), LinUCB; Agrawal and Goyal
(2013), linear Thompson sampling.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bandit.draws import Stream, generator

__all__ = [
    "best_shares",
    "component_draws",
    "factor_of_covariance",
    "joint_features",
    "moments_of",
    "pair_scores",
    "pair_variances",
    "posterior_draws",
    "posterior_mean",
    "row_chunks",
    "shares_of",
    "twins",
]

Array = NDArray[np.float64]
Scores = NDArray[np.float32]
# Measured: intermediate arrays that stay in a 2 MiB second-level cache are up to five times
# as fast as large ones, and memory does not grow with rows.
_CACHE_BYTES = 2**21
_SMALL = 32


def joint_features(context: Array, item: Array, slot: Array, is_send: NDArray[np.bool_]) -> Array:
    """φ = [ψ(c), 1[send]·ζ] of chosen actions: ψ = [1, c], ζ = item ⊗ slot; (N, P)."""
    ones = np.ones((len(context), 1))
    pair = (item[:, :, None] * slot[:, None, :]).reshape(len(context), -1)
    return np.concatenate([ones, context, pair * is_send[:, None]], axis=1)


def moments_of(features: Array, weighted: Array, weight: Array) -> tuple[Array, Array]:
    """Weighted moments of a batch, one precision a component.

    Parameters
    ----------
    features : ndarray, (N, P)
        φ of each row.
    weighted : ndarray, (N, R)
        w·y: component values times their weights.
    weight : ndarray, (N, R)
        w: the precision with which each value is known; a difference when a row is revised.

    Returns
    -------
    precision : ndarray, (R, P, P)
        Σ w·φφᵀ.
    moment : ndarray, (R, P)
        Σ w·y·φ.
    """
    precision = np.empty((weight.shape[1], features.shape[1], features.shape[1]))
    # Components that are known equally well share one product.
    for row, twin in enumerate(twins(weight.T)):
        precision[row] = precision[twin] if twin < row else _gram(features, weight[:, row])
    return precision, weighted.T @ features


def twins(arrays: Array) -> list[int]:
    """For each array along the first axis, the position of the first that equals it."""
    return [
        next(first for first in range(row + 1) if np.array_equal(arrays[first], arrays[row]))
        for row in range(len(arrays))
    ]


def factor_of_covariance(data: Array, *, prior: float) -> Array:
    """F with F·Fᵀ = (data + λ)⁻¹, (P, P).

    Parameters
    ----------
    data : ndarray, (P, P)
        Σ w·φφᵀ, positive semidefinite up to rounding.
    prior : float
        λ of the prior.

    Notes
    -----
    The transposed inverse of the Cholesky factor. Where features of very different sizes leave
    data whose rounding errors exceed λ, it does not exist; then eigenvalues stand in, none of
    them below λ, which they cannot be but for rounding.
    """
    precision = data + prior * np.eye(len(data))
    try:
        lower = np.asarray(np.linalg.cholesky(precision), np.float64)
        return np.asarray(_inverse_of_lower(lower).T)
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(precision)
        return np.asarray(vectors / np.sqrt(np.maximum(values, prior)))


def posterior_mean(factor: Array, moment: Array) -> Array:
    """(D + λ)⁻¹d = F·Fᵀd: (P, P), (P,) → (P,)."""
    return np.asarray(factor @ (factor.T @ moment))


def posterior_draws(
    mean: Array, factor: Array, *, scale: float, n_draws: int, rng: np.random.Generator
) -> Array:
    """Draw parameters from N(mean, scale²·F·Fᵀ), (M, P'), of P' of them: F is (P', P)."""
    normal = rng.standard_normal((n_draws, factor.shape[1]))
    return np.asarray(mean + scale * normal @ factor.T)


def component_draws(mean: Array, factor: Array, *, key: int, n_draws: int, scale: float) -> Array:
    """Draws of R independent posteriors under a key, (R, M, P'): means (R, P'), factors (R, P', P).

    The components follow each other in one stream, so each has draws of its own.
    """
    rng = generator(key, stream=Stream.POSTERIOR)
    drawn = np.empty((len(mean), n_draws, mean.shape[1]))
    for row, one in enumerate(mean):
        drawn[row] = posterior_draws(one, factor[row], scale=scale, n_draws=n_draws, rng=rng)
    return drawn


def pair_scores(item: Array, slot: Array, theta: Array) -> Array:
    """Scores θ·ζ of every item × slot pair, (N, K·S).

    Parameters
    ----------
    item : ndarray, (N, K, Di)
        Item features.
    slot : ndarray, (N, S, Ds)
        Slot features.
    theta : ndarray, (Di·Ds,)
        Coefficients of ζ = item ⊗ slot.
    """
    worth = slot @ theta.reshape(item.shape[2], slot.shape[2]).T  # (N, S, Di)
    scores = item @ worth.transpose(0, 2, 1)  # (N, K, S)
    return np.asarray(scores.reshape(len(item), item.shape[1] * slot.shape[1]))


def pair_variances(item: Array, slot: Array, covariance: Array) -> Array:
    """ζᵀΣζ of every item × slot pair, (N, K·S), without materialising ζ.

    Parameters
    ----------
    item : ndarray, (N, K, Di)
        Item features.
    slot : ndarray, (N, S, Ds)
        Slot features.
    covariance : ndarray, (Di·Ds, Di·Ds)
        Σ of the coefficients of ζ.
    """
    n, k, d_item = item.shape
    s, d_slot = slot.shape[1:]
    by_slots = covariance.reshape(d_item, d_slot, d_item, d_slot).transpose(1, 3, 0, 2)
    form = by_slots.reshape(d_slot**2, d_item**2)
    out = np.empty((n, k * s))
    for rows in row_chunks(n, 8 * s * (d_item**2 + d_slot**2 + k * d_item)):
        out[rows] = _variances(item[rows], slot[rows], form)
    return out


def _variances(item: Array, slot: Array, form: Array) -> Array:
    n, s, d_slot = slot.shape
    k, d_item = item.shape[1:]
    twice = (slot[..., :, None] * slot[..., None, :]).reshape(n * s, d_slot**2)  # (N·S, Ds²)
    # Seen from one slot, Σ is a form in item features alone: (N, S, Di, Di).
    seen = (twice @ form).reshape(n, s, d_item, d_item)
    turned = np.matmul(item[:, None], seen)  # (N, S, K, Di)
    turned *= item[:, None]
    variance = turned.sum(axis=3).transpose(0, 2, 1).reshape(n, k * s)
    return np.asarray(np.maximum(variance, 0.0))


def best_shares(
    item: Array, slot: Array, theta: Array, *, send_value: float, mask: NDArray[np.bool_]
) -> Array:
    """Share of M parameter vectors under which each action is best, (N, A).

    Hold is worth 0, a send ``θₘ·ζ + send_value``. Exact ties share a draw equally, so items that
    no feature tells apart get the same probability whatever their order. Scores are in single
    precision: shares of draws do not feel the difference, and half the memory is moved.

    Parameters
    ----------
    item : ndarray, (N, K, Di)
        Item features.
    slot : ndarray, (N, S, Ds)
        Slot features.
    theta : ndarray, (M, Di·Ds)
        Parameter vectors.
    send_value : float
        Known worth of sending as such.
    mask : ndarray of bool, (N, A)
        True where an action may be taken; at least one a row.
    """
    m, d_item, d_slot = len(theta), item.shape[2], slot.shape[2]
    cube = theta.astype(np.float32).reshape(m, d_item, d_slot).transpose(2, 0, 1)
    table = cube.reshape(d_slot, m * d_item)  # what an item feature is worth, by slot feature
    shares = np.empty(mask.shape)
    for rows in row_chunks(len(item), 4 * m * mask.shape[1]):
        scores = _scores_of_draws(item[rows], slot[rows], table, m)
        shares[rows] = shares_of(scores, mask[rows], send_value, n_slots=slot.shape[1])
    return shares


def _scores_of_draws(item: Array, slot: Array, table: Scores, m: int) -> Scores:
    """Scores with slots before items, (n, M, S·K): one product a row, pairs side by side."""
    n, s, d_slot = slot.shape
    k, d_item = item.shape[1:]
    by_slot = slot.astype(np.float32).reshape(n * s, d_slot) @ table
    by_slot = by_slot.reshape(n, s, m, d_item).transpose(0, 2, 1, 3).reshape(n, m * s, d_item)
    scores = by_slot @ item.astype(np.float32).transpose(0, 2, 1)
    return np.asarray(scores.reshape(n, m, s * k))


def shares_of(
    scores: Scores, mask: NDArray[np.bool_], send_value: float | Array, *, n_slots: int
) -> Array:
    """Share of draws under which each action is best, (n, A); overwrites ``scores``.

    Parameters
    ----------
    scores : ndarray of float32, (n, M, S·K)
        Worth of every send under each draw, slots before items.
    mask : ndarray of bool, (n, A)
        True where an action may be taken.
    send_value : float, or ndarray (n, M)
        Known worth of sending as such, not in the scores.
    n_slots : int
        S.
    """
    n, _, n_pairs = scores.shape
    if not mask.all():
        k = n_pairs // n_slots
        closed = ~mask[:, 1:].reshape(n, k, n_slots).transpose(0, 2, 1).reshape(n, n_pairs)
        scores += np.where(closed, np.float32(-np.inf), np.float32(0.0))[:, None]
    # Sends are compared with what they must be worth, instead of all being moved.
    hold = np.where(mask[:, :1], np.asarray(-send_value, np.float32), np.float32(-np.inf))
    if not n_pairs:
        return np.ones((n, 1))
    winner = scores.argmax(axis=2)  # (n, M)
    at = n_pairs * np.arange(winner.size).reshape(winner.shape) + winner
    leads = scores.take(at)
    best = np.maximum(leads, hold)
    scores.reshape(-1)[at] = -np.inf  # whoever comes second must be less
    second = scores.take(at - winner + scores.argmax(axis=2))
    holds = hold == best
    if not ((second == best) | (holds & (leads == best))).any():
        return _counted(np.where(holds, -1, winner), n_pairs, n_slots)
    scores.reshape(-1)[at] = leads
    return _shared(scores == best[:, :, None], holds, n_slots)


def _counted(winner: NDArray[np.int64], n_pairs: int, n_slots: int) -> Array:
    """Shares of draws that have one best action each, (n, A).

    ``winner`` is (n, M): −1 to hold, else a pair, slots before items.
    """
    n, m = winner.shape
    slot, item = np.divmod(winner, n_pairs // n_slots)
    action = np.where(winner < 0, 0, 1 + item * n_slots + slot)
    action += (1 + n_pairs) * np.arange(n)[:, None]
    counts = np.bincount(action.ravel(), minlength=n * (1 + n_pairs))
    return np.asarray(counts.reshape(n, 1 + n_pairs) / m)


def _shared(is_best: NDArray[np.bool_], holds: NDArray[np.bool_], n_slots: int) -> Array:
    """Shares where actions tie for the best of a draw and share it equally, (n, A)."""
    n, _, n_pairs = is_best.shape
    votes = is_best.astype(np.float32)
    part = np.float32(1.0) / (votes.sum(axis=2) + holds)
    pairs = np.matmul(part[:, None], votes).reshape(n, n_slots, n_pairs // n_slots)
    total = np.concatenate(
        [(part * holds).sum(axis=1)[:, None], pairs.transpose(0, 2, 1).reshape(n, n_pairs)], axis=1
    ).astype(np.float64)
    return np.asarray(total / total.sum(axis=1, keepdims=True))


def row_chunks(n_rows: int, bytes_a_row: int) -> list[slice]:
    """Slices of rows whose intermediate arrays stay in the cache."""
    step = max(1, _CACHE_BYTES // max(bytes_a_row, 1))
    return [slice(start, start + step) for start in range(0, n_rows, step)]


def _inverse_of_lower(lower: Array) -> Array:
    """Inverse of a lower triangular matrix by halves: numpy has no triangular solver."""
    if len(lower) <= _SMALL:
        return np.asarray(np.linalg.inv(lower))
    half = len(lower) // 2
    inverse = np.zeros_like(lower)
    inverse[:half, :half] = _inverse_of_lower(lower[:half, :half])
    inverse[half:, half:] = _inverse_of_lower(lower[half:, half:])
    across = lower[half:, :half] @ inverse[:half, :half]
    inverse[half:, :half] = -inverse[half:, half:] @ across
    return inverse


def _gram(features: Array, weight: Array) -> Array:
    """Σ w·φφᵀ; rows of full weight, the usual case, need no weighted copy."""
    weighted = features if (weight == 1).all() else features * weight[:, None]
    return np.asarray(weighted.T @ features)
