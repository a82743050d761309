"""Elimination: the actions that confidence bounds leave in play.

Bounds and a mask enter; the mask of plausible actions leaves. Source: Foster, Agarwal, Dudík,
Luo and Schapire (2018), "Practical contextual bandits with regression oracles", alg. 1.
"""

from __future__ import annotations

import numpy as np

from policies.exploration.masked import Mask, Scores, visible

__all__ = ["plausible"]


def plausible(lower: Scores, upper: Scores, mask: Mask) -> Mask:
    """Unmasked actions whose upper bound reaches the highest lower bound, (N, A).

    Never empty: the action of the highest lower bound is one of them.

    Parameters
    ----------
    lower, upper : ndarray, (N, A)
        Confidence bounds, finite where unmasked.
    mask : ndarray of bool, (N, A)
        True where an action may be taken.
    """
    surest = visible(lower, mask).max(axis=1, keepdims=True)
    return np.asarray(mask & (visible(upper, mask) >= surest))
