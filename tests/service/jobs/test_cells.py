from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from service.jobs import cells as module
from service.jobs.cells import n_processes, walk_cells
from service.jobs.entrants import SILENCE, STATICS
from service.jobs.simulated_walk import Cell, walk_cell

CELLS = [
    Cell(preset="tiny", entrant=entrant, seed=seed, users=5, days=2)
    for seed in (1, 2)
    for entrant in (SILENCE, STATICS[0])
]


def test_results_come_in_the_order_of_the_cells(tmp_path: Path) -> None:
    """One process or two: the same numbers."""
    one = walk_cells(CELLS, tmp_path / "one", n_workers=1)
    two = walk_cells(CELLS, tmp_path / "two", n_workers=2)
    plain = [{k: v for k, v in r.items() if k != "seconds"} for r in one]
    assert plain == [{k: v for k, v in r.items() if k != "seconds"} for r in two]
    assert [(r["policy"], r["seed"]) for r in one] == [(c.entrant.name, c.seed) for c in CELLS]


def test_what_was_finished_before_a_cut_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut off in the third cell, a second call walks the third and the fourth only."""
    walked: list[str] = []

    def breaks(cell: Cell, folder: Path, *, advance: Any) -> dict[str, Any]:
        walked.append(cell.name)
        if len(walked) == 3:
            (folder / "half").write_text("written")
            raise KeyboardInterrupt
        return walk_cell(cell, folder, advance=advance)

    monkeypatch.setattr(module, "walk_cell", breaks)
    with pytest.raises(KeyboardInterrupt):
        walk_cells(CELLS, tmp_path, n_workers=1)
    found = walk_cells(CELLS, tmp_path, n_workers=1)
    assert walked == [cell.name for cell in [*CELLS[:3], *CELLS[2:]]]
    assert len(found) == 4
    assert not list(tmp_path.glob("*/half"))
    assert not list(tmp_path.glob(".*"))


def test_there_is_at_least_one_process() -> None:
    """As many as may run here."""
    assert n_processes() >= 1
