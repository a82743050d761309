"""What of a reward scheme a policy learns, and what it knows: the cost of a send is no secret.

A scheme enters; positions, worths and whole estimates leave. One place, so that every policy adds
the same known worth to what it has learned. DESIGN §4 *Policy*.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bandit.outcomes import RewardScheme
from bandit.protocols import Estimate

__all__ = ["estimate_of", "learned_of", "send_value"]

Array = NDArray[np.float64]


def learned_of(scheme: RewardScheme) -> NDArray[np.int64]:
    """Positions of the components that are learned: all but costs of the send itself, (R',)."""
    return np.flatnonzero([component.measure != "send" for component in scheme.components])


def send_value(scheme: RewardScheme) -> float:
    """Weighted worth of sending as such: 0 or less where sends cost."""
    return sum(c.weight for c in scheme.components if c.measure == "send")


def estimate_of(scheme: RewardScheme, base: Array, uplift: Array) -> Estimate:
    """Estimate of what is learned, with each send counted once where the scheme counts sends.

    Parameters
    ----------
    scheme : RewardScheme
        R components.
    base : ndarray, (2, N, R)
        Mean and standard deviation without a push.
    uplift : ndarray, (2, N, A, R)
        Mean and standard deviation of what each action adds; written to.
    """
    for position, known in enumerate(scheme.components):
        if known.measure == "send":
            uplift[0, :, 1:, position] = 1.0
    return Estimate(base_mean=base[0], base_sd=base[1], uplift_mean=uplift[0], uplift_sd=uplift[1])
