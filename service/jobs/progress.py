"""A progress bar that workers in other processes can move.

Steps enter, from this process or through a queue; a bar on the terminal leaves. Library: tqdm.
"""

from __future__ import annotations

import threading
from typing import Any

__all__ = ["Progress"]


class Progress:
    """Counts finished pieces of work.

    Parameters
    ----------
    total : int
        How many pieces there are.
    what : str
        Their name.
    context : multiprocessing context, optional
        Where given, :attr:`queue` takes one message a piece from any process.
    line : int
        Lines below the first bar, where two run side by side.
    """

    def __init__(self, total: int, what: str, *, context: Any = None, line: int = 0) -> None:
        from tqdm import tqdm

        self.bar = tqdm(total=total, desc=what, mininterval=1.0, position=line, leave=not line)
        self.queue = None if context is None else context.Queue()
        self._listener: threading.Thread | None = None

    def step(self) -> None:
        """One piece is done."""
        self.bar.update()

    def __enter__(self) -> Progress:
        if self.queue is not None:
            self._listener = threading.Thread(target=self._listen, daemon=True)
            self._listener.start()
        return self

    def __exit__(self, *raised: object) -> None:
        if self.queue is not None and self._listener is not None:
            if any(raised):
                # A worker that was ended may hold the queue's lock for ever: wait for nothing.
                self.queue.cancel_join_thread()
            else:
                self.queue.put(None)
                self._listener.join()
                self.queue.close()
                self.queue.join_thread()
        self.bar.close()

    def _listen(self) -> None:
        while self.queue is not None and self.queue.get() is not None:
            self.bar.update()
