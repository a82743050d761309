"""Users on several devices: which of them an outcome is told under, and whose each one is.

Ids of users and numbers of devices enter; ids of devices and the :class:`~bandit.identity.Links`
between them leave. A user's first device goes by the user's own id.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bandit.identity import Links
from bandit.outcomes import Kind
from simulator.emission import Heard
from simulator.streams import Draw, uniforms

__all__ = ["MOST_USERS", "device_ids", "links_of_devices"]

Whole = NDArray[np.int64]

MOST_USERS = 1 << 32
"""Ids of users lie below; those of further devices above."""

_ON_A_DEVICE = np.array([Kind.SESSION, Kind.CONVERTED], np.uint8)
_LANE = 5


def device_ids(told: Heard, *, user: Whole, n_devices: NDArray[np.int8]) -> Whole:
    """Id of the device on which each outcome came about, (M,); answers go by the user's own.

    Parameters
    ----------
    told : Heard
        M outcomes.
    user : ndarray of int, (M,)
        Whose they are.
    n_devices : ndarray of int, (M,)
        How many devices each has.
    """
    key, zero = told.outcome_id.astype(np.uint64), np.zeros(1, np.int64)
    drawn = uniforms(key, zero, Draw.EMISSION, lane=_LANE)
    device = (drawn * n_devices).astype(np.int64)
    return np.where(np.isin(told.kind, _ON_A_DEVICE), user + MOST_USERS * device, user)


def links_of_devices(user: Whole, n_devices: NDArray[np.int8], *, at_ms: int) -> Links:
    """Links of every further device to its user, known from ``at_ms`` on."""
    further = np.maximum(n_devices.astype(np.int64) - 1, 0)
    whose = np.repeat(user, further)
    number = 1 + np.arange(len(whose)) - np.repeat(np.cumsum(further) - further, further)
    device = whose + MOST_USERS * number
    return Links.of(device, whose, at_ms=np.full(len(device), at_ms))
