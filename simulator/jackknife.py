"""A figure made of users' sums, and its standard error.

Sums by user enter; the figure of all of them and the delete-a-group jackknife's standard error
leave. Users are dealt to groups in turn. Reference: Kott (2001), delete-a-group jackknife.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["jackknifed"]

Float = NDArray[np.float64]


def jackknifed(
    sums: Float, figure: Callable[[Float], float], *, n_groups: int = 20
) -> tuple[float, float]:
    """Value of a figure and its standard error.

    Parameters
    ----------
    sums : ndarray, (…, N)
        Columns that add up over users.
    figure : callable
        From the columns summed over users, (…), to a number.
    n_groups : int
        Groups that are left out one at a time; at most N are used.

    Examples
    --------
    >>> value, error = jackknifed(np.array([[1.0, 2.0, 3.0]]), lambda total: total[0] / 3)
    >>> value, round(error, 3)
    (2.0, 0.577)
    """
    n = sums.shape[-1]
    groups = min(n_groups, n)
    of_group = np.stack([sums[..., g::groups].sum(axis=-1) for g in range(groups)])
    total = of_group.sum(axis=0)
    # A group left out is made up for, so that figures which are sums keep their size.
    left = np.array([figure((total - one) * groups / (groups - 1)) for one in of_group])
    error = np.sqrt((groups - 1) / groups * ((left - left.mean()) ** 2).sum())
    return float(figure(total)), float(error)
