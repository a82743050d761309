"""Information-directed sampling: the least squared regret for what is learned about the optimum.

Posterior draws and a mask enter; regrets and informations, and from them a pmf, leave. Source:
Russo and Van Roy (2018), "Learning to optimize via information-directed sampling": the
variance-based measure, and proposition 6 for the support of two.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from policies.exploration.masked import Mask, visible

__all__ = ["information_directed", "regret_and_information"]

Array = NDArray[np.float64]
_SAME = 1e-9
_LESS = 1 - 1e-12


def regret_and_information(draws: Array, mask: Mask) -> tuple[Array, Array]:
    """Expected regret Δ and variance-based information v of every action, (N, A) each.

    ``Δ(a) = E[max R] − E[R(a)]`` and ``v(a) = Var(E[R(a) | A*])``, A* the best unmasked action:
    how much a's mean differs between the draws under which one or another action is best.

    Parameters
    ----------
    draws : ndarray, (N, M, A)
        Values of all actions under M posterior draws.
    mask : ndarray of bool, (N, A)
        True where an action may be taken. Masked actions have regret and information 0.
    """
    seen = np.where(mask[:, None], draws, -np.inf)
    best = seen.max(axis=2)  # (N, M)
    mean = draws.mean(axis=1)  # (N, A)
    regret = np.where(mask, best.mean(axis=1)[:, None] - mean, 0.0)
    # Twins differ by rounding; the first of what ties stands for all, so that they share A*.
    near = best - 1e-12 * np.abs(best).max(axis=1, keepdims=True)
    first = (seen >= near[:, :, None]).argmax(axis=2)  # (N, M)
    is_same = (first[:, :, None] == first[:, None]).astype(np.float64)  # (N, M, M)
    is_same /= is_same.sum(axis=2, keepdims=True)
    away = np.subtract(draws, mean[:, None], out=seen)
    given_best = is_same @ away  # (N, M, A) mean among the draws of the same best action
    information = np.einsum("nma,nma->na", given_best, given_best) / draws.shape[1]
    return np.maximum(regret, 0.0), np.where(mask, information, 0.0)


def information_directed(regret: Array, information: Array, mask: Mask) -> Array:
    """The distribution of the least information ratio ``(π·Δ)² / (π·v)``, (N, A).

    The ratio is convex and has a minimum on at most two actions. Starting from the least regret,
    the action that lowers the ratio most enters, and leaves of three the best two, until none
    does: exact but for rounding. Where an action has no regret, it is played. Actions of the same
    regret and information share their probability.

    Parameters
    ----------
    regret, information : ndarray, (N, A)
        Δ and v, at least 0 on unmasked actions.
    mask : ndarray of bool, (N, A)
        True where an action may be taken.
    """
    seen, gained = -visible(-regret, mask), np.where(mask, information, 0.0)
    worst = np.where(mask, regret, 0.0).max(axis=1, keepdims=True)
    seen = np.where(mask, seen / np.where(worst > 0, worst, 1.0), np.inf)
    most = gained.max(axis=1, keepdims=True)
    gained = gained / np.where(most > 0, most, 1.0)
    mixed, mixed_gain = _least_ratio(seen, gained)
    return _two_nearest(seen, gained, mask, mixed=mixed, mixed_gain=mixed_gain)


def _least_ratio(regret: Array, gain: Array) -> tuple[Array, Array]:
    """π·Δ and π·v at the least ratio, (N, 1) each; Δ infinite where masked."""
    rows = np.arange(len(regret))
    start = regret.argmin(axis=1)
    pair = np.stack([start, start], axis=1)  # (N, 2)
    d, v = regret[rows, start], gain[rows, start]
    while True:
        price = d / np.maximum(v, 1e-300)
        entering = (2 * regret - price[:, None] * gain).argmin(axis=1)
        new_d, new_v, new_pair = d.copy(), v.copy(), pair.copy()
        for kept in (0, 1):
            other = pair[:, kept]
            two_d, two_v = _mixture(
                regret[rows, entering],
                gain[rows, entering],
                regret[rows, other],
                gain[rows, other],
            )
            is_less = _ratio(two_d, two_v) < _ratio(new_d, new_v)
            new_d, new_v = np.where(is_less, two_d, new_d), np.where(is_less, two_v, new_v)
            new_pair[is_less] = np.stack([other, entering], axis=1)[is_less]
        is_better = _ratio(new_d, new_v) < _LESS * _ratio(d, v)
        if not is_better.any():
            return d[:, None], v[:, None]
        d, v = np.where(is_better, new_d, d), np.where(is_better, new_v, v)
        pair[is_better] = new_pair[is_better]


def _ratio(d: Array, v: Array) -> Array:
    """d²/v; 0 where there is no regret, infinite where there is no information for it."""
    paid = np.where(v > 0, d**2 / np.where(v > 0, v, 1.0), np.inf)
    return np.where(d > 0, paid, 0.0)


def _mixture(d1: Array, v1: Array, d2: Array, v2: Array) -> tuple[Array, Array]:
    """Regret and information of the best mixture of two actions, by the ratio's derivative.

    With D = Δ₁ − Δ₂ and V = v₁ − v₂ it vanishes at q = Δ₂/D − 2·v₂/V, the share of the first.
    """
    d, v = d1 - d2, v1 - v2
    is_curved = (d != 0) & (v != 0)
    inner = d2 / np.where(is_curved, d, 1.0) - 2 * v2 / np.where(is_curved, v, 1.0)
    prefers_first = np.where(d != 0, d < 0, v > 0)
    q = np.clip(np.where(is_curved, inner, prefers_first), 0.0, 1.0)
    return q * d1 + (1 - q) * d2, q * v1 + (1 - q) * v2


def _two_nearest(
    regret: Array, gain: Array, mask: Mask, *, mixed: Array, mixed_gain: Array
) -> Array:
    """The actions next to the optimum, on the line of all that attain it, in its proportions."""
    price = mixed / np.where(mixed_gain > 0, mixed_gain, 1.0)
    paid = np.where(mixed_gain > 0, 2 * regret - price * gain, regret)
    attains = mask & (paid <= mixed + _SAME)
    below = np.where(attains & (regret <= mixed + _SAME), regret, -np.inf).max(axis=1)[:, None]
    above = np.where(attains & (regret >= mixed - _SAME), regret, np.inf).min(axis=1)[:, None]
    below = np.where(np.isfinite(below), below, above)
    above = np.where(np.isfinite(above), above, below)
    width = above - below
    share = np.clip((above - mixed) / np.where(width > _SAME, width, 1.0), 0.0, 1.0)
    share = np.where(width > _SAME, share, 1.0)
    pmf = np.zeros(regret.shape)
    for level, part in ((below, share), (above, 1.0 - share)):
        alike = attains & (np.abs(np.where(attains, regret, np.inf) - level) <= _SAME)
        pmf += part * alike / alike.sum(axis=1, keepdims=True)
    return pmf
