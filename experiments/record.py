"""Where a study's results go: ``experiments/results/NAME.json`` and a table beside it.

A name, plain rows and what they were computed with enter; two files leave, with commit,
machine and versions, so that a number can be asked where it comes from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.jobs.provenance import provenance
from service.jobs.steps import write_json

__all__ = ["RESULTS", "half_width", "markdown", "record"]

RESULTS = Path(__file__).parent / "results"


def record(
    name: str,
    rows: Sequence[Mapping[str, Any]],
    *,
    settings: Mapping[str, Any],
    notes: Sequence[str] = (),
    folder: Path = RESULTS,
) -> Path:
    """Write a study's rows as JSON and as a Markdown table; return the table's path."""
    folder.mkdir(parents=True, exist_ok=True)
    where = provenance() | {"finished": datetime.now(UTC).isoformat(timespec="seconds")}
    content = {"study": name, "settings": dict(settings), "provenance": where}
    write_json(folder / f"{name}.json", content | {"notes": list(notes), "rows": list(rows)})
    told = [f"{key} = {value}" for key, value in settings.items()]
    lines = [
        f"# {name}",
        "",
        *(f"{note}  " for note in notes),
        "",
        f"{'; '.join(told)}. {where['machine']}; threads {where['threads']}; commit "
        f"{where['commit']}; {where['finished']}.",
        "",
        *markdown(rows),
    ]
    path = folder / f"{name}.md"
    path.write_text("\n".join(lines) + "\n")
    return path


def markdown(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Rows of equal keys as the lines of a Markdown table; floats to four digits."""
    if not rows:
        return ["(no rows)"]
    heads = list(rows[0])
    body = [f"| {' | '.join(_shown(row[head]) for head in heads)} |" for row in rows]
    return [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}", *body]


def half_width(values: NDArray[np.float64]) -> float:
    """Half of a 95 % interval of a mean: 1.96 standard errors; 0 for a single value."""
    if len(values) < 2:
        return 0.0
    return float(1.96 * values.std(ddof=1) / np.sqrt(len(values)))


def _shown(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
