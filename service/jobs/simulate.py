"""``opportune simulate``: policies in a world whose truth is known, beside silence and statics.

A comparison enters; a folder ``runs/<id>/`` leaves with the cells, the decision logs of the first
seed, ``metrics.json`` and a page of plots. Every policy and the references walk the same lives,
seed by seed, through the same guardrails and the same exploration floor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from service.jobs.cells import n_processes
from service.jobs.comparison import Comparison
from service.jobs.entrants import SILENCE
from service.jobs.simulated_walk import SCHEME, floor_of
from service.jobs.simulation_tables import summary
from service.jobs.steps import open_run

__all__ = ["described", "simulate", "table_lines"]

_CELLS = "cells"


def simulate(
    asked: Comparison,
    *,
    root: Path,
    n_workers: int | None = None,
    say: Callable[[str], None] = print,
) -> Path:
    """Walk all cells that are not finished, write tables and page; return the run's folder.

    Parameters
    ----------
    asked : Comparison
        What to simulate.
    root : Path
        Folder of runs.
    n_workers : int, optional
        Processes; one a processor without it.
    say : callable
        Takes a line of text for the person who waits.
    """
    from service.reports.simulation_page import write_simulation_report

    n = n_processes(n_workers)
    with open_run(root, {"command": "simulate"} | asked.plain(), say=say) as job:
        results = asked.walk(job.folder / _CELLS, n_workers=n)
        tables = summary(
            results,
            scheme=SCHEME,
            silence=SILENCE.name,
            statics=[entrant.name for entrant in asked.entrants if entrant.is_static],
        )
        job.results["simulation"] = tables | described(asked)
        job.finish()
        page = write_simulation_report(job.folder)
    for line in table_lines(tables):
        say(line)
    say(f"report: {page.resolve()}")
    return job.folder


def described(asked: Comparison) -> dict[str, Any]:
    """What the numbers rest on, for the page."""
    return {
        "preset": asked.preset,
        "users": asked.users,
        "days": asked.days,
        "seeds": asked.seeds,
        "first_seed": asked.seed,
        "hours": asked.hours,
        "policies": [entrant.plain() for entrant in asked.entrants],
        "floor": asdict(floor_of(asked.hours)),
        "weights": {component.name: component.weight for component in SCHEME.components},
    }


def table_lines(tables: Mapping[str, Any]) -> list[str]:
    """Lines for the terminal: what each policy was worth, and against whom."""
    is_solved = any(row["regret_dp"] is not None for row in tables["table"])
    lines = [
        "",
        f"{'policy':22}{'reward':>9}  {'less silence':>28}  {'less best static':>28}"
        f"{'regret':>10}{'sends':>7}{'clicks':>8}{'out':>7}{'left':>7}{'seeds':>7}"
        f"{'  regret_dp' if is_solved else ''}",
    ]
    for row in tables["table"]:
        lines.append(
            f"{row['policy']:22}{row['reward_per_user_week']:+9.5f}  "
            f"{_spanned(row, 'less_silence'):>28}  {_spanned(row, 'less_best_static'):>28}"
            f"{row['regret_myopic']:10.5f}{row['sends_per_user_week']:7.2f}"
            f"{_percent(row['click_rate']):>8}{_rate(row['opt_outs_per_1000_sends']):>7}"
            f"{row['reachable_at_end']:7.1%}{row['seeds']:7d}"
            f"{_dp(row['regret_dp']) if is_solved else ''}"
        )
    return [
        *lines,
        "reward: of what came, a user-week; differences paired by seed, 95 % by Student's t; "
        "regret: regret_myopic, a decision;",
        "sends a user-week; clicks a delivered push; out: opt-outs in 1,000 sends; left: share "
        f"reachable at the end. Best static: {tables['best_static']}. All of it is simulated.",
        *(("regret_dp: less than the exactly solved best plan, a user's whole run.",) * is_solved),
    ]


def _spanned(row: Mapping[str, Any], name: str) -> str:
    if row[name] is None:
        return "-"
    if row[f"{name}_lower"] is None:
        return f"{row[name]:+.5f}"
    return f"{row[name]:+.5f} [{row[f'{name}_lower']:+.5f}, {row[f'{name}_upper']:+.5f}]"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.2%}"


def _dp(value: float | None) -> str:
    return f"{'-':>11}" if value is None else f"{value:11.5f}"


def _rate(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
