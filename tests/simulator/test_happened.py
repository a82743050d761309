from __future__ import annotations

import numpy as np

from bandit.outcomes import Kind
from simulator.happened import concatenated, happened


def test_scalars_stand_for_all_rows() -> None:
    """An outcome of no decision, item or money has −1, −1 and 1."""
    told = happened(Kind.SESSION, np.array([3, 5]), at_min=np.array([1.0, 2.0]))
    assert told.n_rows == 2
    assert told.kind.tolist() == [Kind.SESSION, Kind.SESSION]
    assert (told.value.tolist(), told.ref.tolist()) == ([1.0, 1.0], [-1, -1])
    assert (told.item.tolist(), told.is_caused.tolist()) == ([-1, -1], [False, False])


def test_tables_are_put_together_in_order_and_taken_apart_again() -> None:
    """Column types survive, an empty table too."""
    none = happened(Kind.CLICKED, np.zeros(0, np.int64), at_min=np.zeros(0))
    one = happened(Kind.CLICKED, np.array([1]), at_min=np.array([5.0]), ref=np.array([9]))
    two = happened(Kind.CONVERTED, np.array([2]), at_min=np.array([7.0]), value=np.array([30.0]))
    both = concatenated([none, one, two])
    assert both.row.tolist() == [1, 2]
    assert both.take(both.kind == Kind.CONVERTED).value.tolist() == [30.0]
    assert both.take(np.array([1, 0])).ref.tolist() == [-1, 9]
    assert (both.kind.dtype, both.item.dtype) == (np.uint8, np.int32)
