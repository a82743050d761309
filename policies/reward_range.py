"""Between what a reward can lie, by the scheme's own weights.

A scheme enters; the least and the most that one decision can be paid leave. Whoever clips to a
range has to take it from the scheme: engines that assume costs in [0, 1] explore for ever where
rewards are logged as negative costs.
"""

from __future__ import annotations

import numpy as np

from bandit.errors import BadInputError
from bandit.outcomes import Component, RewardScheme

__all__ = ["reward_range"]


def reward_range(scheme: RewardScheme, *, largest: float) -> tuple[float, float]:
    """Least and most weighted reward of a decision; infinite where nothing bounds it.

    Parameters
    ----------
    scheme : RewardScheme
        Components and weights.
    largest : float
        The most that a count or a value can reach, above 0; infinite if it is not known. What is
        measured as *any* or *send* is 0 or 1.

    Examples
    --------
    >>> from bandit.outcomes import ENGAGEMENT
    >>> reward_range(ENGAGEMENT, largest=2.0)
    (-0.1005, 3.0)
    """
    if not largest > 0:
        raise BadInputError(f"expected a largest count or value above 0, got {largest}")
    ends = [_ends(c, largest) for c in scheme.components if c.weight]
    return float(sum(low for low, _ in ends)), float(sum(high for _, high in ends))


def _ends(component: Component, largest: float) -> tuple[float, float]:
    most = 1.0 if component.measure in ("any", "send") else largest
    least = -most if component.subtracts else 0.0
    ends = component.weight * np.array([least, most]) if least else (0.0, component.weight * most)
    return min(ends), max(ends)
