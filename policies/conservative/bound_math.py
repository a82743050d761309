"""How much may be risked on a policy whose difference to a baseline is measured, not known.

Weighted sums of rewards of two groups enter; a lower bound of the difference of their means that
holds at all times at once, and the share of decisions that may be given to the policy, leave. Pure
functions. References: Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (2021), "Time-uniform central
limit theory and asymptotic confidence sequences", eq. 5; Wu, Shariff, Lattimore and Szepesvári
(2016), "Conservative bandits", for the constraint.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Sample", "allowed_share", "lower_bound", "reach"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Mean reward of one group."""

    mean: float
    variance: float  # of the mean
    n: float  # rows that it is worth


def reach(n: float, *, alpha: float, tuned_at: float) -> float:
    """Standard errors that a one-sided bound at all times lies away after ``n`` rows.

    √((1 + 1/(nρ²)) · ln((nρ² + 1) / (2α)²)), with the ρ that makes it least at ``tuned_at`` rows.

    Examples
    --------
    >>> round(reach(500.0, alpha=0.05, tuned_at=500.0), 2)
    2.76
    """
    log = -2.0 * np.log(2.0 * alpha)
    times = n * (log + np.log1p(log)) / tuned_at  # nρ²
    return float(np.sqrt((1.0 + 1.0 / times) * (np.log1p(times) + log)))


def lower_bound(policy: Sample, baseline: Sample, *, alpha: float, tuned_at: float) -> float:
    """Lower bound of the policy's mean less the baseline's; −∞ before both have two rows."""
    n = min(policy.n, baseline.n)
    if n < 2.0:
        return -np.inf
    error = np.sqrt(policy.variance + baseline.variance)
    return float(policy.mean - baseline.mean - reach(n, alpha=alpha, tuned_at=tuned_at) * error)


def allowed_share(value: float, lower: float, *, slack: float, worst_loss: float) -> float:
    """Share W of decisions that may be the policy's: W · loss ≤ slack · value of the baseline.

    Parameters
    ----------
    value : float
        Mean reward of the baseline.
    lower : float
        Lower bound of what the policy adds to it; 0 and above allow everything.
    slack : float
        Share of the baseline's value that may be lost.
    worst_loss : float
        Share of the baseline's value that the policy can lose at most, whatever was measured: 1
        where rewards are never negative.

    Examples
    --------
    >>> allowed_share(0.1, -0.02, slack=0.02, worst_loss=1.0)
    0.1
    """
    if lower >= 0.0:
        return 1.0
    if value <= 0.0:
        return min(1.0, slack / worst_loss)
    return float(min(1.0, slack / min(-lower / value, worst_loss)))
