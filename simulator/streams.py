"""Counter-based randomness of the population: one key a life, one stream a purpose.

Seeds, users and episodes enter; keys leave; a key, a step, a stream and a lane give a uniform,
the same in any batch, shard or process. Nothing random happens when something is revealed.
Source of the mixer: Steele, Lea and Flood (2014), SplitMix64 (:func:`bandit.draws.mix64`).
"""

from __future__ import annotations

from enum import IntEnum
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bandit.draws import mix64

__all__ = ["Draw", "exponentials", "life_keys", "normal_of", "normals", "several", "uniforms"]

Key = NDArray[np.uint64]
Float = NDArray[np.float64]

_TIME = np.uint64(0x9E3779B97F4A7C15)
_STREAM = np.uint64(0xD1342543DE82EF95)
_LANE = np.uint64(0xA0761D6478BD642F)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_S11, _S27, _S29, _S30, _S31, _S33 = (np.uint64(n) for n in (11, 27, 29, 30, 31, 33))
_ALL_BITS = 2**64 - 1
_TO_UNIT = 2.0**-53
_LEAST = 2.0**-54


class Draw(IntEnum):
    """One purpose, one stream; a new one never shifts another."""

    TRAIT = 1
    TASTE = 2
    SLATE = 3
    WANTED = 4
    SESSION_COUNT = 5
    SESSION_TIME = 6
    SESSION_ORDER = 7
    ORDER_DELAY = 8
    ORDER_VALUE = 9
    CHURN = 10
    DELIVERY = 11
    AVAILABILITY = 12
    RESPONSE = 13
    CLICK_DELAY = 14
    CLICK_ORDER = 15
    DISPLACE = 16
    OPT_OUT = 17
    UNINSTALL = 18
    EVENT = 19
    EMISSION = 20
    CATALOGUE = 21
    CLICK_TIME = 22
    CLICK_VALUE = 23
    CLICK_VISIT = 24
    REFUND = 25
    REPLAY = 30


def life_keys(seed: ArrayLike, user: ArrayLike, *, episode: ArrayLike = 0) -> Key:
    """Key of each life: user ``user`` of seed ``seed`` in its episode ``episode``; broadcast.

    Parameters
    ----------
    seed : int or array of int
        Of the population, or of each row.
    user : int or array of int
        Who.
    episode : int or array of int
        How many lives the row has had before.
    """
    with np.errstate(over="ignore"):
        key = mix64(np.asarray(seed).astype(np.uint64))
        key = mix64(key + np.asarray(user).astype(np.uint64))
        return mix64(key + np.asarray(episode).astype(np.uint64))


def uniforms(
    key: Key, step: NDArray[np.int64], draw: Draw, *, lane: int | NDArray[Any] = 0
) -> Float:
    """Uniforms in [0, 1), one for each (key, step, lane); broadcast.

    Parameters
    ----------
    key : ndarray of uint64
        Of lives, see :func:`life_keys`.
    step : ndarray of int
        The life's own clock, in hours.
    draw : Draw
        The purpose.
    lane : int or array of int
        Tells several draws of one purpose and step apart.
    """
    stream = int(draw) * int(_STREAM)
    if isinstance(lane, int):
        offset: Key = np.asarray((stream + lane * int(_LANE)) & _ALL_BITS, np.uint64)
    else:
        offset = np.asarray(lane).astype(np.uint64) * _LANE + np.uint64(stream & _ALL_BITS)
    return _unit(key + (step.astype(np.uint64) * _TIME + offset))


def several(key: Key, step: NDArray[np.int64], purposes: tuple[tuple[Draw, int], ...]) -> Float:
    """Uniforms of P purposes at once, (P, N): those of :func:`uniforms`, in one pass.

    Parameters
    ----------
    key, step : ndarray, (N,)
        See :func:`uniforms`.
    purposes : tuple of (Draw, lane)
        What each row of the answer is for.
    """
    return _unit((key + step.astype(np.uint64) * _TIME) + _offsets(purposes)[:, None])


@lru_cache(maxsize=64)
def _offsets(purposes: tuple[tuple[Draw, int], ...]) -> Key:
    offsets = [(int(d) * int(_STREAM) + lane * int(_LANE)) & _ALL_BITS for d, lane in purposes]
    return np.array(offsets, np.uint64)


def _unit(bits: Key) -> Float:
    """Scramble in place, and scale to [0, 1)."""
    bits ^= bits >> _S30
    bits *= _FIRST
    bits ^= bits >> _S27
    bits *= _SECOND
    bits ^= bits >> _S31
    # A second round to be safe: no test of ours tells it from one, for keys that are hashes.
    bits ^= bits >> _S33
    bits *= _FIRST
    bits ^= bits >> _S29
    bits >>= _S11
    return np.asarray(bits * _TO_UNIT)


def normals(key: Key, step: NDArray[np.int64], draw: Draw, *, n_lanes: int) -> Float:
    """Standard normals, (N, n_lanes), by Box and Muller (1958) from pairs of uniforms.

    Parameters
    ----------
    key, step : ndarray, (N,)
        See :func:`uniforms`.
    draw : Draw
        The purpose.
    n_lanes : int
        How many a row.
    """
    n_pairs = -(-n_lanes // 2)
    lanes = np.arange(n_pairs)
    first = uniforms(key[:, None], step[:, None], draw, lane=2 * lanes)
    second = uniforms(key[:, None], step[:, None], draw, lane=2 * lanes + 1)
    radius = np.sqrt(-2.0 * np.log(first + _LEAST))
    angle = 2.0 * np.pi * second
    both = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return np.asarray(both[:, :n_lanes])


def normal_of(first: Float, second: Float) -> Float:
    """One standard normal of each pair of uniforms, as :func:`normals` makes them; broadcast."""
    return np.asarray(np.sqrt(-2.0 * np.log(first + _LEAST)) * np.cos(2.0 * np.pi * second))


def exponentials(uniform: Float) -> Float:
    """Unit exponentials from uniforms, by inversion."""
    return np.asarray(-np.log1p(-uniform))
