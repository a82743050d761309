"""Every metric by its name: what it means, its unit, which direction is good, and its formula.

Columns enter by name; one number leaves. A report that shows a metric shows it under the name
and with the meaning given here. Regret has its oracle in its name: with fatigue the myopically
best action is not optimal, so a bare "regret" would say nothing (DESIGN §10.1).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bandit import metric_math as maths
from bandit.errors import BadInputError, BadShapeError

__all__ = ["METRICS", "Better", "Metric", "measure", "metrics_table"]

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]


class Better(Enum):
    """Which direction of a metric is good."""

    HIGHER = "higher"
    LOWER = "lower"
    NEITHER = "neither"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One named number.

    Parameters
    ----------
    name : str
        What tables and reports call it.
    meaning : str
        One line.
    unit : str
        Of the number.
    better : Better
        Which direction is good.
    formula : callable
        Its arguments name the columns it needs.
    """

    name: str
    meaning: str
    unit: str
    better: Better
    formula: Callable[..., Any]

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns it is computed from."""
        return tuple(inspect.signature(self.formula).parameters)


def measure(name: str, columns: Mapping[str, Any]) -> float:
    """Compute a metric from the columns it needs; others are ignored.

    Parameters
    ----------
    name : str
        A key of :data:`METRICS`.
    columns : mapping
        Arrays with one row each of what is counted; NaN is the answer where nothing is. Claims
        (``is_…``, ``mask``, ``happened``) are bool, or 0 and 1.

    Raises
    ------
    BadInputError
        For an unknown metric, a missing column, columns of unlike length, a claim that is none,
        or NaN: what it would count as is not for a formula to decide.

    Examples
    --------
    >>> measure("send_share", {"is_send": np.array([True, False, False, True])})
    0.5
    """
    if name not in METRICS:
        raise BadInputError(f"expected a metric out of {', '.join(METRICS)}; got {name!r}")
    metric = METRICS[name]
    missing = [column for column in metric.columns if column not in columns]
    if missing:
        raise BadInputError(
            f"expected columns {', '.join(metric.columns)} for {name}, missing: "
            f"{', '.join(missing)}; got {', '.join(columns)}"
        )
    given = {column: _checked(column, columns[column]) for column in metric.columns}
    lengths = {column: len(array) for column, array in given.items() if array.ndim}
    if len(set(lengths.values())) > 1:
        raise BadShapeError(f"expected columns of one length for {name}, got {lengths}")
    if 0 in lengths.values():
        return float("nan")
    return float(metric.formula(**given))


def metrics_table() -> pa.Table:
    """Lay out all metrics for a page or a document: name, meaning, unit, better, columns."""
    return pa.Table.from_pylist(
        [
            {
                "metric": metric.name,
                "meaning": metric.meaning,
                "unit": metric.unit,
                "better": metric.better.value,
                "columns": ", ".join(metric.columns),
            }
            for metric in METRICS.values()
        ]
    )


def _checked(name: str, column: Any) -> NDArray[Any]:
    """One column as an array; claims as bool, so that 1 never means *row 1*."""
    array = np.asarray(column)
    if np.isnan(array).any():
        row = int(np.argwhere(np.isnan(array))[0][0])
        raise BadInputError(
            f"expected numbers in column {name}, got NaN in row {row}: leave such rows out, and "
            "say how many"
        )
    if not (name.startswith("is_") or name in ("mask", "happened")):
        return array
    is_claim = (array == 0) | (array == 1)
    if not is_claim.all():
        raise BadInputError(
            f"expected claims (bool, or 0 and 1) in column {name}, got {array[~is_claim][0]!r}"
        )
    return array.astype(np.bool_)


def _value_per_decision(reward: Array) -> float:
    return float(reward.mean())


def _hits_per_send(is_hit: Flags, is_send: Flags) -> float:
    return maths.share(is_hit, is_send)


def _send_share(is_send: Flags) -> float:
    return maths.share(is_send)


def _click_rate(is_clicked: Flags, is_delivered: Flags) -> float:
    return maths.share(is_clicked, is_delivered)


def _conversion_rate(n_converted: Array) -> float:
    return maths.share(n_converted > 0)


def _opt_out_rate(is_opted_out: Flags) -> float:
    return maths.share(is_opted_out)


def _uplift_per_decision(reward: Array, is_live: Flags) -> float:
    return maths.difference_of_groups(reward, is_live)


def _regret_myopic(worth: Array, pmf: Array, mask: Flags) -> float:
    return float((maths.best_worth(worth, mask) - maths.policy_worth(worth, pmf)).mean())


def _regret_dp(best_return: Array, policy_return: Array) -> float:
    return float((best_return - policy_return).mean())


def _gap_to_best_static(worth: Array, pmf: Array, mask: Flags) -> float:
    return float(maths.policy_worth(worth, pmf).mean()) - maths.best_static_worth(worth, mask)


def _gap_to_silence(worth: Array, pmf: Array) -> float:
    return float((maths.policy_worth(worth, pmf) - worth[:, 0]).mean())


def _reward_per_user_week(user_reward: Array, user_weeks: Array) -> float:
    return maths.ratio(user_reward, user_weeks)


def _sends_per_user_week(n_sends: Array, user_weeks: Array) -> float:
    return maths.ratio(n_sends, user_weeks)


def _opt_outs_per_1000_sends(n_opt_outs: Array, n_sends: Array) -> float:
    return 1000.0 * maths.ratio(n_opt_outs, n_sends)


def _reachable_at_end(is_reachable: Flags) -> float:
    return maths.share(is_reachable)


def _mean_weight(weight: Array) -> float:
    return float(weight.mean())


def _interval_width(lower: Array, upper: Array) -> float:
    return float((upper - lower).mean())


def _log_loss(chance: Array, happened: Flags) -> float:
    return float(maths.log_losses(chance, happened).mean())


def _calibration_error(chance: Array, happened: Flags) -> float:
    return maths.calibration_error(chance, happened)


def _hit_rate_at_10(rank: Array) -> float:
    return maths.share(rank <= 10)


def _ndcg_at_10(rank: Array) -> float:
    return float(maths.discounted_gain(rank, top=10).mean())


def _mrr(rank: Array) -> float:
    return float((1 / rank).mean())


_HIGHER, _LOWER, _NEITHER = Better.HIGHER, Better.LOWER, Better.NEITHER

_ROWS: tuple[tuple[str, str, str, Better, Callable[..., Any]], ...] = (
    (
        "value_per_decision",
        "mean reward of a decision, hold and send alike, under the scheme's weights",
        "scheme's unit a decision",
        _HIGHER,
        _value_per_decision,
    ),
    (
        "send_share",
        "share of decisions whose plan is a send",
        "share of decisions",
        _NEITHER,
        _send_share,
    ),
    (
        "hits_per_send",
        "share of sends that hit: the user does it in the slot, as they may have anyway",
        "hits a send",
        _HIGHER,
        _hits_per_send,
    ),
    (
        "click_rate",
        "share of delivered messages that are clicked; engagement, never uplift",
        "clicks a delivered message",
        _HIGHER,
        _click_rate,
    ),
    (
        "conversion_rate",
        "share of decisions with at least one conversion in their interval",
        "share of decisions",
        _HIGHER,
        _conversion_rate,
    ),
    (
        "opt_out_rate",
        "share of decisions after which the user unsubscribed within the window",
        "share of decisions",
        _LOWER,
        _opt_out_rate,
    ),
    (
        "uplift_per_decision",
        "mean reward of live users less that of the randomised holdout",
        "scheme's unit a decision",
        _HIGHER,
        _uplift_per_decision,
    ),
    (
        "regret_myopic",
        "true worth of each row's best eligible action (myopic oracle) less the policy's",
        "scheme's unit a decision",
        _LOWER,
        _regret_myopic,
    ),
    (
        "regret_dp",
        "true return of the best policy there is (oracle solved by dynamic programming) less "
        "the policy's",
        "scheme's unit a run",
        _LOWER,
        _regret_dp,
    ),
    (
        "gap_to_silence",
        "true worth of the policy less that of always holding",
        "scheme's unit a decision",
        _HIGHER,
        _gap_to_silence,
    ),
    (
        "gap_to_best_static",
        "true worth of the policy less that of the one best action for everybody",
        "scheme's unit a decision",
        _HIGHER,
        _gap_to_best_static,
    ),
    (
        "reward_per_user_week",
        "what all outcomes of a run were worth, each counted once, over users and weeks",
        "scheme's unit a user-week",
        _HIGHER,
        _reward_per_user_week,
    ),
    (
        "sends_per_user_week",
        "sends carried out, over users and weeks",
        "sends a user-week",
        _NEITHER,
        _sends_per_user_week,
    ),
    (
        "opt_outs_per_1000_sends",
        "users who unsubscribed in a thousand sends",
        "opt-outs a thousand sends",
        _LOWER,
        _opt_outs_per_1000_sends,
    ),
    (
        "reachable_at_end",
        "share of users who can still be written to when the run ends",
        "share of users",
        _HIGHER,
        _reachable_at_end,
    ),
    (
        "ess",
        "effective sample size: how many equally weighted rows the weights amount to",
        "rows",
        _HIGHER,
        maths.effective_sample_size,
    ),
    (
        "mean_weight",
        "mean importance weight; 1 where propensities are right and overlap is full",
        "1",
        _NEITHER,
        _mean_weight,
    ),
    (
        "coverage",
        "share of intervals that hold the truth; 95 % intervals should hold it in 95 %",
        "share of intervals",
        _NEITHER,
        maths.coverage,
    ),
    (
        "interval_width",
        "mean width of intervals",
        "unit of the estimate",
        _LOWER,
        _interval_width,
    ),
    (
        "auc",
        "chance that a row where it happened scores above one where it did not, ties a half",
        "probability",
        _HIGHER,
        maths.auc,
    ),
    (
        "log_loss",
        "mean -ln of the probability given to what happened",
        "nats a row",
        _LOWER,
        _log_loss,
    ),
    (
        "brier",
        "mean squared error of probabilities",
        "squared probability",
        _LOWER,
        maths.brier,
    ),
    (
        "calibration_error",
        "mean distance of chance and share that happened, over ten bins of equal mass",
        "probability",
        _LOWER,
        _calibration_error,
    ),
    (
        "hit_rate_at_10",
        "share of rows whose one relevant item is among the first ten of all items",
        "share of rows",
        _HIGHER,
        _hit_rate_at_10,
    ),
    (
        "ndcg_at_10",
        "mean discounted gain of the one relevant item among the first ten of all items",
        "gain, 0 to 1",
        _HIGHER,
        _ndcg_at_10,
    ),
    (
        "mrr",
        "mean of 1 / rank of the one relevant item among all items",
        "1 / rank",
        _HIGHER,
        _mrr,
    ),
)

METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        name: Metric(name=name, meaning=meaning, unit=unit, better=better, formula=formula)
        for name, meaning, unit, better, formula in _ROWS
    }
)
"""All named metrics; tables and reports use these names."""
