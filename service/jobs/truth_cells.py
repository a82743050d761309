"""Cells of the evaluation against truth: what 200 estimates of one thing look like.

Evidence of one redraw after another enters; one row an estimator × weighting leaves: bias,
spread, widths, coverage with its binomial interval, overlap and verdict.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from bandit.ope.diagnostics import USABLE_ESS, USABLE_HITS, overlap_figures, verdict_of
from bandit.ope.evaluate import tempered, terms_of
from bandit.ope.evidence import Evidence, Weighting
from bandit.ope.intervals import clustered_error, normal_error
from service.jobs.loggers import Logged

__all__ = ["CONSISTENT", "Cells", "Target"]

Array = NDArray[np.float64]

CONSISTENT = (("ips", "joint"), ("snips", "joint"), ("dr", "joint"))
"""Consistent because the propensities are known and every action is possible."""

_REACH = 1.959963984540054


Cell = tuple[str, str]
"""Estimator and weighting."""
Figures = tuple[dict[Cell, tuple[float, float, float]], dict[str, dict[str, float]]]
"""One redraw's (value, normal error, clustered error) by cell, and overlap by weighting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A frozen policy on N rows."""

    name: str
    truth: float
    pmf: NDArray[np.float32]  # (N, A)
    item: NDArray[np.float32]  # (N, K)
    slot: NDArray[np.float32]  # (N, S)
    features: Array  # (N, Di·Ds) expected features of its sends


@dataclass(slots=True, kw_only=True)
class Cells:
    """Estimates of one target from one logger, over all redraws."""

    logger: str
    target: Target
    _found: dict[Cell, list[tuple[float, float, float]]] = field(default_factory=dict)
    _overlap: dict[str, list[dict[str, float]]] = field(default_factory=dict)

    def figures(self, columns: dict[str, Any]) -> Figures:
        """Estimates and overlap of one redraw; safe to call from several threads."""
        evidence = self._evidence(columns)
        found = {
            (estimator, weighting.value): (
                float(terms.mean()),
                float(normal_error(terms)),
                float(clustered_error(terms, evidence.cluster)),
            )
            for (estimator, weighting), terms in terms_of(evidence).items()
        }
        overlap = {}
        for weighting in evidence.weightings:
            of = overlap_figures(evidence.weight(weighting), evidence.reward)
            overlap[weighting.value] = {name: float(figure) for name, figure in of.items()}
        return found, overlap

    def add(self, figures: Figures) -> None:
        """Take one redraw's figures."""
        found, overlap = figures
        for cell, estimate in found.items():
            self._found.setdefault(cell, []).append(estimate)
        for weighting, row in overlap.items():
            self._overlap.setdefault(weighting, []).append(row)

    def rows(self) -> list[dict[str, Any]]:
        """One row an estimator × weighting."""
        return [self._row(*cell) for cell in self._found]

    def _row(self, estimator: str, weighting: str) -> dict[str, Any]:
        value, normal, cluster = np.array(self._found[estimator, weighting]).T
        truth = self.target.truth
        joint = _mean_figures(self._overlap[Weighting.JOINT.value])
        own = _mean_figures(self._overlap[weighting])
        verdicts = Counter(
            _verdict(figures, estimator, weighting) for figures in self._overlap[weighting]
        )
        is_enough = joint["ess"] >= USABLE_ESS and joint["effective_hits"] >= USABLE_HITS
        return {
            "logger": self.logger,
            "policy": self.target.name,
            "estimator": estimator,
            "weighting": weighting,
            "truth": truth,
            "mean": float(value.mean()),
            "bias": float(value.mean() - truth),
            "sd": float(value.std(ddof=1)) if len(value) > 1 else 0.0,
            "width_normal": float(2 * _REACH * normal.mean()),
            "width_clustered": float(2 * _REACH * cluster.mean()),
            "joint_ess": joint["ess"],
            "joint_effective_hits": joint["effective_hits"],
            "ess": own["ess"],
            "mean_weight": own["mean_weight"],
            "max_weight": own["max_weight"],
            "is_enough": bool(is_enough),
            "is_consistent": (estimator, weighting) in CONSISTENT,
            "verdict": _verdict(own, estimator, weighting),
            "verdict_shares": {name: n / len(value) for name, n in verdicts.items()},
        } | {
            f"coverage_{kind}": figure
            for kind, error in (("normal", normal), ("clustered", cluster))
            for figure in [_coverage(value, error, truth)]
        }

    def _evidence(self, columns: dict[str, Any]) -> Evidence:
        logged: Logged = columns["logged"]
        action, n_slots = logged.action, columns["n_slots"]
        rows = np.arange(len(action))
        item, slot = divmod(np.maximum(action - 1, 0), n_slots)
        is_hold = action == 0
        hold = self.target.pmf[:, 0].astype(np.float64)
        chosen = self.target.pmf[rows, action].astype(np.float64)
        return Evidence(
            reward=columns["reward"],
            propensity=logged.propensity,
            target=chosen,
            cluster=columns["cluster"],
            logged_item=logged.item,
            target_item=np.where(is_hold, hold, self.target.item[rows, item]),
            logged_slot=logged.slot,
            target_slot=np.where(is_hold, hold, self.target.slot[rows, slot]),
            logged_send=logged.send,
            target_send=np.where(is_hold, hold, 1.0 - hold),
            baseline_logged=columns["baseline_logged"],
            baseline_target=columns["baseline_target"],
        )


def _coverage(value: Array, error: Array, truth: float) -> dict[str, Any]:
    """Share of intervals that hold the truth, and whether 95 % is a plausible rate for it."""
    n = len(value)
    covered = int((np.abs(value - truth) <= _REACH * error).sum())
    low, high = binom.interval(0.95, n, 0.95)
    return {
        "share": covered / n,
        "plausible_from": float(low) / n,
        "plausible_to": float(high) / n,
        "is_plausible": bool(low <= covered <= high),
    }


def _verdict(figures: dict[str, float], estimator: str, weighting: str) -> str:
    verdict, why = verdict_of(
        ess=figures["ess"],
        mean_weight=figures["mean_weight"],
        largest_share=figures["largest_share"],
        effective_hits=figures["effective_hits"],
    )
    return tempered(verdict, why, estimator=estimator, weighting=Weighting(weighting))[0].value


def _mean_figures(overlap: list[dict[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([row[name] for row in overlap])) for name in overlap[0]}
