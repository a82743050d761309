"""Rows of different lengths, kept flat: where their elements lie and whose they are.

Starts of rows enter; places of elements and their owners leave. No loop over rows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["ragged", "spans"]


def ragged(
    start: NDArray[np.int64], rows: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Elements of ragged ``rows``: their places, the first of each row, and whose they are."""
    length = start[rows + 1] - start[rows]
    first = np.concatenate([[0], np.cumsum(length)[:-1]]).astype(np.int64)[: len(rows)]
    owner = np.repeat(np.arange(len(rows)), length)
    return start[rows][owner] + np.arange(len(owner)) - first[owner], first, owner


def spans(
    begin: NDArray[np.int64], end: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Elements of the stretches begin … end, and which stretch each belongs to."""
    start = np.concatenate([[0], np.cumsum(end - begin)]).astype(np.int64)
    place, first, owner = ragged(start, np.arange(len(begin)))
    return place - first[owner] + begin[owner], owner
