"""Duolingo's score of an arm, from sums over the rounds in which it was eligible.

Yancey and Settles (2020), "A sleeping, recovering bandit algorithm for optimizing recurring
notifications", KDD. Rounds enter as sums; relative differences between sending an arm and sending
another one leave, shrunk to no difference where rounds are few.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["N_SUMS", "arm_means", "recency_penalty", "relative_difference", "round_sums"]

Array = NDArray[np.float64]

N_SUMS = 8
"""Σw, Σw², Σw·r where the arm was sent; the same where another was; Σ1 and Σr of both."""


def round_sums(b: Array, is_sent: NDArray[np.bool_], *, reward: Array, weight: Array) -> Array:
    """What rounds add to the sums of eligible arms, (…, 8).

    Parameters
    ----------
    b : ndarray
        P(arm sent) by the logging policy in each round; a round counts ``1 / b`` for the arm that
        was sent and ``1 / (1 − b)`` for the others.
    is_sent : ndarray of bool
        Whether it was the one.
    reward, weight : ndarray
        Of the round, and how much of the reward is known, 1 once it is final.
    """
    chance = np.where(is_sent, b, 1.0 - b)
    w = weight / np.where(chance > 0, chance, 1.0)
    terms = np.stack([w, w**2, w * reward], axis=-1)
    sent = terms * is_sent[..., None]
    known = np.broadcast_to(np.stack([weight, weight * reward], axis=-1), (*w.shape, 2))
    return np.concatenate([sent, terms - sent, known], axis=-1)


def arm_means(sums: Array, *, sigma: float) -> tuple[Array, Array]:
    """Shrunk mean rewards μ⁺ where each arm was sent and μ⁻ where another was, (I,) each.

    ``(μ·n + μ_a·σ) / (n + σ)`` with n Kish's effective number of rounds ``(Σw)² / Σw²`` and μ_a
    the mean reward of all rounds in which the arm was eligible.
    """
    prior = _ratio(sums[:, 7], sums[:, 6])
    means = []
    for total, square, earned in (sums[:, :3].T, sums[:, 3:6].T):
        n = _ratio(total**2, square)
        means.append((_ratio(earned, total) * n + prior * sigma) / (n + sigma))
    return means[0], means[1]


def relative_difference(sums: Array, *, sigma: float) -> Array:
    """Score ``(μ⁺ − μ⁻) / μ⁻`` of each arm, 0 where nothing was ever earned, (I,)."""
    sent, instead = arm_means(sums, sigma=sigma)
    return _ratio(sent - instead, instead)


def recency_penalty(days: Array, *, gamma: float, half_life_days: float) -> Array:
    """``γ · 2^(−d / h)`` of an arm sent d days ago; 0 where d is infinite."""
    return np.asarray(gamma * np.exp2(-np.maximum(days, 0.0) / half_life_days))


def _ratio(over: Array, under: Array) -> Array:
    """Quotients, 0 where the denominator is not above 0."""
    is_sound = under > 0
    return np.where(is_sound, over / np.where(is_sound, under, 1.0), 0.0)
