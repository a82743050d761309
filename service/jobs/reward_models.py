"""Cross-fitted models: a row's prediction never comes from a model that saw the row's user.

Features, targets and users enter; out-of-fold predictions leave. A :class:`Model` is anything
with ``fit`` and ``predict``, so a caller may bring one of their own; the defaults rest on
scikit-learn. Reference: Chernozhukov et al. (2018), "Double/debiased machine learning".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bandit.draws import Stream, uniforms
from bandit.errors import BadInputError

__all__ = [
    "BoostedChances",
    "BoostedValues",
    "Calibrated",
    "LogisticChances",
    "Model",
    "RidgeThenTrees",
    "RidgeValues",
    "cross_fit",
    "folds_of",
]

Array = NDArray[np.float64]

_MARGIN = 1e-6


class Model(Protocol):
    """**Protocol:** learns E[y | x]; for y in {0, 1} that is a chance."""

    def fit(self, x: Array, y: Array) -> None:
        """Learn from features (N, P) and targets (N,), forgetting what was learned before."""
        ...

    def predict(self, x: Array) -> Array:
        """Return the expected target of each row, (N,)."""
        ...


def folds_of(user: NDArray[np.int64], *, n_folds: int, key: int) -> NDArray[np.int64]:
    """Fold of each row, (N,): all rows of a user share one, whatever other users there are."""
    if n_folds < 2:
        raise BadInputError(f"expected at least two folds, got {n_folds}: nothing would be left")
    return np.asarray(uniforms(key, user, stream=Stream.FOLD) * n_folds, np.int64)


def cross_fit(
    x: Array,
    y: Array,
    *,
    fold: NDArray[np.int64],
    make: Callable[[], Model],
    train: NDArray[np.bool_] | None = None,
) -> Array:
    """Predict each fold with a model fitted on the others.

    Parameters
    ----------
    x : ndarray, (N, P)
        Features.
    y : ndarray, (N,)
        Targets.
    fold : ndarray of int, (N,)
        See :func:`folds_of`.
    make : callable
        Returns a new, unfitted model.
    train : ndarray of bool, (N,), optional
        Rows that may be learned from; every row is predicted.

    Returns
    -------
    ndarray, (N,)

    Raises
    ------
    BadInputError
        If a fold leaves nothing to learn from.
    """
    train = np.ones(len(y), np.bool_) if train is None else train
    predicted = np.empty(len(y))
    for held_out in np.unique(fold):
        rows = train & (fold != held_out)
        if not rows.any():
            raise BadInputError(
                f"expected rows to learn from outside fold {held_out}, got none: use fewer folds"
            )
        model = make()
        model.fit(x[rows], y[rows])
        predicted[fold == held_out] = model.predict(x[fold == held_out])
    return predicted


class LogisticChances:
    """Logistic regression on standardised features."""

    def __init__(self, *, inverse_penalty: float = 0.1) -> None:
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        self._model: Any = make_pipeline(
            StandardScaler(), LogisticRegression(C=inverse_penalty, solver="newton-cholesky")
        )

    def fit(self, x: Array, y: Array) -> None:
        """Learn."""
        self._model.fit(x, y > 0)

    def predict(self, x: Array) -> Array:
        """Return chances."""
        return np.asarray(self._model.predict_proba(x)[:, 1])


class BoostedChances:
    """Shallow gradient-boosted trees for a chance."""

    def __init__(self, *, n_trees: int = 40, seed: int = 0) -> None:
        from sklearn.ensemble import HistGradientBoostingClassifier

        self._model: Any = HistGradientBoostingClassifier(
            max_iter=n_trees,
            learning_rate=0.15,
            max_leaf_nodes=8,
            min_samples_leaf=40,
            l2_regularization=1.0,
            max_bins=64,
            early_stopping=False,
            random_state=seed,
        )

    def fit(self, x: Array, y: Array) -> None:
        """Learn."""
        self._model.fit(x, y > 0)

    def predict(self, x: Array) -> Array:
        """Return chances."""
        return np.asarray(self._model.predict_proba(x)[:, 1])


class BoostedValues:
    """Shallow gradient-boosted trees for a mean."""

    def __init__(self, *, n_trees: int = 40, seed: int = 0) -> None:
        from sklearn.ensemble import HistGradientBoostingRegressor

        self._model: Any = HistGradientBoostingRegressor(
            max_iter=n_trees,
            learning_rate=0.15,
            max_leaf_nodes=8,
            min_samples_leaf=40,
            l2_regularization=1.0,
            max_bins=64,
            early_stopping=False,
            random_state=seed,
        )

    def fit(self, x: Array, y: Array) -> None:
        """Learn."""
        self._model.fit(x, y)

    def predict(self, x: Array) -> Array:
        """Return means."""
        return np.asarray(self._model.predict(x))


class RidgeValues:
    """Ridge regression on standardised features, for few rows and many features."""

    def __init__(self, *, penalty: float = 100.0) -> None:
        from sklearn.linear_model import Ridge
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        self._model: Any = make_pipeline(StandardScaler(), Ridge(alpha=penalty))

    def fit(self, x: Array, y: Array) -> None:
        """Learn."""
        self._model.fit(x, y)

    def predict(self, x: Array) -> Array:
        """Return means."""
        return np.asarray(self._model.predict(x))


class RidgeThenTrees:
    """Ridge for what is linear, then trees for what it left over: less shrunk than either."""

    def __init__(self) -> None:
        self._line, self._trees = RidgeValues(penalty=1.0), BoostedValues()

    def fit(self, x: Array, y: Array) -> None:
        """Learn."""
        self._line.fit(x, y)
        self._trees.fit(x, y - self._line.predict(x))

    def predict(self, x: Array) -> Array:
        """Return means."""
        return self._line.predict(x) + self._trees.predict(x)


class Calibrated:
    """A chance stretched and shifted on the log-odds scale until it is calibrated.

    The stretch is fitted on predictions for rows that the model had not seen: the second half
    of the rows given, while the model learns from the first; then the model is fitted again on
    all. Rows of one user should lie together. Reference: Platt (1999).
    """

    def __init__(self, make: Callable[[], Model]) -> None:
        self._make = make
        self._model = make()
        self.slope, self.shift = 1.0, 0.0

    def fit(self, x: Array, y: Array) -> None:
        """Learn the stretch, then the model."""
        from sklearn.linear_model import LogisticRegression

        half = len(y) // 2
        first = self._make()
        first.fit(x[:half], y[:half])
        stretch: Any = LogisticRegression(C=1e6)
        stretch.fit(_log_odds(first.predict(x[half:]))[:, None], y[half:] > 0)
        self.slope, self.shift = float(stretch.coef_[0, 0]), float(stretch.intercept_[0])
        self._model = self._make()
        self._model.fit(x, y)

    def predict(self, x: Array) -> Array:
        """Return calibrated chances."""
        stretched = self.slope * _log_odds(self._model.predict(x)) + self.shift
        return np.asarray(1.0 / (1.0 + np.exp(-stretched)))


def _log_odds(chance: Array) -> Array:
    inside = np.clip(chance, _MARGIN, 1.0 - _MARGIN)
    return np.asarray(np.log(inside / (1.0 - inside)))
