from __future__ import annotations

import doctest

import numpy as np
import pytest

from bandit.errors import BadInputError, BadShapeError
from policies.candidates import interactions as module
from policies.candidates.interactions import Interactions


def test_the_example_runs() -> None:
    assert doctest.testmod(module).failed == 0


def test_pairs_are_summed_however_they_come() -> None:
    """A dictionary of sums, the slow way."""
    rng = np.random.default_rng(1)
    user, item = rng.integers(0, 9, 300), rng.integers(0, 6, 300)
    weight = rng.random(300) + 0.1
    expected: dict[tuple[int, int], float] = {}
    for u, i, w in zip(user.tolist(), item.tolist(), weight.tolist(), strict=True):
        expected[u, i] = expected.get((u, i), 0.0) + w
    built = Interactions.none(n_items=6)
    for part in np.array_split(np.arange(300), 7):
        built = built.plus(user[part], item[part], weight=weight[part])
    pairs = list(zip(built.user.tolist(), built.item.tolist(), strict=True))
    assert pairs == sorted(expected)
    np.testing.assert_allclose(built.weight, [expected[pair] for pair in pairs])


def test_a_history_has_the_rows_that_are_asked_in_their_order() -> None:
    """A user twice, one without history, and ids that nobody has."""
    some = Interactions.none(n_items=5).plus(np.array([8, 3, 8]), np.array([4, 1, 0]))
    history = some.history(np.array([8, -1, 3, 99, 8]))
    assert history.n_rows == 5
    assert history.row.tolist() == [0, 0, 2, 4, 4]
    assert history.item.tolist() == [0, 4, 1, 0, 4]
    assert some.everybody().row.tolist() == [0, 1, 1]
    assert some.history(np.zeros(0, np.int64)).n_rows == 0


def test_nothing_added_to_nothing_is_nothing() -> None:
    none = np.zeros(0, np.int64)
    assert Interactions.none(n_items=5).plus(none, none).everybody().n_rows == 0


def test_rows_that_cannot_be_are_refused() -> None:
    none, one = Interactions.none(n_items=3), np.array([0])
    with pytest.raises(BadInputError, match=r"expected item ids in \[0, 3\), got 3 to 3"):
        none.plus(one, np.array([3]))
    with pytest.raises(BadShapeError, match="one item for each user"):
        none.plus(one, np.array([1, 2]))
    for weight in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(BadInputError, match="expected finite weights above 0"):
            none.plus(one, one, weight=np.array([weight]))
