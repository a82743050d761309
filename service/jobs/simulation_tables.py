"""What the cells of a comparison say: means over seeds, paired differences, curves.

Results of cells of one preset enter; plain tables leave. A seed is the unit of every interval:
users of one seed meet the same policy, which learned from all of them, so they are no independent
trials of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit.metrics import measure
from bandit.ope.paired import Difference, difference, mean_of_seeds
from bandit.outcomes import RewardScheme
from simulator.worth import N_QUANTITIES, Quantity, Worth

__all__ = ["MEASURED", "Results", "best_static", "compared", "rewards_by_day", "rows_of", "summary"]

Array = NDArray[np.float64]
Cells = Sequence[Mapping[str, Any]]
Results = Mapping[str, Cells]
"""Results of each policy's cells, seeds in the same order."""

_WEEK = 7.0
_QUANTITY = {
    Quantity.SESSION: "sessions",
    Quantity.ORDER: "orders",
    Quantity.VALUE: "value",
    Quantity.CLICK: "clicks",
    Quantity.DISMISSAL: "dismissals",
    Quantity.OPT_OUT: "opt_outs",
    Quantity.UNINSTALL: "uninstalls",
    Quantity.SEND: "sends",
}

MEASURED: tuple[str, ...] = (
    "reward_per_user_week",
    "value_per_decision",
    "regret_myopic",
    "regret_dp",
    "gap_to_silence",
    "gap_to_best_static",
    "sends_per_user_week",
    "click_rate",
    "opt_outs_per_1000_sends",
    "reachable_at_end",
)
"""Columns of a row, each with ``_lower`` and ``_upper``; none where it is not known, as
``regret_dp`` is only of worlds that are solved exactly."""


def rewards_by_day(cell: Mapping[str, Any], scheme: RewardScheme) -> Array:
    """What came on each day, weighed, per user, (days,)."""
    came = np.zeros((len(cell["by_day"]["alive"]), N_QUANTITIES))
    for quantity, name in _QUANTITY.items():
        came[:, quantity] = cell["by_day"][name]
    return np.asarray(came @ Worth(scheme).of_quantity / cell["users"])


def summary(
    results: Results, *, scheme: RewardScheme, silence: str, statics: Sequence[str]
) -> dict[str, Any]:
    """Tables and curves of one preset, for ``metrics.json`` and the page.

    Parameters
    ----------
    results : mapping
        Cells of each policy.
    scheme : RewardScheme
        Weights.
    silence : str
        Name of the policy that never sends.
    statics : sequence of str
        Names of the static ones; the best of them is compared with.
    """
    best = best_static(results, statics, scheme=scheme)
    against = {"silence": silence, "best_static": best}
    rows = [
        row
        | _less(results, row["policy"], against, scheme)
        | _orders(results, row["policy"], silence)
        for row in rows_of(results, scheme=scheme)
    ]
    return {
        # Rewards of unlike seeds are not alike; differences within seeds are.
        "table": sorted(rows, key=lambda row: -(row["less_silence"] or 0.0)),
        "best_static": best,
        "silence": silence,
        "curves": {name: _curves(cells, scheme) for name, cells in results.items()},
        "sent_at": {
            name: np.sum([cell["sent_at"] for cell in cells], axis=0).tolist()
            for name, cells in results.items()
        },
        "interval": "95 %, Student's t over seeds; differences paired by seed",
    }


def best_static(results: Results, statics: Sequence[str], *, scheme: RewardScheme) -> str:
    """Name of the static policy whose worlds were worth most, on the seeds all of them walked."""
    asked = [name for name in statics if name in results]
    common = set.intersection(*({cell["seed"] for cell in results[name]} for name in asked))

    def worth(name: str) -> float:
        return float(np.mean(_reward([c for c in results[name] if c["seed"] in common], scheme)))

    return max(asked, key=worth)


def compared(
    results: Results, one: str, other: str, *, scheme: RewardScheme, alpha: float = 0.05
) -> Difference:
    """Reward per user-week of one policy's worlds less another's, over the seeds of both."""
    mine, theirs = (
        {cell["seed"]: value for cell, value in zip(cells, _reward(cells, scheme), strict=True)}
        for cells in (results[one], results[other])
    )
    seeds = [seed for seed in mine if seed in theirs]
    return difference(
        np.array([mine[seed] for seed in seeds]),
        np.array([theirs[seed] for seed in seeds]),
        alpha=alpha,
    )


def rows_of(results: Results, *, scheme: RewardScheme, alpha: float = 0.05) -> list[dict[str, Any]]:
    """One row a policy: every measured number with its interval over seeds."""
    rows = []
    for name, cells in results.items():
        row: dict[str, Any] = {"policy": name, "seeds": len(cells), "users": cells[0]["users"]}
        measured = _measured(cells, scheme)
        for metric in MEASURED:
            values = measured[metric]
            has_all = bool(np.isfinite(values).all())
            row |= _named(metric, mean_of_seeds(values, alpha=alpha) if has_all else None)
        rows.append(row)
    return rows


def _measured(cells: Cells, scheme: RewardScheme) -> dict[str, Array]:
    """Every metric of every seed, (S,) each."""
    # One action that is best for everybody: the same for all seeds.
    static = int(np.argmax(np.sum([cell["static"] for cell in cells], axis=0)))
    each = []
    for cell in cells:
        total = {name: float(np.sum(days)) for name, days in cell["by_day"].items()}
        n, weeks = total["decisions"], cell["users"] * len(cell["by_day"]["alive"]) / _WEEK
        columns = {
            "user_reward": np.array([rewards_by_day(cell, scheme).sum() * cell["users"]]),
            "user_weeks": np.array([weeks]),
            "n_sends": np.array([total["sends"]]),
            "n_opt_outs": np.array([total["opt_outs"]]),
        }
        delivered = total["delivered"]
        each.append(
            {
                "reward_per_user_week": measure("reward_per_user_week", columns),
                "value_per_decision": total["worth"] / n,
                "regret_myopic": (total["best"] - total["worth"]) / n,
                "regret_dp": total.get("regret_dp", float("nan")) / cell["users"],
                "gap_to_silence": (total["worth"] - total["silence"]) / n,
                "gap_to_best_static": (total["worth"] - cell["static"][static]) / n,
                "sends_per_user_week": measure("sends_per_user_week", columns),
                "click_rate": total["clicks"] / delivered if delivered else float("nan"),
                "opt_outs_per_1000_sends": measure("opt_outs_per_1000_sends", columns),
                "reachable_at_end": cell["by_day"]["reachable"][-1] / cell["users"],
            }
        )
    return {name: np.array([one[name] for one in each]) for name in MEASURED}


def _reward(cells: Cells, scheme: RewardScheme) -> Array:
    """Reward per user-week of each seed, (S,)."""
    return np.array([_WEEK * rewards_by_day(cell, scheme).mean() for cell in cells])


def _named(name: str, found: Difference | None) -> dict[str, Any]:
    """A number with its bounds and p; what is no number is none."""
    parts = ("mean", "lower", "upper", "p")
    keys = (name, f"{name}_lower", f"{name}_upper", f"{name}_p")
    values = [None if found is None else getattr(found, part) for part in parts]
    return {
        key: None if value is None or np.isnan(value) else float(value)
        for key, value in zip(keys, values, strict=True)
    }


def _less(
    results: Results, name: str, against: Mapping[str, str], scheme: RewardScheme
) -> dict[str, Any]:
    """Reward less that of each policy it is held against; none against itself."""
    found: dict[str, Any] = {}
    for what, other in against.items():
        is_other = other != name
        less = compared(results, name, other, scheme=scheme) if is_other else None
        found |= _named(f"less_{what}", less)
    return found


def _orders(results: Results, name: str, silence: str) -> dict[str, Any]:
    """Orders a policy brought on balance, beside those that clicks are credited with."""
    found: dict[str, Any] = {}
    mine, quiet = (
        {cell["seed"]: _per_user_week(cell, "orders") for cell in results[policy]}
        for policy in (name, silence)
    )
    seeds = [seed for seed in mine if seed in quiet]
    credited = [_per_user_week(cell, "attributed") for cell in results[name]]
    brought = difference(np.array([mine[s] for s in seeds]), np.array([quiet[s] for s in seeds]))
    found |= _named("orders_brought", brought)
    found |= _named("orders_attributed", mean_of_seeds(np.array(credited)))
    return found


def _per_user_week(cell: Mapping[str, Any], name: str) -> float:
    return _WEEK * float(np.mean(cell["by_day"][name])) / float(cell["users"])


def _curves(cells: Cells, scheme: RewardScheme) -> dict[str, list[float]]:
    """By day, means over seeds: reward and sends per user and week, share still reachable."""
    users = float(cells[0]["users"])

    def mean(name: str) -> Array:
        return np.asarray(np.mean([cell["by_day"][name] for cell in cells], axis=0) / users)

    reward = np.mean([rewards_by_day(cell, scheme) for cell in cells], axis=0)
    return {
        "reward": (_WEEK * reward).round(8).tolist(),
        "sends": (_WEEK * mean("sends")).round(6).tolist(),
        "reachable": mean("reachable").round(6).tolist(),
    }
