"""A sparse table beside a dense one."""

from __future__ import annotations

import numpy as np
import pytest

from bandit.errors import BadInputError, BadShapeError
from policies.baselines.pair_table import PairTable


@pytest.mark.parametrize("combine", [np.add, np.maximum])
def test_it_holds_what_a_dense_table_holds(combine: np.ufunc) -> None:
    rng = np.random.default_rng(1)
    table = PairTable(7, 11, combine=combine, missing=np.full(2, -1, np.int64))
    dense = np.full((7, 11, 2), -1, np.int64)
    for _ in range(5):
        user, code = rng.integers(0, 7, 20), rng.integers(0, 11, 20)
        values = rng.integers(0, 99, (20, 2))
        table.add(user, code, values)
        combine.at(dense, (user, code), values)
    everyone = np.arange(7)[:, None], np.arange(11)[None, :]
    np.testing.assert_array_equal(table.take(*everyone), dense)
    other = PairTable(7, 11, combine=combine, missing=np.full(2, -1, np.int64))
    other.load(table.state("pairs"), "pairs")
    np.testing.assert_array_equal(other.take(*everyone), dense)


def test_no_rows_are_no_pairs() -> None:
    table = PairTable(2, 2, combine=np.add, missing=np.zeros(1))
    none = np.zeros(0, np.int64)
    table.add(none, none, np.zeros((0, 1)))
    assert table.take(none, none).shape == (0, 1)
    assert len(table.state("pairs")["pairs.key"]) == 0


def test_codes_out_of_range_and_foreign_states_are_refused() -> None:
    table = PairTable(2, 2, combine=np.add, missing=np.zeros(1))
    with pytest.raises(BadInputError, match=r"expected item codes in \[0, 2\), got 2 to 2"):
        table.add(np.array([0]), np.array([2]), np.ones((1, 1)))
    wide = PairTable(2, 2, combine=np.add, missing=np.zeros(3))
    with pytest.raises(BadShapeError, match=r"saved p\.values"):
        table.load(wide.state("p"), "p")
