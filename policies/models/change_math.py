"""When does a row of standard normal numbers no longer have mean zero? Page's cumulative sums.

Numbers enter one by one; two sums leave, and the threshold that gives a stated mean time between
false alarms. Pure functions. References: Page (1954), "Continuous inspection schemes"; Siegmund
(1985), "Sequential analysis", eq. 2.54, for the mean time to an alarm with his correction of 1.166
for the overshoot.
"""

from __future__ import annotations

import numpy as np

__all__ = ["mean_time", "stepped", "threshold"]

_OVERSHOOT = 1.166
_FARTHEST = 60.0


def stepped(up: float, down: float, z: float, *, allowance: float) -> tuple[float, float]:
    """Both sums after one more number.

    Parameters
    ----------
    up, down : float
        Sums for a mean above and below zero, 0 at the start.
    z : float
        Standard normal where nothing has changed.
    allowance : float
        k: half of the shift that is to be found soonest, in standard deviations.

    Examples
    --------
    >>> stepped(1.0, 0.0, 2.0, allowance=0.5)
    (2.5, 0.0)
    """
    return max(0.0, up + z - allowance), max(0.0, down - z - allowance)


def mean_time(height: float, *, shift: float, allowance: float) -> float:
    """Mean number of steps until one of both sums exceeds ``height``.

    Parameters
    ----------
    height : float
        h.
    shift : float
        Mean of the numbers; 0 for the mean time between false alarms.
    allowance : float
        k.

    Examples
    --------
    >>> round(mean_time(5.0, shift=0.0, allowance=0.5))
    469
    """
    up, down = (_one_sided(height, drift) for drift in (shift - allowance, -shift - allowance))
    return 1.0 / (1.0 / up + 1.0 / down)


def threshold(steps: float, *, allowance: float) -> float:
    """Height whose mean time between false alarms is so many steps, by bisection.

    Examples
    --------
    >>> round(threshold(469.0, allowance=0.5), 1)
    5.0
    """
    low, high = 0.0, _FARTHEST
    for _ in range(60):
        middle = (low + high) / 2.0
        is_short = mean_time(middle, shift=0.0, allowance=allowance) < steps
        low, high = (middle, high) if is_short else (low, middle)
    return high


def _one_sided(height: float, drift: float) -> float:
    """Mean steps of one sum whose numbers have mean ``drift``."""
    far = height + _OVERSHOOT
    if abs(drift) < 1e-9:
        return far**2
    exponent = min(-2.0 * drift * far, 700.0)
    return float((np.exp(exponent) - exponent - 1.0) / (2.0 * drift**2))
