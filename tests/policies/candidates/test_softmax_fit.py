from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from policies.candidates.softmax_fit import fit_softmax, softmax


def rows_of(seed: int, n: int = 400, d: int = 5, c: int = 4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = np.column_stack([np.ones(n), rng.normal(size=(n, d)) * rng.lognormal(0, 1, d)])
    p = softmax(x @ rng.normal(size=(d + 1, c)))
    return x, (p.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1)


@pytest.mark.parametrize(("seed", "ridge"), [(0, 1.0), (1, 0.01), (2, 100.0)])
def test_chances_are_those_of_scikit_learn(seed: int, ridge: float) -> None:
    x, y = rows_of(seed)
    ours = softmax(x @ fit_softmax(x, np.eye(4)[y], ridge=ridge))
    peer = LogisticRegression(C=1 / ridge, tol=1e-10, max_iter=20_000).fit(x[:, 1:], y)
    np.testing.assert_allclose(ours, peer.predict_proba(x[:, 1:]), atol=2e-5)


def test_soft_labels_are_weighted_rows_of_scikit_learn() -> None:
    """A row of label (.3, .7, 0, 0) is two rows of weights .3 and .7."""
    x, _ = rows_of(5)
    label = np.random.default_rng(6).dirichlet(np.ones(4), len(x))
    ours = softmax(x @ fit_softmax(x, label))
    peer = LogisticRegression(C=1.0, tol=1e-10, max_iter=20_000).fit(
        np.repeat(x[:, 1:], 4, axis=0), np.tile(np.arange(4), len(x)), sample_weight=label.ravel()
    )
    np.testing.assert_allclose(ours, peer.predict_proba(x[:, 1:]), atol=2e-5)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(4, 60), ridge=st.floats(1e-3, 1e3))
def test_the_gradient_is_zero_and_class_totals_are_met(seed: int, n: int, ridge: float) -> None:
    """The intercept is free, so expected and observed counts of every class agree."""
    x, y = rows_of(seed, n)
    label = (np.eye(4)[y] + 0.01) / 1.04
    p = softmax(x @ fit_softmax(x, label, ridge=ridge))
    np.testing.assert_allclose(p.sum(axis=0), label.sum(axis=0), atol=1e-4 * n)


def test_separable_rows_have_an_optimum_all_the_same() -> None:
    x = np.column_stack([np.ones(40), np.repeat([-1e3, 1e3], 20)])
    label = np.eye(2)[np.repeat([0, 1], 20)]
    p = softmax(x @ fit_softmax(x, label, ridge=1e-6))
    assert (p.argmax(axis=1) == label.argmax(axis=1)).all()


def test_one_class_and_no_features_are_no_trouble() -> None:
    ones = np.ones((3, 1))
    np.testing.assert_array_equal(softmax(ones @ fit_softmax(ones, ones)), ones)
    label = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    np.testing.assert_allclose(softmax(ones @ fit_softmax(ones, label))[0], [2 / 3, 1 / 3])


def test_softmax_does_not_overflow() -> None:
    np.testing.assert_allclose(softmax(np.array([[1e4, 0.0], [-1e4, -1e4]])), [[1, 0], [0.5, 0.5]])
