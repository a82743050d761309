from __future__ import annotations

import numpy as np

from encoders.ragged import ragged, spans


def test_rows_are_gathered_in_the_order_asked_for() -> None:
    """Rows of 2, 0 and 3 elements, the last asked for first and again at the end."""
    place, first, owner = ragged(np.array([0, 2, 2, 5]), np.array([2, 1, 0, 2]))
    assert place.tolist() == [2, 3, 4, 0, 1, 2, 3, 4]
    assert first.tolist() == [0, 3, 3, 5]
    assert owner.tolist() == [0, 0, 0, 2, 2, 3, 3, 3]


def test_no_rows_have_no_elements() -> None:
    for found in ragged(np.array([0, 2]), np.zeros(0, np.int64)):
        assert found.shape == (0,)


def test_stretches_equal_their_ranges_one_after_the_other() -> None:
    rng = np.random.default_rng(4)
    begin = rng.integers(0, 50, 40)
    end = begin + rng.integers(0, 5, 40)
    place, owner = spans(begin, end)
    pairs = list(zip(begin.tolist(), end.tolist(), strict=True))
    assert place.tolist() == [k for b, e in pairs for k in range(b, e)]
    assert owner.tolist() == [n for n, (b, e) in enumerate(pairs) for _ in range(b, e)]


def test_stretches_may_overlap_and_be_empty() -> None:
    place, owner = spans(np.array([3, 3, 4]), np.array([5, 3, 6]))
    assert place.tolist() == [3, 4, 4, 5]
    assert owner.tolist() == [0, 0, 2, 2]
