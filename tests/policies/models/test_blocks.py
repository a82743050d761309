"""Hybrid features: every cross in its place, and turned with the context."""

from __future__ import annotations

import numpy as np
import pytest

from bandit.errors import BadShapeError
from policies.models.blocks import Blocks
from policies.shape import PolicyShape


@pytest.fixture
def blocks(small_shape: PolicyShape) -> Blocks:
    """D = 3, Di = 4, Ds = 3."""
    return Blocks(small_shape)


def _rows(n: int = 5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    return rng.normal(size=(n, 3)), rng.normal(size=(n, 4)), rng.normal(size=(n, 3))


def test_each_block_holds_its_products(blocks: Blocks) -> None:
    context, item, slot = _rows()
    features = blocks.features(context, item, slot, is_send=np.ones(5, np.bool_))
    assert features.shape == (5, blocks.n_features) == (5, 1 + 3 + 1 + 4 + 3 + 3 + 12 + 9 + 12)
    np.testing.assert_array_equal(features[:, blocks.at("c")], context)
    np.testing.assert_array_equal(features[:, blocks.at("context")], context)
    for name, left, right in (
        ("context_item", context, item),
        ("context_slot", context, slot),
        ("item_slot", item, slot),
    ):
        crossed = np.stack([np.kron(a, b) for a, b in zip(left, right, strict=True)])
        np.testing.assert_allclose(features[:, blocks.at(name)], crossed)


def test_holding_has_the_base_only(blocks: Blocks) -> None:
    context, item, slot = _rows()
    features = blocks.features(context, item, slot, is_send=np.zeros(5, np.bool_))
    np.testing.assert_array_equal(features[:, blocks.n_base :], 0.0)
    np.testing.assert_array_equal(features[:, 0], 1.0)


def test_numbers_of_blocks_and_of_features_go_both_ways(blocks: Blocks) -> None:
    sizes = blocks.sums(np.ones(blocks.n_features))
    assert sizes.tolist() == np.diff(blocks.edges).tolist()
    spread = blocks.per_feature(np.arange(9.0))
    assert (spread[blocks.at("slot")] == 4.0).all()


def test_turning_features_is_turning_contexts(blocks: Blocks) -> None:
    context, item, slot = _rows()
    basis, _ = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))
    sends = np.ones(5, np.bool_)
    turned = blocks.features(context @ basis.T, item, slot, is_send=sends)
    straight = blocks.features(context, item, slot, is_send=sends)
    np.testing.assert_allclose(straight @ blocks.turned(basis).T, turned, atol=1e-12)


def test_a_basis_of_another_encoder_is_refused(blocks: Blocks) -> None:
    with pytest.raises(BadShapeError, match="basis"):
        blocks.turned(np.eye(4))
