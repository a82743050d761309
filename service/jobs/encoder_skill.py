"""How well next categories and active windows are foretold, with household-bootstrap intervals.

Predictions of several rows (encoder, baselines) for the same questions enter; tables of skill
leave. Every metric is a ratio or a function of sums by household, so a bootstrap of households
is a matrix product and differences between rows are paired. Metrics: HR and NDCG with ties
counted against the scorer (Krichene and Rendle 2020 on why every item is ranked), AUC, Brier,
expected calibration error over bins of equal mass.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bandit.draws import Stream, generator
from bandit.metric_math import (
    auc_of_counts,
    discounted_gain,
    equal_mass_bins,
    ideal_gain,
    log_losses,
    ranks,
)

__all__ = ["ItemSums", "SlotSums", "item_sums", "skill_table", "slot_sums"]

Array = NDArray[np.float64]

_TOP = 10
_AUC_BINS = 1024
_CALIBRATION_BINS = 20
_N_BOOTSTRAP = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemSums:
    """Sums over each household's baskets."""

    n: Array  # (H,) baskets
    hits: Array  # (H,) share of the basket's items among the top ten, summed
    gain: Array  # (H,) NDCG@10, summed
    log_loss: Array  # (H,) mean −ln p of the basket's items, summed

    def metrics(self, weights: Array) -> dict[str, Array]:
        """Metrics under household weights (B, H), each (B,)."""
        n = weights @ self.n
        return {
            "HR@10": _ratio(weights @ self.hits, n),
            "NDCG@10": _ratio(weights @ self.gain, n),
            "log loss": _ratio(weights @ self.log_loss, n),
        }

    def __add__(self, other: ItemSums) -> ItemSums:
        return ItemSums(
            n=self.n + other.n,
            hits=self.hits + other.hits,
            gain=self.gain + other.gain,
            log_loss=self.log_loss + other.log_loss,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotSums:
    """Sums over each household's windows, and counts by bin of the prediction."""

    n: Array  # (H,)
    squares: Array  # (H,) of the error
    log_loss: Array  # (H,)
    positive: Array  # (H, bins) active windows by rank of their prediction
    negative: Array  # (H, bins)
    chance: Array  # (H, 20) predictions by bin of equal mass
    active: Array  # (H, 20)
    in_bin: Array  # (H, 20)

    def metrics(self, weights: Array) -> dict[str, Array]:
        """Metrics under household weights (B, H), each (B,)."""
        n = weights @ self.n
        positive, negative = weights @ self.positive, weights @ self.negative
        gaps = np.abs(weights @ self.chance - weights @ self.active).sum(axis=1)
        return {
            "AUC": auc_of_counts(positive, negative),
            "Brier": weights @ self.squares / n,
            "log loss": weights @ self.log_loss / n,
            "ECE": gaps / n,
        }

    def calibration(self) -> pa.Table:
        """Mean prediction, share active and count of each bin of equal mass."""
        count = self.in_bin.sum(axis=0)
        filled = count > 0
        return pa.table(
            {
                "predicted": self.chance.sum(axis=0)[filled] / count[filled],
                "active": self.active.sum(axis=0)[filled] / count[filled],
                "n": count[filled].astype(np.int64),
            }
        )


def item_sums(
    log_p: Array,
    *,
    household: NDArray[np.int64],
    n_households: int,
    target_row: NDArray[np.int64],
    target_item: NDArray[np.int64],
) -> ItemSums:
    """Sum the skill of Q baskets' predictions by household.

    Parameters
    ----------
    log_p : ndarray, (Q, V)
        Log-probabilities of the basket's items.
    household : ndarray, (Q,)
        Whose basket.
    target_row, target_item : ndarray, (P,)
        The items of each basket, rows ascending; every basket holds one at least.
    """
    n_rows = len(household)
    size = np.bincount(target_row, minlength=n_rows)
    found = log_p[target_row, target_item]
    rank = ranks(log_p, target_row, target_item)
    is_top = rank <= _TOP
    gain, ideal = discounted_gain(rank, top=_TOP), ideal_gain(size, top=_TOP)

    def by_household(values: Array, scale: Array) -> Array:
        rows = np.bincount(target_row, values, minlength=n_rows) / scale
        return np.asarray(np.bincount(household, rows, minlength=n_households), np.float64)

    sized = np.maximum(size, 1).astype(np.float64)
    return ItemSums(
        n=np.bincount(household, minlength=n_households).astype(np.float64),
        hits=by_household(is_top.astype(np.float64), sized),
        gain=by_household(gain, ideal),
        log_loss=by_household(-found, sized),
    )


def slot_sums(chance: Array, is_active: NDArray[np.bool_]) -> SlotSums:
    """Sum the skill of predictions (H, T, S) against what happened, by household."""
    n_households = chance.shape[0]
    p = np.clip(chance.reshape(n_households, -1), 1e-6, 1 - 1e-6)
    y = is_active.reshape(n_households, -1).astype(np.float64)
    fine = equal_mass_bins(p, n_bins=_AUC_BINS)
    coarse = equal_mass_bins(p, n_bins=_CALIBRATION_BINS)
    return SlotSums(
        n=np.full(n_households, float(p.shape[1])),
        squares=((p - y) ** 2).sum(axis=1),
        log_loss=log_losses(p, y).sum(axis=1),
        positive=_by_bin(fine, y, _AUC_BINS),
        negative=_by_bin(fine, 1 - y, _AUC_BINS),
        chance=_by_bin(coarse, p, _CALIBRATION_BINS),
        active=_by_bin(coarse, y, _CALIBRATION_BINS),
        in_bin=_by_bin(coarse, np.ones_like(p), _CALIBRATION_BINS),
    )


def skill_table(
    rows: Mapping[str, ItemSums] | Mapping[str, SlotSums], *, against: str, key: int
) -> pa.Table:
    """Each row's metrics with a 95 % interval, and the paired difference to row ``against``.

    Columns: row, metric, value, low, high, difference, difference_low, difference_high. A
    metric that a resample cannot have, because it drew no household with a basket or nobody
    active, is left out of the interval.
    """
    n_households = len(rows[against].n)
    rng = generator(key, stream=Stream.BOOTSTRAP)
    drawn = rng.multinomial(n_households, np.full(n_households, 1 / n_households), _N_BOOTSTRAP)
    weights = np.concatenate([np.ones((1, n_households)), drawn])
    found = {name: row.metrics(weights) for name, row in rows.items()}
    lines = []
    for name, metrics in found.items():
        for metric, values in metrics.items():
            change = values - found[against][metric]
            low, high = _interval(values[1:])
            change_low, change_high = _interval(change[1:])
            lines.append(
                {
                    "row": name,
                    "metric": metric,
                    "value": float(values[0]),
                    "low": low,
                    "high": high,
                    "difference": float(change[0]),
                    "difference_low": change_low,
                    "difference_high": change_high,
                }
            )
    return pa.Table.from_pylist(lines)


def _ratio(total: Array, n: Array) -> Array:
    return np.asarray(np.divide(total, n, out=np.full(n.shape, np.nan), where=n > 0))


def _interval(drawn: Array) -> tuple[float, float]:
    there = drawn[~np.isnan(drawn)]
    if not len(there):
        return float("nan"), float("nan")
    low, high = np.quantile(there, [0.025, 0.975])
    return float(low), float(high)


def _by_bin(bins: NDArray[np.int64], values: Array, n_bins: int) -> Array:
    rows = np.arange(len(bins))[:, None] * n_bins + bins
    flat = np.bincount(rows.ravel(), values.ravel(), minlength=len(bins) * n_bins)
    return np.asarray(flat.reshape(len(bins), n_bins), np.float64)
