"""The block of rows that wait to be added."""

from __future__ import annotations

import pytest

from bandit.errors import BadInputError
from policies.models.late_rows import LateRows


def test_a_block_is_full_after_64_rows_and_empty_when_cleared() -> None:
    late = LateRows(2, 1)
    for n in range(64):
        assert not late.is_full
        late.room()[:] = n
        late.add([float(n)], 1.0)
    assert late.is_full
    assert late.features[-1].tolist() == [63.0, 63.0]
    late.clear()
    assert late.features.shape == (0, 2)


def test_a_saved_block_of_other_features_is_refused() -> None:
    late = LateRows(2, 1)
    late.room()[:] = 1.0
    late.add([1.0], 1.0)
    with pytest.raises(BadInputError, match="saved by another policy"):
        LateRows(3, 1).load(late.state())
