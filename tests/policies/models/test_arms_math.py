"""Scores and variances of many arms beside the obvious loops."""

from __future__ import annotations

import numpy as np

from policies.models.arms_math import drawn_scores, form_of, mean_scores, squares_of


def test_a_variance_is_linear_in_products_of_pairs() -> None:
    """xᵀΣx for Σ = [[2, 1], [1, 3]] and x = (1, 2): 2 + 2·2 + 12 = 18."""
    form = form_of(np.array([[[2.0, 1.0], [1.0, 3.0]]]))
    assert form.tolist() == [[2.0, 2.0, 3.0]]
    assert (squares_of(np.array([[1.0, 2.0]])) @ form.T).tolist() == [[18.0]]


def test_scores_are_those_of_the_obvious_loop() -> None:
    """Means in double precision, draws in single, for one slot and for three."""
    rng = np.random.default_rng(1)
    context, table = rng.normal(size=(4, 3)), rng.normal(size=(5, 6, 7)).astype(np.float32)
    for n_slots in (1, 3):
        slot = rng.normal(size=(4, n_slots, 2))
        drawn = drawn_scores(context, slot, table)
        assert drawn.shape == (4, 6, n_slots, 7)
        for n, m, s in ((0, 0, 0), (3, 5, n_slots - 1), (2, 1, 0)):
            x = np.concatenate([context[n], slot[n, s]])
            np.testing.assert_allclose(drawn[n, m, s], x @ table[:, m], rtol=1e-4, atol=1e-5)
            theta = table[:, m].T.astype(np.float64)
            np.testing.assert_allclose(mean_scores(context, slot, theta)[n, s], theta @ x)
