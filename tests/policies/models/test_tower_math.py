"""Products by factors equal the features written out."""

from __future__ import annotations

import numpy as np

from policies.models.tower_math import pair_scores, pair_variances


def test_scores_and_variances_are_those_of_the_features_written_out() -> None:
    rng = np.random.default_rng(1)
    n, k, s, e, m = 3, 4, 2, 5, 6
    u, v = rng.normal(size=(n, k, e)), rng.normal(size=(n, s, e))
    theta, root = rng.normal(size=(m, 1 + 3 * e)), rng.normal(size=(1 + 3 * e, 1 + 3 * e))
    covariance = root @ root.T
    scores = pair_scores(u, v, theta).reshape(n, m, s, k)
    variances = pair_variances(u, v, covariance).reshape(n, s, k)
    for row, item, slot in np.ndindex(n, k, s):
        one, other = u[row, item], v[row, slot]
        zeta = np.concatenate([[1.0], one, other, one * other])
        np.testing.assert_allclose(scores[row, :, slot, item], theta @ zeta, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(
            variances[row, slot, item], zeta @ covariance @ zeta, rtol=1e-10, atol=1e-10
        )


def test_no_items_are_no_pairs() -> None:
    none, slots = np.zeros((3, 0, 5)), np.ones((3, 2, 5))
    assert pair_scores(none, slots, np.ones((4, 16))).shape == (3, 4, 0)
    assert pair_variances(none, slots, np.eye(16)).shape == (3, 0)
