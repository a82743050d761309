"""The committed table of the main job: ``python -m experiments.main_job``.

``opportune run --full`` (or a finished run's folder) enters; the tables of its steps leave
beside the other results: every policy's value, the gains, the campaigns, the coverage against
truth, the encoder's skill.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from experiments.record import RESULTS, record
from service.jobs.run import RunSettings, run
from service.reports.truth_section import coverage_answer

__all__ = ["main", "tables_of"]

Metrics = Mapping[str, Any]

_ONLINE = (
    "policy",
    "start",
    "value",
    "lower",
    "upper",
    "expected",
    "unfloored",
    "send_share",
    "hits_per_send",
    "hits_per_send_at_equal_sends",
    "n",
)
_GAINS = ("what", "one", "other", "value", "value_lower", "value_upper")
_UPLIFT = (
    "kind",
    "population",
    "n_sent",
    "value",
    "lower",
    "upper",
    "placebo_value",
    "placebo_lower",
    "placebo_upper",
    "naive",
    "ess",
    "verdict",
)
_TRUTH = (
    "logger",
    "policy",
    "estimator",
    "weighting",
    "truth",
    "bias",
    "sd",
    "width_clustered",
    "joint_ess",
    "joint_effective_hits",
    "verdict",
)
_SKILL = ("row", "metric", "value", "low", "high", "difference")


def tables_of(metrics: Metrics) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield the name and the rows of each table that is committed."""
    online = metrics["online"]
    yield "online", [_some(row, _ONLINE) for row in online["table"]]
    yield "gains", [_some(row, _GAINS) for row in online["gains"]]
    for name in ("next_item", "active_in_slot"):
        yield name, [_some(row, _SKILL) for row in metrics["encoder"][name]]
    if "campaigns" in metrics:
        yield "campaigns", [_some(row, _UPLIFT) for row in metrics["campaigns"]["uplift"]]
    yield "truth", [_truth_row(cell) for cell in metrics["truth"]["cells"]]


def main() -> None:
    """Run the job in full, or take a finished run, and record its tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, help="a finished run's folder; runs in full without it")
    parser.add_argument("--root", type=Path, default=Path("runs"), help="folder of runs (runs)")
    parser.add_argument("--out", type=Path, default=RESULTS)
    chosen = parser.parse_args()
    folder = chosen.run or run(RunSettings(full=True), root=chosen.root)
    metrics: Metrics = json.loads((folder / "metrics.json").read_text())
    settings = {
        "seeds": metrics["online"]["seeds"],
        "households a seed": metrics["online"]["households"],
        "online days": metrics["online"]["days"],
        "redraws": metrics["truth"]["n_redraws"],
        "run at commit": metrics["run"]["commit"],
        "seconds": metrics["run"]["seconds"],
    }
    notes = (
        metrics["data"]["source"],
        "A hit would have happened anyway: no uplift is claimed outside the campaigns.",
        metrics["online"]["interval"],
        coverage_answer(metrics["truth"]),
    )
    for name, rows in tables_of(metrics):
        record(f"main_job_{name}", rows, settings=settings, notes=notes, folder=chosen.out)
    print(f"recorded under {chosen.out}")


def _some(row: Metrics, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: row[name] for name in names}


def _truth_row(cell: Metrics) -> dict[str, Any]:
    coverage = cell["coverage_clustered"]
    return _some(cell, _TRUTH) | {
        "covered": coverage["share"],
        "is_plausible": coverage["is_plausible"],
        "is_enough": cell["is_enough"],
    }


if __name__ == "__main__":
    main()
