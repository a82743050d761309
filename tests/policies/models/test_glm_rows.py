"""Rows that come one by one are learned as rows that come together, for a fraction of the cost."""

from __future__ import annotations

import numpy as np
import pytest

from policies.models.blocks import Blocks
from policies.models.glm_head import GlmHead, GlmParams
from policies.shape import PolicyShape


def _head(shape: PolicyShape, link: str) -> GlmHead:
    return GlmHead(Blocks(shape), 5, link, GlmParams(base_rate=0.3))  # type: ignore[arg-type]


def _rows(shape: PolicyShape, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(11)
    lengths = (shape.n_context, shape.n_item_features, shape.n_slot_features)
    parts = [rng.normal(size=(n, length)) for length in lengths]
    features = Blocks(shape).features(*parts, is_send=np.ones(n, np.bool_))
    return features, rng.integers(-1, 5, n), (rng.random(n) < 0.3).astype(float)


@pytest.mark.parametrize("link", ["identity", "logistic"])
def test_a_belief_kept_row_by_row_is_the_one_of_its_moments(
    link: str, small_shape: PolicyShape
) -> None:
    """Through three hundred rank-one updates, and after a load that starts from the moments."""
    head = _head(small_shape, link)
    features, item, target = _rows(small_shape, 300)
    for n in range(300):
        rows = slice(n, n + 1)
        head.learn(features[rows], item[rows], target=target[rows], weight=np.ones(1))
    kept = head.posterior()
    head.add(features[:0], item[:0], at=np.zeros(0), weighted=np.zeros(0), weight=np.zeros(0))
    fresh = head.posterior()
    assert fresh is not kept
    np.testing.assert_allclose(kept.mean, fresh.mean, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(kept.item_mean, fresh.item_mean, rtol=1e-8, atol=1e-10)
    spread = kept.factor @ kept.factor.T
    np.testing.assert_allclose(spread, fresh.factor @ fresh.factor.T, rtol=1e-7, atol=1e-10)
    assert kept.noise == pytest.approx(fresh.noise, rel=1e-9)


def test_counts_do_not_care_how_rows_are_cut(small_shape: PolicyShape) -> None:
    """An identity link is exact: one by one, or all together."""
    features, item, target = _rows(small_shape, 120)
    one, all_at_once = _head(small_shape, "identity"), _head(small_shape, "identity")
    for n in range(120):
        rows = slice(n, n + 1)
        one.learn(features[rows], item[rows], target=target[rows], weight=np.ones(1))
    all_at_once.learn(features, item, target=target, weight=np.ones(120))
    np.testing.assert_allclose(one.posterior().mean, all_at_once.posterior().mean, rtol=1e-8)
    assert one.noise == pytest.approx(all_at_once.noise, rel=1e-9)


def test_a_response_of_no_weight_teaches_nothing(small_shape: PolicyShape) -> None:
    head = _head(small_shape, "logistic")
    features, item, _ = _rows(small_shape, 3)
    before = head.posterior()
    head.learn(features, item, target=np.full(3, 0.5), weight=np.zeros(3))
    np.testing.assert_allclose(head.posterior().mean, before.mean, atol=1e-12)
    np.testing.assert_allclose(head.posterior().factor, before.factor, atol=1e-12)
