"""What cross-fitted models say of each household and campaign: chances of a send, and spend.

Household × campaign rows enter; the same rows with a chance of being sent and the spend expected
with and without a send leave, each from models that never saw the row's household.
References: Rosenbaum and Rubin (1983), propensities; Crump et al. (2009), trimming to overlap.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.jobs.campaign_rows import CampaignRows
from service.jobs.reward_models import (
    BoostedChances,
    Calibrated,
    LogisticChances,
    RidgeThenTrees,
    RidgeValues,
    cross_fit,
    folds_of,
)

__all__ = ["OVERLAP", "CampaignSettings", "Fitted", "fit", "fit_types", "population_of"]

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

OVERLAP = (0.05, 0.95)
"""Chances of being sent between which both answers are seen often enough (Crump's rule is .1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignSettings:
    """What the study assumes.

    Parameters
    ----------
    cost : float
        Dollars that sending a campaign to one household costs (assumed: print and post).
    other_costs : tuple of float
        Costs at which the values are shown again.
    top_shares : tuple of float
        Shares of households, by estimated uplift, that targeted policies send to.
    least_chance : float
        Estimated chances are kept this far from 0 and 1; how many were is reported.
    n_folds : int
        Folds of households for cross-fitting.
    """

    cost: float = 0.50
    other_costs: tuple[float, ...] = (0.0, 2.0)
    top_shares: tuple[float, ...] = (0.1, 0.25, 0.5)
    least_chance: float = 0.01
    n_folds: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """Rows with what cross-fitted models say of them; no row's household was learned from."""

    rows: CampaignRows
    chance_logistic: Array  # (N,)
    chance_boosted: Array  # (N,)
    chance: Array  # (N,) the mean of the two, kept from 0 and 1
    share_clipped: float
    spend_hold: Array  # (N,) expected spend if held
    spend_send: Array  # (N,) expected spend if sent, before its cost

    @property
    def uplift(self) -> Array:
        """Expected dollars a send adds, before its cost, (N,)."""
        return self.spend_send - self.spend_hold

    def within(self, keep: Flags) -> Fitted:
        """Return the rows of ``keep``."""
        columns = {
            name: getattr(self, name)[keep]
            for name in ("chance_logistic", "chance_boosted", "chance", "spend_hold", "spend_send")
        }
        return replace(self, rows=self.rows.take(keep), **columns)


def fit(rows: CampaignRows, *, key: int, settings: CampaignSettings) -> Fitted:
    """Cross-fit chances of being sent and expected spend, for one type of campaign.

    Spend is modelled a day, because campaigns differ in length. The answer to a send is the
    answer to hold plus a ridge correction learned on sent rows: they are few.
    """
    fold = folds_of(rows.household, n_folds=settings.n_folds, key=key)
    x, sent = rows.features, rows.is_sent
    target = sent.astype(np.float64)
    logistic = cross_fit(x, target, fold=fold, make=lambda: Calibrated(LogisticChances))
    boosted = cross_fit(x, target, fold=fold, make=lambda: Calibrated(BoostedChances))
    raw = (logistic + boosted) / 2
    chance = np.clip(raw, settings.least_chance, 1 - settings.least_chance)
    daily = rows.spend / rows.n_days
    hold = cross_fit(x, daily, fold=fold, make=RidgeThenTrees, train=~sent)
    added = cross_fit(x, daily - hold, fold=fold, make=RidgeValues, train=sent)
    return Fitted(
        rows=rows,
        chance_logistic=logistic,
        chance_boosted=boosted,
        chance=chance,
        share_clipped=float((raw != chance).mean()),
        spend_hold=np.maximum(hold, 0.0) * rows.n_days,
        spend_send=np.maximum(hold + added, 0.0) * rows.n_days,
    )


def fit_types(rows: CampaignRows, *, key: int, settings: CampaignSettings) -> Mapping[str, Fitted]:
    """Models a type, since each type is targeted in its own way; ``all`` puts them together."""
    kinds = [str(kind) for kind in np.unique(rows.kind)]
    fitted = {kind: fit(rows.of_kind(kind), key=key, settings=settings) for kind in kinds}
    return fitted | {"all": _together(list(fitted.values()))}


def _together(parts: list[Fitted]) -> Fitted:
    def joined(of: Callable[[Fitted], Any]) -> Any:
        return np.concatenate([of(part) for part in parts])

    rows = CampaignRows(
        household=joined(lambda part: part.rows.household),
        campaign=joined(lambda part: part.rows.campaign),
        kind=joined(lambda part: part.rows.kind),
        is_sent=joined(lambda part: part.rows.is_sent),
        is_used=joined(lambda part: part.rows.is_used),
        n_days=joined(lambda part: part.rows.n_days),
        spend=joined(lambda part: part.rows.spend),
        features=joined(lambda part: part.rows.features),
        feature_names=parts[0].rows.feature_names,
    )
    sizes = [len(part.rows.spend) for part in parts]
    clipped = np.average([part.share_clipped for part in parts], weights=sizes)
    return Fitted(
        rows=rows,
        chance_logistic=joined(lambda part: part.chance_logistic),
        chance_boosted=joined(lambda part: part.chance_boosted),
        chance=joined(lambda part: part.chance),
        share_clipped=float(clipped),
        spend_hold=joined(lambda part: part.spend_hold),
        spend_send=joined(lambda part: part.spend_send),
    )


def population_of(fitted: Fitted, population: str) -> Fitted:
    """All rows, or those of the overlap."""
    if population == "all":
        return fitted
    return fitted.within((fitted.chance >= OVERLAP[0]) & (fitted.chance <= OVERLAP[1]))
