"""What codes stand for, and what files say of users and items beside their events.

Columns of ids enter, of any type; dense codes and their originals leave. Codes go by sorted
original, so they do not depend on the order of rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from bandit.events import NO_ITEM

__all__ = ["Vocabulary", "codes_of", "is_missing", "last_known"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """What each code stands for: position is the code."""

    users: pa.Array
    items: pa.Array
    categories: pa.Array
    zones: pa.Array  # IANA zone of each user, the last one known; null where none is
    texts: pa.Array  # text of each item, the last one known; null where none is


def is_missing(column: pa.Array | pa.ChunkedArray) -> NDArray[np.bool_]:
    """Cells that say nothing: null, not a number, empty or blank text."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    empty = array.is_null(nan_is_null=True)
    if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
        empty = pc.or_(empty, pc.fill_null(pc.equal(pc.utf8_trim_whitespace(array), ""), True))
    return np.asarray(empty)


def codes_of(column: pa.ChunkedArray) -> tuple[NDArray[np.int64], pa.Array]:
    """Code of each row, −1 where it says nothing, and the originals."""
    array = column.combine_chunks()
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    # What counts as missing has no code: an empty cell of a CSV is a null of a Parquet file.
    array = pc.if_else(pa.array(is_missing(array)), None, array)
    found = pc.drop_null(pc.unique(array))
    values = found.take(pc.sort_indices(found))
    codes = pc.fill_null(pc.index_in(array, value_set=values), NO_ITEM)
    return np.asarray(codes, np.int64), values


def last_known(
    column: pa.ChunkedArray, code: NDArray[np.int64], *, at_ms: NDArray[np.int64], n_codes: int
) -> pa.Array:
    """What the latest row of each code says, null where none says anything, (n_codes,).

    Parameters
    ----------
    column : Arrow array, (M,)
        Words about the coded thing, such as a user's zone.
    code, at_ms : ndarray, (M,)
        Whom or what each row is about, and its time; of two words at one time the one that
        sorts last is taken, so that the order of rows does not matter.
    n_codes : int
        Number of codes.
    """
    word, words = codes_of(column)
    rows = np.flatnonzero((word >= 0) & (code >= 0))
    rows = rows[np.lexsort((word[rows], at_ms[rows]))]
    latest = np.full(n_codes, -1, np.int64)
    latest[code[rows]] = word[rows]  # of equal indices, the last assignment stays
    return words.cast(pa.string()).take(pa.array(latest, mask=latest < 0))
