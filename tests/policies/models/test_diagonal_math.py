"""A diagonal belief beside the exact mode, and beside itself where nothing overlaps."""

from __future__ import annotations

import numpy as np
import pytest

from policies.models.diagonal_math import Diagonal, Rows, moved
from policies.models.glm_math import sigmoid


def _prior(n: int, n_items: int = 0) -> Diagonal:
    return Diagonal(
        mean=np.full(n, -0.3),
        precision=np.linspace(1.0, 2.0, n),
        item_mean=np.zeros(n_items),
        item_precision=np.full(n_items, 3.0),
        noise=1.0,
    )


def _rows(n: int, width: int, *, seed: int = 0, item: int = -1) -> Rows:
    rng = np.random.default_rng(seed)
    return Rows(
        features=rng.normal(size=(n, width)),
        item=np.full(n, item),
        target=(rng.random(n) < 0.4).astype(float),
        weight=rng.uniform(0.3, 1.0, n),
    )


def test_rows_that_come_together_are_solved_exactly() -> None:
    """Counts: the mean of the full posterior, (Λ + ΦᵀWΦ)⁻¹(Λm + ΦᵀWy), though only Λ is kept."""
    before, rows = _prior(6), _rows(20, 6)
    after = moved(before, rows, is_response=False)
    weighted = rows.features * rows.weight[:, None]
    full = np.diag(before.precision) + weighted.T @ rows.features
    aim = before.precision * before.mean + weighted.T @ rows.target
    np.testing.assert_allclose(after.mean, np.linalg.solve(full, aim), rtol=1e-10)
    np.testing.assert_allclose(after.precision, np.diag(full), rtol=1e-12)


def test_a_response_ends_in_the_mode() -> None:
    """There the gradient is nothing: Λ(m − m₀) = Σ w·φ·(y − σ), intercepts likewise."""
    before, rows = _prior(6, 2), _rows(25, 6, item=1)
    after = moved(before, rows, is_response=True)
    eta = rows.features @ after.mean + after.item_mean[1]
    push = rows.weight * (rows.target - sigmoid(eta))
    np.testing.assert_allclose(
        before.precision * (after.mean - before.mean), push @ rows.features, atol=1e-8
    )
    assert 3.0 * after.item_mean[1] == pytest.approx(push.sum(), abs=1e-8)
    assert after.item_mean[0] == 0.0
    curvature = rows.weight * sigmoid(eta) * sigmoid(-eta)
    assert after.item_precision[1] == pytest.approx(3.0 + curvature.sum())


def test_where_features_do_not_overlap_it_is_the_full_posterior_row_by_row() -> None:
    """One-hot features: one at a time or together, the same mean and the same variances."""
    rng = np.random.default_rng(2)
    whole = Rows(
        features=np.eye(4)[rng.integers(0, 4, 30)],
        item=np.full(30, -1),
        target=rng.normal(size=30),
        weight=np.ones(30),
    )
    together, single = moved(_prior(4), whole, is_response=False), _prior(4)
    for n in range(30):
        one = Rows(
            features=whole.features[n : n + 1],
            item=whole.item[n : n + 1],
            target=whole.target[n : n + 1],
            weight=whole.weight[n : n + 1],
        )
        single = moved(single, one, is_response=False)
    np.testing.assert_allclose(single.mean, together.mean, rtol=1e-12)
    np.testing.assert_allclose(single.precision, together.precision, rtol=1e-12)


def test_rows_of_no_weight_and_no_rows_move_nothing() -> None:
    before = _prior(3)
    nothing = Rows(
        features=np.ones((2, 3)), item=np.full(2, -1), target=np.ones(2), weight=np.zeros(2)
    )
    for is_response in (True, False):
        after = moved(before, nothing, is_response=is_response)
        np.testing.assert_array_equal(after.mean, before.mean)
        np.testing.assert_array_equal(after.precision, before.precision)
    assert moved(before, _rows(0, 3), is_response=True) is before
