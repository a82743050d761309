"""Every estimator × weighting an evidence allows, each with intervals and a verdict.

An :class:`~bandit.ope.evidence.Evidence` enters; an Arrow table leaves, one row an estimate.
Uplift against always holding comes from the same rows, because that is the question a push
has to answer first.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bandit.draws import key_of
from bandit.errors import expect_shape
from bandit.identity import Comparable
from bandit.ope.diagnostics import Diagnostics, Verdict, diagnose
from bandit.ope.estimators import direct, doubly_robust, ips, is_uniform, replay, snips
from bandit.ope.evidence import Evidence, Weighting
from bandit.ope.intervals import bootstrap, clustered, normal

__all__ = ["evaluate", "tempered", "terms_of", "uplift_against_hold"]

Array = NDArray[np.float64]


def evaluate(
    evidence: Evidence, *, key: int, alpha: float = 0.05, n_bootstrap: int = 1000
) -> pa.Table:
    """Estimate the target's value in every way the evidence allows.

    Parameters
    ----------
    evidence : Evidence
        Columns of N logged decisions.
    key : int
        Seeds the bootstrap.
    alpha : float
        One minus the level of the intervals.
    n_bootstrap : int
        Resamples of users.

    Returns
    -------
    pyarrow.Table
        ``estimator, weighting, value``, three intervals, overlap figures, ``verdict, why``.
    """
    rows = []
    for (estimator, weighting), terms in terms_of(evidence).items():
        rows.append(
            {"estimator": estimator, "weighting": weighting.value}
            | _interval_columns(
                terms, evidence.cluster, key_of(key, estimator, weighting.value), alpha, n_bootstrap
            )
            | _overlap_columns(evidence, estimator, weighting)
        )
    return pa.Table.from_pylist(rows)


def terms_of(evidence: Evidence) -> dict[tuple[str, Weighting], Array]:
    """Terms of every estimator × weighting, (…, N) each.

    What is divided by the sum of weights is left out where that sum is zero: of a target that
    takes no logged action the log says nothing under that weighting, but others may.
    """
    found: dict[tuple[str, Weighting], Array] = {}
    for weighting in evidence.weightings:
        weight = evidence.weight(weighting)
        found["ips", weighting] = ips(weight, evidence.reward)
        if (weight.sum(axis=-1) > 0).all():
            found["snips", weighting] = snips(weight, evidence.reward)
        if evidence.baseline_logged is not None and evidence.baseline_target is not None:
            found["dr", weighting] = doubly_robust(
                weight,
                evidence.reward,
                baseline_logged=evidence.baseline_logged,
                baseline_target=evidence.baseline_target,
            )
    if evidence.baseline_target is not None:
        found["dm", Weighting.JOINT] = direct(evidence.baseline_target)
    if is_uniform(evidence.propensity) and ("snips", Weighting.JOINT) in found:
        found["replay", Weighting.JOINT] = replay(
            evidence.target, evidence.reward, propensity=evidence.propensity
        )
    return found


def tempered(
    verdict: Verdict, why: str, *, estimator: str, weighting: Weighting
) -> tuple[Verdict, str]:
    """Hold back from *usable* what overlap alone cannot vouch for.

    The direct method is as good as its model, and no weight corrects it. Marginalised weights
    are unbiased only where the reward depends on that part of the action alone; how much they
    miss is not in their own overlap, which is always better than the joint one.
    """
    if verdict is not Verdict.USABLE:
        return verdict, why
    if estimator == "dm":
        return Verdict.WEAK, "rests on the reward model alone"
    if weighting is not Weighting.JOINT:
        part = weighting.value
        return Verdict.WEAK, f"unbiased only where the reward depends on the {part} alone"
    return verdict, why


def uplift_against_hold(
    evidence: Evidence,
    *,
    is_hold: NDArray[np.bool_],
    key: int,
    compared: Comparable | None = None,
    alpha: float = 0.05,
    n_bootstrap: int = 1000,
) -> dict[str, Any]:
    """What the target adds to always holding, self-normalised, from the same rows.

    Parameters
    ----------
    evidence : Evidence
        The target's evidence.
    is_hold : ndarray of bool, (N,)
        True where the logged action was hold; its propensity is P(hold).
    compared : Comparable, optional
        Which rows may enter, see :func:`bandit.identity.comparable`: users who were merged
        across experiment groups are left out and counted, and clusters are whole users.

    Returns
    -------
    dict
        Value, intervals, verdict, and ``n_users_left_out``, ``n_rows_left_out``.
    """
    left_out = {"n_users_left_out": 0, "n_rows_left_out": 0}
    expect_shape("is_hold", is_hold, evidence.cluster.shape, "one claim a row")
    if compared is not None:
        evidence = replace(evidence, cluster=compared.user).take(compared.rows)
        is_hold = is_hold[compared.rows]
        left_out = {name: getattr(compared, name) for name in left_out}
    hold_weight = np.where(is_hold, 1.0 / evidence.propensity, 0.0)
    target_terms = snips(evidence.weight(Weighting.JOINT), evidence.reward)
    terms = target_terms - snips(hold_weight, evidence.reward)
    verdict, why = _worse(
        ("target", diagnose(evidence.weight(Weighting.JOINT), evidence.reward)),
        ("hold", diagnose(hold_weight, evidence.reward)),
    )
    columns = _interval_columns(terms, evidence.cluster, key, alpha, n_bootstrap)
    return columns | {"verdict": verdict.value, "why": why} | left_out


def _worse(*sides: tuple[str, Diagnostics]) -> tuple[Verdict, str]:
    """A difference is no better known than the worse known of its two sides."""
    order = (Verdict.DO_NOT_USE, Verdict.WEAK, Verdict.USABLE)
    name, found = min(sides, key=lambda side: order.index(side[1].verdict))
    return found.verdict, f"{name}: {found.why}"


def _interval_columns(
    terms: Array, cluster: NDArray[np.int64], key: int, alpha: float, n_bootstrap: int
) -> dict[str, float]:
    low, high = normal(terms, alpha=alpha)
    cluster_low, cluster_high = clustered(terms, cluster, alpha=alpha)
    boot_low, boot_high = bootstrap(terms, cluster, key=key, n_resamples=n_bootstrap, alpha=alpha)
    return {
        "value": float(terms.mean()),
        "normal_lower": float(low),
        "normal_upper": float(high),
        "clustered_lower": float(cluster_low),
        "clustered_upper": float(cluster_high),
        "bootstrap_lower": boot_low,
        "bootstrap_upper": boot_high,
    }


def _overlap_columns(evidence: Evidence, estimator: str, weighting: Weighting) -> dict[str, Any]:
    found = diagnose(evidence.weight(weighting), evidence.reward)
    verdict, why = tempered(found.verdict, found.why, estimator=estimator, weighting=weighting)
    return {
        "n_rows": found.n_rows,
        "ess": found.ess,
        "mean_weight": found.mean_weight,
        "max_weight": found.max_weight,
        "largest_share": found.largest_share,
        "effective_hits": found.effective_hits,
        "verdict": verdict.value,
        "why": why,
    }
