"""Towers: the formula by hand, K + S passes, another basis."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bandit.errors import BadInputError
from policies.models.towers import Tower, Towers, begin


@pytest.fixture
def towers() -> Towers:
    """Of three context, two item and four slot features."""
    return begin((3, 2, 4), hidden=8, width=5, rng=np.random.default_rng(1))


def test_a_tower_by_hand() -> None:
    """relu(1·2 + 3·1 − 4) = 1 and relu(1·(−1) + 3·0 + 0) = 0; tanh(1·0.5 + 0·9 + 0.25)."""
    one = Tower(
        context=np.array([[2.0, -1.0]]),
        own=np.array([[1.0, 0.0]]),
        bias=np.array([-4.0, 0.0]),
        out=np.array([[0.5], [9.0]]),
        shift=np.array([0.25]),
    )
    got = one(np.array([[1.0]]), np.array([[[3.0]]]))
    np.testing.assert_allclose(got, np.tanh([[[0.75]]]), rtol=1e-15)


def test_features_are_base_and_for_sends_what_items_and_slots_add(towers: Towers) -> None:
    rng = np.random.default_rng(2)
    context, item, slot = (rng.normal(size=(6, width)) for width in (3, 2, 4))
    is_send = np.arange(6) % 2 == 0
    got = towers.features(context, item, slot, is_send=is_send)
    assert got.shape == (6, towers.n_features) == (6, 1 + 3 + 5 + 1 + 15)
    u, v = towers.item(context, item[:, None])[:, 0], towers.slot(context, slot[:, None])[:, 0]
    np.testing.assert_array_equal(got[:, 1:4], context)
    np.testing.assert_array_equal(got[1::2, towers.pair_block], 0.0)
    sent = np.concatenate([np.ones((6, 1)), u, v, u * v], axis=1)[::2]
    np.testing.assert_allclose(got[::2, towers.pair_block], sent, rtol=1e-12)


def test_they_turn_with_the_context(towers: Towers) -> None:
    rng = np.random.default_rng(3)
    basis, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    context, item = rng.normal(size=(6, 3)), rng.normal(size=(6, 1, 2))
    turned = towers.turned(basis)
    np.testing.assert_allclose(
        turned.item(context @ basis.T, item), towers.item(context, item), rtol=1e-10
    )


def test_a_state_of_other_sizes_is_refused(towers: Towers) -> None:
    other = begin((3, 2, 4), hidden=9, width=5, rng=np.random.default_rng(1))
    with pytest.raises(BadInputError, match=r"tower\.item\.context"):
        towers.loaded(other.state())
    moved = replace(towers, item=replace(towers.item, shift=np.ones(5)))
    np.testing.assert_array_equal(towers.loaded(moved.state()).item.shift, 1.0)
