"""Worker processes that never outlive the one that started them.

A number of workers enters; an executor leaves. A run that is killed takes its workers with it, so
that none goes on writing into the folder in which the next run resumes; one that is
interrupted ends them at once instead of waiting for what they have begun.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any

__all__ = ["CONTEXT", "workers"]

CONTEXT = multiprocessing.get_context("spawn")
"""Processes start afresh: a fork would copy locks that other threads hold."""


@contextmanager
def workers(
    n: int, *, begin: Callable[..., None] | None = None, given: tuple[Any, ...] = ()
) -> Iterator[ProcessPoolExecutor]:
    """Yield an executor of ``n`` processes.

    Parameters
    ----------
    n : int
        How many run at once.
    begin : callable, optional
        Called in each process before its first task, with ``given``.
    given : tuple
        Arguments of ``begin``.
    """
    pool = ProcessPoolExecutor(n, mp_context=CONTEXT, initializer=_begin, initargs=(begin, given))
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in multiprocessing.active_children():
            process.terminate()
        raise
    pool.shutdown()


def _begin(begin: Callable[..., None] | None, given: tuple[Any, ...]) -> None:
    # Ctrl-C reaches every process of the terminal; the parent alone answers it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if begin is not None:
        begin(*given)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
