"""A run as a folder of finished steps: killed at any moment, it goes on where it stopped.

Settings enter; a folder leaves in which each finished step is a sub-folder with its
``result.json``. A step works in a folder of its own that is renamed into place when whole,
so a half-written step is never read. A run is found again by a fingerprint of its settings
and of the code; one process at a time works on it.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from bandit.draws import key_of
from bandit.errors import ForeignFileError, StateError
from service.jobs.provenance import code_fingerprint, provenance

__all__ = ["Run", "open_run", "read_arrays", "write_json"]

_SETTINGS = "settings.json"
_METRICS = "metrics.json"
_PAGE = "report.html"
_LOCK = ".lock"


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
            Takes the folder to write files in, returns the result for ``metrics.json``; its
            ``seconds`` are those of the call unless it says how long it took itself.

        Raises
        ------
        ForeignFileError
            If the result of a step that was finished before cannot be read.
        """
        if self.has(name):
            self.say(f"{name}: done before, taken as it is")
        else:
            self._compute(name, compute)
        result = _result(self.folder / name)
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

    def _compute(self, name: str, compute: Callable[[Path], Mapping[str, Any]]) -> None:
        done, partial = self.folder / name, self.folder / f".{name}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        started = time.monotonic()
        result = dict(compute(partial))
        result.setdefault("seconds", round(time.monotonic() - started, 1))
        write_json(partial / "result.json", result)
        shutil.rmtree(done, ignore_errors=True)
        partial.rename(done)


@contextmanager
def open_run(
    root: Path,
    settings: Mapping[str, Any],
    *,
    say: Callable[[str], None] = print,
    last: str = _PAGE,
) -> Iterator[Run]:
    """Yield the unfinished run of the same settings and code, or a new one.

    Parameters
    ----------
    root : Path
        Folder of runs; made if absent.
    settings : mapping
        What the run is asked for, as JSON.
    say : callable
        Takes a line of text for the person who waits.
    last : str
        Name of the file that is written last: a run without it is not over.

    Raises
    ------
    StateError
        If another process is at work on that run.
    """
    fingerprint = f"{key_of(json.dumps(settings, sort_keys=True), code_fingerprint()):016x}"[:8]
    folder = _unfinished(root, fingerprint, last)
    if folder is None:
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
        folder = root / f"{stamp}-{fingerprint}"
        folder.mkdir(parents=True)
    else:
        say(f"going on with {folder}")
    with _alone_in(folder):
        write_json(folder / _SETTINGS, settings)
        yield Run(folder=folder, settings=settings, say=say)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON so that a reader finds the old file or the whole new one, never a part."""
    aside = path.with_name(f".{path.name}.partial")
    with aside.open("w") as file:
        json.dump(content, file, indent=1, default=_plain, allow_nan=False)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)


def read_arrays(path: Path, *, step: Path) -> dict[str, NDArray[Any]]:
    """Read the named arrays that a finished step left.

    Parameters
    ----------
    path : Path
        An ``.npz`` file without pickles.
    step : Path
        Folder of the step, named as what to remove where the file cannot be read.

    Raises
    ------
    ForeignFileError
        If the file is missing, truncated or of another kind.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (OSError, EOFError, ValueError, TypeError, BadZipFile, zlib.error) as error:
        raise ForeignFileError(_spoilt(path, step, error)) from error


def _unfinished(root: Path, fingerprint: str, last: str) -> Path | None:
    """The newest run of that fingerprint that is not over."""
    for folder in sorted(root.glob(f"*-{fingerprint}"), reverse=True):
        if not ((folder / _METRICS).exists() and (folder / last).exists()):
            return folder
    return None


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, which the system gives back however this process ends."""
    path = folder / _LOCK
    held = os.open(path, os.O_CREAT | os.O_RDWR)
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StateError(
                f"expected to be alone in {folder}, another process is at work on that run: wait "
                "until it is done, or name another folder with --out"
            ) from error
        yield
        path.unlink(missing_ok=True)
    finally:
        os.close(held)


def _result(folder: Path) -> dict[str, Any]:
    path = folder / "result.json"
    try:
        found = json.loads(path.read_text())
        if isinstance(found, dict):
            return found
        error: object = f"got {type(found).__name__}"
    except ValueError as caught:
        error = caught
    raise ForeignFileError(_spoilt(path, folder, error))


def _spoilt(path: Path, step: Path, error: object) -> str:
    return (
        f"expected {path} as a finished step left it, reading it failed: {error}. Remove {step} "
        "and call again: the step is then done anew"
    )


def _plain(value: object) -> object:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"expected a number, text, list or table row, got {type(value).__name__}")
