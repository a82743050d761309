"""Counter-based uniforms: the same key, stream and counter give the same number anywhere.

Integers (keys, ids, counters) enter; uniforms in [0, 1) leave. No state is kept, so a draw
does not depend on batch, shard or process, and a new stream never shifts another one.
Source of the mixer: Steele, Lea and Flood (2014), "Fast splittable pseudorandom number
generators", the SplitMix64 finaliser.
"""

from __future__ import annotations

import hashlib
from enum import IntEnum
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Stream", "generator", "key_of", "mix64", "uniforms"]

_GOLDEN = 0x9E3779B97F4A7C15
_FIRST = 0xBF58476D1CE4E5B9
_SECOND = 0x94D049BB133111EB
_STREAM = 0xD1342543DE82EF95
_TO_MANTISSA = 11
_TO_UNIT = 2.0**-53
_ALL_BITS = 0xFFFFFFFFFFFFFFFF


class Stream(IntEnum):
    """One purpose, one stream; values are part of the log's meaning and never change."""

    DECIDE = 1
    POSTERIOR = 2
    HOLDOUT = 3
    BOOTSTRAP = 4
    FOLD = 5
    QUERY = 6
    WORLD = 7
    TIE = 8
    INITIAL = 9


def mix64(values: ArrayLike) -> NDArray[np.uint64]:
    """Scramble 64-bit integers; a bijection, so distinct inputs never collide."""
    with np.errstate(over="ignore"):
        return _mixed(np.asarray(values).astype(np.uint64))


def key_of(*parts: int | str) -> int:
    """Fold names and numbers into one 64-bit key.

    Examples
    --------
    >>> key_of("lints", 3) == key_of("lints", 3)
    True
    >>> key_of("lints", 3) == key_of("lints", 4)
    False
    """
    digest = hashlib.blake2b(digest_size=8)
    for part in parts:
        encoded = f"{type(part).__name__}:{part}".encode()
        digest.update(len(encoded).to_bytes(4, "little") + encoded)
    return int.from_bytes(digest.digest(), "little")


def uniforms(key: int, counters: ArrayLike, *, stream: Stream) -> NDArray[np.float64]:
    """Uniforms in [0, 1), one for each counter.

    Parameters
    ----------
    key : int
        A 64-bit secret or seed.
    counters : array of int, any shape
        What distinguishes the draws: decision ids, user ids, row numbers.
    stream : Stream
        The purpose of the draw.

    Returns
    -------
    ndarray of float64
        Same shape as ``counters``, with 53 random bits each.
    """
    lane, numbers = _lane(key & _ALL_BITS, int(stream)), np.asarray(counters)
    if numbers.size == 1:
        # One decision at a time is the usual request: plain integers are ten times as fast.
        one = _mixed_one((int(numbers.item()) & _ALL_BITS) ^ lane)
        one = _mixed_one((one + lane) & _ALL_BITS)
        return np.full(numbers.shape, (one >> _TO_MANTISSA) * _TO_UNIT)
    offset = np.uint64(lane)
    with np.errstate(over="ignore"):
        bits = _mixed(_mixed(numbers.astype(np.uint64) ^ offset) + offset)
        return np.asarray((bits >> np.uint64(_TO_MANTISSA)) * _TO_UNIT, dtype=np.float64)


def generator(key: int, *, stream: Stream) -> np.random.Generator:
    """Return a numpy generator for draws that come in blocks, such as posterior parameters."""
    return np.random.Generator(np.random.Philox(key=[key & _ALL_BITS, int(stream)]))


def _mixed(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Scramble; the caller ignores overflow."""
    mixed = bits + np.uint64(_GOLDEN)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(_FIRST)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(_SECOND)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)), dtype=np.uint64)


def _mixed_one(bits: int) -> int:
    """Scramble one 64-bit integer, like :func:`_mixed`."""
    mixed = (bits + _GOLDEN) & _ALL_BITS
    mixed = ((mixed ^ (mixed >> 30)) * _FIRST) & _ALL_BITS
    mixed = ((mixed ^ (mixed >> 27)) * _SECOND) & _ALL_BITS
    return mixed ^ (mixed >> 31)


@lru_cache(maxsize=256)
def _lane(key: int, stream: int) -> int:
    """What tells a key's stream from all others: the same for each of its draws."""
    return _mixed_one((key + stream * _STREAM) & _ALL_BITS)
