"""Off-policy estimators as pure functions: columns in, one term a row out.

The mean of the terms is the estimate. For self-normalised estimators the terms are the
estimate plus its influence function, so that their spread gives the right interval and every
estimator shares one path. All work on a leading axis of redraws. References: Horvitz and
Thompson (1952); Swaminathan and Joachims (2015), SNIPS; Dudík, Langford and Li (2011), DR;
Li et al. (2011), replay.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bandit.errors import BadInputError

__all__ = ["direct", "doubly_robust", "ips", "is_uniform", "replay", "snips"]

Array = NDArray[np.float64]


def ips(weight: Array, reward: Array) -> Array:
    """Inverse propensity scoring: terms w·r.

    Examples
    --------
    >>> float(ips(np.array([2.0]), np.array([1.0])).mean())
    2.0
    """
    return np.asarray(weight * reward)


def snips(weight: Array, reward: Array) -> Array:
    """Self-normalised IPS: Σwr/Σw, as value plus influence w(r − value)/w̄.

    Raises
    ------
    BadInputError
        If all weights are zero: the target never takes a logged action.
    """
    mean_weight = _mean_weight(weight)
    value = (weight * reward).mean(axis=-1, keepdims=True) / mean_weight
    return np.asarray(value + weight * (reward - value) / mean_weight)


def direct(baseline_target: Array) -> Array:
    """Direct method: what the reward model expects of the target policy."""
    return np.asarray(baseline_target)


def doubly_robust(
    weight: Array, reward: Array, *, baseline_logged: Array, baseline_target: Array
) -> Array:
    """Doubly robust: the model's value plus the weighted error it made on logged actions.

    Notes
    -----
    Consistent if the weights or the model are right. The model must not have seen the row's
    user (cross-fitting), or its own errors look smaller than they are.
    """
    return np.asarray(baseline_target + weight * (reward - baseline_logged))


def replay(target: Array, reward: Array, *, propensity: Array) -> Array:
    """Replay on a uniform log: rewards of rows weighted by the target's probability.

    For a deterministic target these are the rows where the log happened to agree.

    Raises
    ------
    BadInputError
        If the log is not uniform: use :func:`snips`, which weighs by propensity.
    """
    if not is_uniform(propensity):
        raise BadInputError(
            "expected one propensity for all rows, got several: replay needs a uniform log; "
            "use snips"
        )
    return snips(target, reward)


def is_uniform(propensity: Array) -> bool:
    """True where every logged action had the same propensity, to nine digits."""
    return bool(np.ptp(propensity) <= 1e-9 * np.max(propensity))


def _mean_weight(weight: Array) -> Array:
    mean = weight.mean(axis=-1, keepdims=True)
    if (mean <= 0).any():
        raise BadInputError(
            "expected a target that takes some logged action, got weights that are all zero: "
            "the log says nothing about this target"
        )
    return np.asarray(mean)
