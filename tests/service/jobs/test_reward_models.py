from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from bandit.errors import BadInputError
from service.jobs.reward_models import (
    BoostedChances,
    BoostedValues,
    Calibrated,
    LogisticChances,
    Model,
    RidgeValues,
    cross_fit,
    folds_of,
)

Array = NDArray[np.float64]


class MeanOfSeen:
    """Predicts the mean target it was fitted on: shows which rows were seen."""

    def fit(self, x: Array, y: Array) -> None:
        self.mean = float(y.mean())

    def predict(self, x: Array) -> Array:
        return np.full(len(x), self.mean)


def test_a_prediction_never_uses_rows_of_its_own_fold() -> None:
    """With targets 1, 2, 6 in three folds, each fold is told the mean of the other two."""
    fold = np.array([0, 1, 2, 0])
    y = np.array([1.0, 2.0, 6.0, 1.0])
    found = cross_fit(np.zeros((4, 1)), y, fold=fold, make=MeanOfSeen)
    np.testing.assert_allclose(found, [4.0, 8 / 3, 4 / 3, 4.0])


def test_rows_that_may_not_be_learned_from_are_still_predicted() -> None:
    """Only the marked rows teach; all are answered."""
    found = cross_fit(
        np.zeros((4, 1)),
        np.array([1.0, 2.0, 6.0, 100.0]),
        fold=np.array([0, 1, 2, 0]),
        make=MeanOfSeen,
        train=np.array([True, True, True, False]),
    )
    np.testing.assert_allclose(found, [4.0, 3.5, 1.5, 4.0])


def test_a_fold_that_leaves_nothing_to_learn_from_is_refused() -> None:
    """All teachers in one fold cannot teach that fold."""
    with pytest.raises(BadInputError, match="expected rows to learn from outside fold 0"):
        cross_fit(np.zeros((2, 1)), np.ones(2), fold=np.zeros(2, np.int64), make=MeanOfSeen)


def test_all_rows_of_a_user_share_a_fold_whoever_else_is_there() -> None:
    """Folds depend on the user's number and the key alone."""
    user = np.array([5, 7, 5, 9, 7])
    fold = folds_of(user, n_folds=5, key=3)
    assert fold[0] == fold[2]
    assert fold[1] == fold[4]
    np.testing.assert_array_equal(fold[:1], folds_of(np.array([5]), n_folds=5, key=3))
    many = folds_of(np.arange(10_000), n_folds=5, key=3)
    np.testing.assert_allclose(np.bincount(many) / 10_000, 0.2, atol=0.02)


def test_one_fold_is_refused() -> None:
    """One fold would leave nothing to learn from."""
    with pytest.raises(BadInputError, match="at least two folds"):
        folds_of(np.arange(3), n_folds=1, key=0)


@pytest.mark.parametrize("make", [LogisticChances, BoostedChances])
def test_chances_follow_a_logistic_truth(
    make: type[LogisticChances] | type[BoostedChances],
) -> None:
    """Predictions lie near the chances the targets were drawn from."""
    x, chance, y = _logistic_sample()
    model = make()
    model.fit(x, y)
    assert np.abs(model.predict(x) - chance).mean() < 0.05


@pytest.mark.parametrize("make", [RidgeValues, BoostedValues])
def test_values_follow_a_linear_truth(make: Callable[[], Model]) -> None:
    """Predictions explain most of a linear mean."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(2000, 3))
    mean = 3.0 + 2.0 * x[:, 0] - x[:, 1]
    model = make()
    model.fit(x, mean + 0.1 * rng.normal(size=2000))
    assert np.corrcoef(model.predict(x), mean)[0, 1] > 0.97


class Overconfident:
    """Knows the truth and doubles its log-odds."""

    def fit(self, x: Array, y: Array) -> None:
        return

    def predict(self, x: Array) -> Array:
        return np.asarray(1 / (1 + np.exp(-2 * x[:, 0])))


def test_calibration_undoes_doubled_log_odds() -> None:
    """A model twice too sure is stretched by a half, and its chances become right."""
    x, _, _ = _logistic_sample()
    rng = np.random.default_rng(9)
    chance = 1 / (1 + np.exp(-x[:, 0]))
    model = Calibrated(Overconfident)
    model.fit(x, (rng.random(len(x)) < chance).astype(np.float64))
    assert model.slope == pytest.approx(0.5, abs=0.06)
    assert model.shift == pytest.approx(0.0, abs=0.1)
    assert np.abs(model.predict(x) - chance).max() < 0.06


def _logistic_sample() -> tuple[Array, Array, Array]:
    rng = np.random.default_rng(4)
    x = rng.normal(size=(8000, 2))
    chance = 1 / (1 + np.exp(-(x[:, 0] - 0.5 * x[:, 1] - 0.5)))
    return x, chance, (rng.random(8000) < chance).astype(np.float64)
