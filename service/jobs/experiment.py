"""``opportune experiment``: a study of policies × worlds × seeds, in one table.

A :class:`~service.jobs.study.Study` enters; a folder ``runs/<id>/`` leaves with the cells,
``metrics.json``, and the table as ``NAME.md`` and ``NAME.json``. Every asked policy is compared, in
every world, with silence and with the best static push: paired by seed, with Student's interval,
and with p-values that hold for the whole table (Holm 1979).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from bandit.ope.paired import holm
from service.jobs.cells import n_processes
from service.jobs.comparison import Comparison
from service.jobs.entrants import SILENCE
from service.jobs.provenance import provenance
from service.jobs.simulated_walk import SCHEME, floor_of
from service.jobs.simulation_tables import MEASURED, best_static, compared, rows_of
from service.jobs.steps import open_run, write_json
from service.jobs.study import Study

__all__ = ["experiment", "study_lines"]

_CELLS = "cells"


def experiment(
    study: Study,
    *,
    root: Path,
    n_workers: int | None = None,
    say: Callable[[str], None] = print,
) -> Path:
    """Walk all cells that are not finished and write the table; return the run's folder.

    Parameters
    ----------
    study : Study
        What is studied.
    root : Path
        Folder of runs.
    n_workers : int, optional
        Processes; one a processor without it.
    say : callable
        Takes a line of text for the person who waits.
    """
    table = f"{study.name}.md"
    n = n_processes(n_workers)
    with open_run(root, study.plain(), say=say, last=table) as job:
        rows, measured = [], []
        for world in study.comparisons:
            results = world.walk(job.folder / _CELLS, n_workers=n)
            rows += _comparisons(world, results, study.alpha)
            measured += [
                {"world": world.world} | row
                for row in rows_of(results, scheme=SCHEME, alpha=study.alpha)
            ]
        _adjust(rows, study.alpha)
        job.results["experiment"] = {"comparisons": rows, "policies": measured}
        job.finish()
        where = provenance() | {"finished": datetime.now(UTC).isoformat(timespec="seconds")}
        lines = study_lines(study, rows, measured, where=where)
        content = {"study": study.plain(), "provenance": where}
        write_json(
            job.folder / f"{study.name}.json",
            content | {"comparisons": rows, "policies": measured},
        )
        aside = job.folder / f".{table}.partial"
        aside.write_text("\n".join(lines) + "\n", encoding="utf-8")
        aside.replace(job.folder / table)
    for line in lines:
        say(line)
    say(f"table: {(job.folder / table).resolve()}")
    return job.folder


def _comparisons(
    world: Comparison, results: Mapping[str, Any], alpha: float
) -> list[dict[str, Any]]:
    """Every asked policy against both references, and the static one against silence."""
    statics = [entrant.name for entrant in world.entrants if entrant.is_static]
    best = best_static(results, statics, scheme=SCHEME)
    asked = [e.name for e in world.entrants if e.name not in (SILENCE.name, *statics)]
    pairs = [(name, other) for name in asked for other in (SILENCE.name, best)]
    rows = []
    for one, other in [*pairs, (best, SILENCE.name)]:
        found = compared(results, one, other, scheme=SCHEME, alpha=alpha)
        bounds = {key: _known(getattr(found, key)) for key in ("lower", "upper", "p")}
        rows.append(
            {"world": world.world, "policy": one, "less": other, "difference": found.mean}
            | bounds
            | {"seeds": found.n_seeds}
        )
    return rows


def _adjust(rows: Sequence[dict[str, Any]], alpha: float) -> None:
    """Add Holm's p over all comparisons of the study, and what may be claimed."""
    adjusted = holm(np.array([np.nan if row["p"] is None else row["p"] for row in rows]))
    for row, p in zip(rows, adjusted, strict=True):
        row["p_holm"] = _known(float(p))
        row["claim"] = "none"
        if p < alpha:
            row["claim"] = "more" if row["difference"] > 0 else "less"


def study_lines(
    study: Study,
    rows: Sequence[Mapping[str, Any]],
    measured: Sequence[Mapping[str, Any]],
    *,
    where: Mapping[str, Any],
) -> list[str]:
    """The table as Markdown: comparisons, then every policy's own numbers."""
    worlds = [
        f"{w.world}: {w.users:,} users, {w.days} days, a decision every {w.hours} h, {w.seeds} "
        f"seeds from {w.seed}"
        for w in study.comparisons
    ]
    floors = {w.hours: asdict(floor_of(w.hours)) for w in study.comparisons}
    columns = [name for name in MEASURED if any(row[name] is not None for row in measured)]
    weights = ", ".join(f"{c.name} {c.weight:g}" for c in SCHEME.components)
    level = f"{1 - study.alpha:.0%}"
    return [
        f"# {study.name}",
        "",
        f"Simulated. {'; '.join(worlds)}. Reward: {weights}; all that came, each outcome once. "
        f"Floor {'; '.join(f'{floor} ({hours} h)' for hours, floor in floors.items())}.",
        "",
        f"{where['machine']}; threads {where['threads']}; commit {where['commit']}; code "
        f"{where['code']}; {where['finished']}.",
        "",
        f"Differences of reward a user-week, paired by seed; {level} intervals by Student's t, one "
        f"at a time; p (Holm) and claims hold for all {len(rows)} comparisons together.",
        "",
        f"| world | policy | less | difference | {level} | p | p (Holm) | claim | seeds |",
        f"|{'---|' * 9}",
        *(_compared(row) for row in rows),
        "",
        f"| world | policy | {' | '.join(columns)} | seeds |",
        f"|{'---|' * (3 + len(columns))}",
        *(_measured(row, columns) for row in measured),
    ]


def _compared(row: Mapping[str, Any]) -> str:
    interval = "" if row["lower"] is None else f"[{row['lower']:+.5f}, {row['upper']:+.5f}]"
    chances = [_chance(row["p"]), _chance(row["p_holm"])]
    cells = (row["world"], row["policy"], row["less"], f"{row['difference']:+.5f}", interval)
    return f"| {' | '.join((*cells, *chances, row['claim'], str(row['seeds'])))} |"


def _measured(row: Mapping[str, Any], columns: Sequence[str]) -> str:
    cells = ["" if row[name] is None else f"{row[name]:.5g}" for name in columns]
    return f"| {row['world']} | {row['policy']} | {' | '.join(cells)} | {row['seeds']} |"


def _chance(p: float | None) -> str:
    return "" if p is None else f"{p:.2g}"


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value
