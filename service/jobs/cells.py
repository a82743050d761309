"""Cells of a comparison, walked in parallel; killed at any moment, finished ones are kept.

Cells and a folder enter; their results leave in the same order. A cell works in a folder of its
own, which is renamed into place when whole; a second call walks only what is missing.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bandit.errors import BadInputError
from service.jobs.progress import Progress
from service.jobs.simulated_walk import Cell, walk_cell
from service.jobs.steps import Run
from service.jobs.workers import CONTEXT, workers

__all__ = ["n_processes", "walk_cells"]

_QUEUE: list[Any] = []


def n_processes(asked: int | None = None) -> int:
    """As many as are asked for, or one a processor.

    Raises
    ------
    BadInputError
        For fewer than one.
    """
    if asked is not None and asked < 1:
        raise BadInputError(f"expected --workers from 1 on, got {asked}")
    return asked or os.cpu_count() or 1


def walk_cells(
    cells: Sequence[Cell], folder: Path, *, n_workers: int, what: str = "user-days"
) -> list[dict[str, Any]]:
    """Walk the cells that are not finished; return the results of all, in order.

    Parameters
    ----------
    cells : sequence of Cell
        Each name once.
    folder : Path
        Gets a folder a cell.
    n_workers : int
        Processes; 1 walks in this one.
    what : str
        Name of the progress bar, which counts simulated days.
    """
    waiting = [cell for cell in cells if not _run_of(folder).has(cell.name)]
    total = sum(cell.days for cell in cells)
    done = total - sum(cell.days for cell in waiting)
    if n_workers == 1 or len(waiting) < 2:
        with Progress(total, what) as progress:
            progress.bar.update(done)
            for cell in waiting:
                _walk(cell, folder, progress.step)
    else:
        with (
            Progress(total, what, context=CONTEXT) as progress,
            workers(n_workers, begin=_tell, given=(progress.queue,)) as pool,
        ):
            progress.bar.update(done)
            for finished in [pool.submit(_walk_told, cell, folder) for cell in waiting]:
                finished.result()
    return [_walk(cell, folder, lambda: None) for cell in cells]


def _tell(queue: Any) -> None:
    """Remember in a worker where progress is reported."""
    _QUEUE.append(queue)


def _walk_told(cell: Cell, folder: Path) -> None:
    _walk(cell, folder, lambda: _QUEUE[-1].put(1))


def _walk(cell: Cell, folder: Path, advance: Any) -> dict[str, Any]:
    """The cell's result, walked unless it was finished before."""
    return _run_of(folder).step(cell.name, lambda made: walk_cell(cell, made, advance=advance))


def _run_of(folder: Path) -> Run:
    """A run whose steps are cells, and which says nothing."""
    return Run(folder=folder, settings={}, say=lambda _: None)
