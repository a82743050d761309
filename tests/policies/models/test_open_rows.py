"""Open rows: found by id, kept in place, canonical when saved."""

from __future__ import annotations

import numpy as np
import pytest

from bandit.errors import BadInputError, BadShapeError, StateError
from policies.models.open_rows import OpenRows

_IDS = np.array([30, 10, 20])


def _rows() -> OpenRows:
    rows = OpenRows({"features": 2, "weight": 1})
    rows.add(_IDS, {"features": np.arange(6.0).reshape(3, 2), "weight": np.ones((3, 1))})
    return rows


def test_rows_are_found_in_the_order_asked_for() -> None:
    rows = _rows()
    np.testing.assert_array_equal(
        rows.take("features", rows.positions(_IDS)), [[0, 1], [2, 3], [4, 5]]
    )
    where = rows.positions(np.array([20, 30]))
    rows.put("weight", where, np.array([[0.2], [0.3]]))
    np.testing.assert_allclose(rows.take("weight", rows.positions(_IDS))[:, 0], [0.3, 1.0, 0.2])


def test_a_place_that_was_left_is_taken_again() -> None:
    """Coming and going for ever needs no more room than the most that were open at once."""
    rows = OpenRows({"weight": 1})
    for turn in range(100):
        ids = np.arange(10) + 10 * turn
        rows.add(ids, {"weight": ids[:, None].astype(float)})
        if turn:
            rows.drop(rows.positions(ids - 10))
    assert len(rows._columns["weight"]) <= 40
    np.testing.assert_array_equal(rows.state()["open.weight"][:, 0], np.arange(990.0, 1000.0))


def test_a_turn_is_the_same_whatever_room_is_free() -> None:
    """Before and after a reload, to the bit."""
    rng = np.random.default_rng(0)
    rows = OpenRows({"features": 5})
    for turn in range(7):
        rows.add(np.arange(13) + 100 * turn, {"features": rng.normal(size=(13, 5))})
    rows.drop(np.arange(0, 80, 3))
    loaded = OpenRows(rows.widths)
    loaded.load(rows.state())
    basis, _ = np.linalg.qr(rng.normal(size=(5, 5)))
    for one in (rows, loaded):
        one.turn("features", basis)
    assert loaded.state()["open.features"].tobytes() == rows.state()["open.features"].tobytes()


def test_unknown_ids_twins_and_columns_are_refused() -> None:
    rows = _rows()
    with pytest.raises(StateError, match="never learned or is final already"):
        rows.positions(np.array([10, 25]))
    with pytest.raises(StateError, match="never learned or is final already"):
        rows.positions(np.array([99]))
    with pytest.raises(StateError, match="each decision once a batch of revisions"):
        rows.positions(np.array([10, 10]))
    with pytest.raises(StateError, match="got an id twice: call revise"):
        rows.expect_new(np.array([40, 20]))
    with pytest.raises(BadShapeError, match="expected columns"):
        rows.add(np.array([40]), {"features": np.zeros((1, 2))})
    with pytest.raises(BadInputError, match=r"expected saved open.weight of shape \(3, 1\)"):
        rows.load(rows.state() | {"open.weight": np.ones((2, 1))})
    np.testing.assert_array_equal(rows.decision_id, [10, 20, 30])
