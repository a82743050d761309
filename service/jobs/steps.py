"""A run as a folder of finished steps: killed at any moment, it goes on where it stopped.

Settings enter; a folder leaves in which each finished step is a sub-folder with its
``result.json``. A step works in a folder of its own that is renamed into place when whole,
so a half-written step is never read. A run is found again by a fingerprint of its settings
and of the code.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from bandit.draws import key_of
from service.jobs.provenance import code_fingerprint, provenance

__all__ = ["Run", "open_run", "write_json"]

_SETTINGS = "settings.json"
_METRICS = "metrics.json"


@dataclass(slots=True)
class Run:
    """One run of the main job and its finished steps.

    Parameters
    ----------
    folder : Path
        Where everything of the run lies.
    settings : mapping
        What the run was asked for; a step's result depends on nothing else.
    say : callable
        Takes a line of text for the person who waits.
    """

    folder: Path
    settings: Mapping[str, Any]
    say: Callable[[str], None] = print
    results: dict[str, Any] = field(default_factory=dict)

    @property
    def run_id(self) -> str:
        """Name of the run's folder."""
        return self.folder.name

    def has(self, name: str) -> bool:
        """True where the step was finished before."""
        return (self.folder / name / "result.json").exists()

    def step(self, name: str, compute: Callable[[Path], Mapping[str, Any]]) -> dict[str, Any]:
        """Return the step's result, computing it unless it was finished before.

        Parameters
        ----------
        name : str
            Name of the step and of its folder.
        compute : callable
            Takes the folder to write files in, returns the result for ``metrics.json``.
        """
        done = self.folder / name
        if self.has(name):
            self.say(f"{name}: done before, taken as it is")
            result = json.loads((done / "result.json").read_text())
        else:
            result = self._compute(name, compute, done)
        self.results[name] = result
        return dict(result)

    def finish(self) -> Path:
        """Write ``metrics.json``: every step's result, and where the numbers come from."""
        where = provenance() | {
            "id": self.run_id,
            "settings": dict(self.settings),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": {name: result.get("seconds") for name, result in self.results.items()},
        }
        path = self.folder / _METRICS
        write_json(path, {"run": where} | self.results)
        return path

    def _compute(
        self, name: str, compute: Callable[[Path], Mapping[str, Any]], done: Path
    ) -> dict[str, Any]:
        partial = self.folder / f".{name}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        started = time.monotonic()
        result = dict(compute(partial))
        result["seconds"] = round(time.monotonic() - started, 1)
        write_json(partial / "result.json", result)
        shutil.rmtree(done, ignore_errors=True)
        partial.rename(done)
        return dict(json.loads((done / "result.json").read_text()))


def open_run(root: Path, settings: Mapping[str, Any], *, say: Callable[[str], None] = print) -> Run:
    """Return the unfinished run of the same settings and code, or start a new one."""
    fingerprint = f"{key_of(json.dumps(settings, sort_keys=True), code_fingerprint()):016x}"[:8]
    for folder in sorted(root.glob(f"*-{fingerprint}"), reverse=True):
        if not (folder / _METRICS).exists():
            say(f"going on with {folder}")
            return Run(folder=folder, settings=settings, say=say)
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
    folder = root / f"{stamp}-{fingerprint}"
    folder.mkdir(parents=True)
    write_json(folder / _SETTINGS, settings)
    return Run(folder=folder, settings=settings, say=say)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON so that a reader finds the old file or the whole new one, never a part."""
    aside = path.with_name(f".{path.name}.partial")
    with aside.open("w") as file:
        json.dump(content, file, indent=1, default=_plain, allow_nan=False)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)


def _plain(value: object) -> object:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"expected a number, text, list or table row, got {type(value).__name__}")
