"""Workspaces of Vowpal Wabbit: opened from a command line or a model, saved, one a thread.

Arguments and models (bytes) enter; workspaces and models leave. A workspace is not safe to share
between threads, so each thread asks its own, opened from what the learning one has learned.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from vowpalwabbit import Workspace

from bandit.errors import BadInputError

__all__ = ["Workspaces", "model_of", "open_workspace"]


class _Keeps(Protocol):
    @property
    def workspace(self) -> Workspace: ...


Kept = TypeVar("Kept", bound=_Keeps)


def open_workspace(arguments: str, model: bytes | None = None) -> Workspace:
    """Open a workspace, new or as it was when ``model`` was saved.

    Parameters
    ----------
    arguments : str
        The command line of a new workspace; a saved one carries its own.
    model : bytes, optional
        What :func:`model_of` returned.

    Raises
    ------
    BadInputError
        If these bytes are no model.
    """
    if model is None:
        return Workspace(arguments)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.vw"
        path.write_bytes(model)
        try:
            return Workspace(arg_list=["--quiet", "-i", str(path)])
        except RuntimeError as error:
            raise BadInputError(
                f"expected a model saved by Vowpal Wabbit, got {len(model)} bytes that it refuses "
                f"({error}): was the state saved by another policy?"
            ) from error


def model_of(workspace: Workspace) -> bytes:
    """Return the model of a workspace, as its file has it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.vw"
        workspace.save(path)
        return path.read_bytes()


class Workspaces(Generic[Kept]):
    """One workspace that learns, and a copy of it for every other thread that asks.

    Parameters
    ----------
    arguments : str
        Command line of a new workspace.
    kept : callable
        Makes what is kept of a workspace: itself with its examples, as ``.workspace`` and more.
    """

    def __init__(self, arguments: str, kept: Callable[[Workspace], Kept]) -> None:
        self._kept = kept
        self._home = threading.get_ident()
        self._lock = threading.RLock()
        self._copies = threading.local()
        self.version = 0
        self._model: tuple[int, bytes] | None = None
        self._learner = kept(open_workspace(arguments))

    @contextmanager
    def learning(self) -> Iterator[Kept]:
        """Lend the one that learns; copies are opened anew when they are next asked."""
        with self._lock:
            self.version += 1
            yield self._learner

    @contextmanager
    def reading(self) -> Iterator[Kept]:
        """Lend the one that learns, to read what it knows while nobody learns."""
        with self._lock:
            yield self._learner

    @contextmanager
    def asking(self) -> Iterator[Kept]:
        """Lend this thread's own, which knows all that was learned until now."""
        if threading.get_ident() == self._home:
            with self.reading() as learner:
                yield learner
            return
        with self._lock:
            version, model = self.version, self.model()
        if getattr(self._copies, "version", None) != version:
            self._copies.kept = self._kept(open_workspace("", model))
            self._copies.version = version
        yield self._copies.kept

    def model(self) -> bytes:
        """Return the model as it is now."""
        with self._lock:
            if self._model is None or self._model[0] != self.version:
                self._model = self.version, model_of(self._learner.workspace)
            return self._model[1]

    def load(self, model: bytes) -> None:
        """Go on from a saved model."""
        with self._lock:
            self._learner = self._kept(open_workspace("", model))
            self.version += 1
