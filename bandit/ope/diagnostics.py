"""How far an estimate can be trusted: overlap figures and a verdict.

Weights and rewards enter; effective sample size, mean and largest weight, effective hits and
one of *usable*, *weak*, *do not use* leave. The thresholds were fixed before they were tested
on any log. References: Kish (1965), effective sample size.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from bandit.metric_math import effective_sample_size

__all__ = ["Diagnostics", "Verdict", "diagnose", "overlap_figures", "verdict_of"]

Array = NDArray[np.float64]

USABLE_ESS = 1_000.0
"""Below this a normal interval of a skewed weighted mean is not to be believed."""
USABLE_HITS = 30.0
"""The old rule of thumb for a normal approximation, on rewarded rows after weighting."""
USABLE_LARGEST = 0.05
"""One row must not carry more than a twentieth of all weight."""
USABLE_MEAN_OFF = 0.10
"""The mean weight is 1 if propensities are right and overlap is full."""
USELESS_ESS = 100.0
USELESS_HITS = 10.0
USELESS_MEAN_OFF = 0.25

_TINY = 1e-300


class Verdict(Enum):
    """Whether a number may carry a decision."""

    USABLE = "usable"
    WEAK = "weak"
    DO_NOT_USE = "do not use"


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostics:
    """Overlap of a target with a log."""

    n_rows: int
    ess: float
    mean_weight: float
    max_weight: float
    largest_share: float
    effective_hits: float
    verdict: Verdict
    why: str


def overlap_figures(weight: Array, reward: Array) -> dict[str, Array]:
    """Overlap figures along the last axis, (…, N) → (…) each.

    Parameters
    ----------
    weight, reward : ndarray, (…, N)
        Importance weights and rewards; a row is a hit where its reward is above 0.

    Returns
    -------
    dict
        ``ess, mean_weight, max_weight, largest_share, effective_hits``.
    """
    total = weight.sum(axis=-1)
    largest = weight.max(axis=-1)
    return {
        "ess": effective_sample_size(weight),
        "mean_weight": np.asarray(weight.mean(axis=-1)),
        "max_weight": np.asarray(largest),
        "largest_share": np.asarray(largest / np.maximum(total, _TINY)),
        "effective_hits": effective_sample_size(weight * (reward > 0)),
    }


def diagnose(weight: Array, reward: Array) -> Diagnostics:
    """Measure the overlap of N rows, and judge it; arguments as :func:`overlap_figures`."""
    figures = {name: float(figure) for name, figure in overlap_figures(weight, reward).items()}
    verdict, why = verdict_of(
        ess=figures["ess"],
        mean_weight=figures["mean_weight"],
        largest_share=figures["largest_share"],
        effective_hits=figures["effective_hits"],
    )
    return Diagnostics(n_rows=len(weight), verdict=verdict, why=why, **figures)


def verdict_of(
    *, ess: float, mean_weight: float, largest_share: float, effective_hits: float
) -> tuple[Verdict, str]:
    """Judge overlap figures; the reason names the first figure that fell short.

    A figure that is no number falls short of everything.
    """
    off = abs(mean_weight - 1.0)
    hits = f"effective hits {effective_hits:.1f}"
    for reaches, why in (
        (ess >= USELESS_ESS, f"effective sample {ess:.0f} < {USELESS_ESS:.0f}"),
        (effective_hits >= USELESS_HITS, f"{hits} < {USELESS_HITS:.0f}"),
        (off <= USELESS_MEAN_OFF, f"mean weight {mean_weight:.2f} is far from 1"),
    ):
        if not reaches:
            return Verdict.DO_NOT_USE, why
    for reaches, why in (
        (ess >= USABLE_ESS, f"effective sample {ess:.0f} < {USABLE_ESS:.0f}"),
        (effective_hits >= USABLE_HITS, f"{hits} < {USABLE_HITS:.0f}"),
        (off <= USABLE_MEAN_OFF, f"mean weight {mean_weight:.2f} is off 1"),
        (largest_share <= USABLE_LARGEST, f"one row carries {largest_share:.1%} of the weight"),
    ):
        if not reaches:
            return Verdict.WEAK, why
    return Verdict.USABLE, "overlap is enough"
