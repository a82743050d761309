"""Beta variables from counters: the same key and lane give the same draw anywhere.

Parameters a and b enter with a lane for every draw; draws leave, however they are batched. Ratios
of two gammas, each by rejection, from uniforms of 32 bits. Reference: Marsaglia and Tsang
(2000), "A simple method for generating gamma variables"; shapes below 1 by their eq. for U^(1/a).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bandit.draws import Stream, key_of, mix64

__all__ = ["beta_draws", "lanes"]

Array = NDArray[np.float64]
Lanes = NDArray[np.uint64]


def lanes(*parts: NDArray[np.int64]) -> Lanes:
    """One lane for each combination of codes that broadcast together."""
    with np.errstate(over="ignore"):
        lane = mix64(parts[0])
        for part in parts[1:]:
            lane = mix64(lane + mix64(part))
    return lane


def beta_draws(a: Array, b: Array, *, lane: Lanes, key: int) -> Array:
    """Draws of Beta(a, b), of the shape of ``lane``.

    Parameters
    ----------
    a, b : ndarray
        Above 0; they broadcast to the shape of ``lane``.
    lane : ndarray of uint64
        See :func:`lanes`.
    key : int
        Seeds all lanes.
    """
    seed = np.uint64(key_of(key, int(Stream.POSTERIOR)))
    log_odds = _log_gamma_draws(np.broadcast_to(a, lane.shape), mix64(lane ^ seed))
    log_odds -= _log_gamma_draws(np.broadcast_to(b, lane.shape), mix64(~lane ^ seed))
    return np.asarray(1.0 / (1.0 + np.exp(np.clip(-log_odds, -700.0, 700.0))))


def _log_gamma_draws(shape: Array, bits: Lanes) -> Array:
    """Logarithms of Gamma(shape, 1) draws: those of tiny shapes would be 0."""
    is_small = shape < 1.0
    d = (np.where(is_small, shape + 1.0, shape) - 1.0 / 3.0).ravel()
    drawn = np.empty(bits.size)
    boost, left, bits = np.log(_halves(mix64(bits))[1]), np.arange(bits.size), bits.ravel()
    while left.size:
        normal = _normals(bits)
        cube = (1.0 + normal / np.sqrt(9.0 * d)) ** 3
        bits = mix64(bits)
        with np.errstate(invalid="ignore", divide="ignore"):
            bound = 0.5 * normal**2 + d * (1.0 - cube + np.log(cube))
            is_taken = (cube > 0) & (np.log(_halves(bits)[0]) < bound)
        drawn[left[is_taken]] = np.log(d[is_taken] * cube[is_taken])
        left, d, bits = left[~is_taken], d[~is_taken], mix64(bits[~is_taken])
    logs = drawn.reshape(shape.shape)
    return np.where(is_small, logs + boost / shape, logs)


def _normals(bits: Lanes) -> Array:
    """Standard normals by Box and Muller, from the two halves of 64 bits."""
    radius, angle = _halves(bits)
    return np.asarray(np.sqrt(-2.0 * np.log(radius)) * np.cos(2.0 * np.pi * angle))


def _halves(bits: Lanes) -> tuple[Array, Array]:
    """Two uniforms in (0, 1] of 32 bits each."""
    high, low = bits >> np.uint64(32), bits & np.uint64(0xFFFFFFFF)
    return np.asarray((high + 1.0) * 2.0**-32), np.asarray((low + 1.0) * 2.0**-32)
