"""Two calibrated chances from running counts: active in a window, and a category if active.

Training days enter; two logistic models leave, whose product is the chance of a hit. They
are fitted before the walk begins and never see its days. Library: scikit-learn's
Newton–Cholesky solver, made for many rows and few columns.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit.draws import Stream, uniforms
from service.jobs.purchase_history import History
from service.jobs.purchases import Purchases

__all__ = ["TimingModels", "fit_timing"]

Array = NDArray[np.float64]
_MOST_ROWS = 1_500_000


@dataclass(frozen=True, slots=True, kw_only=True)
class TimingModels:
    """Coefficients of the two logistic models, intercept last."""

    item: Array  # (P + 1,)
    slot: Array  # (P + 1,)

    def item_chances(self, history: History) -> Array:
        """P(category | active today), (H, K)."""
        return _chance(history.item_design(), self.item)

    def slot_chances(self, history: History) -> Array:
        """P(active in window today), (H, S)."""
        return _chance(history.slot_design(), self.slot)


def fit_timing(
    shop: Purchases,
    *,
    first_day: int,
    until_day: int,
    key: int,
    advance: Callable[[], None] = lambda: None,
) -> TimingModels:
    """Fit both models on the days ``[first_day, until_day)``.

    Parameters
    ----------
    shop : Purchases
        Read up to ``until_day`` only.
    first_day, until_day : int
        Days that give rows; earlier ones only build the counts.
    key : int
        Chooses the rows where there are more than 1.5 million.
    advance : callable
        Told of each day, for a progress bar.
    """
    history = History.of(shop)
    items, slots = _Sample(), _Sample()
    while history.day < until_day:
        if history.day >= first_day:
            _collect(shop, history, (items, slots), key=key, n_days=until_day - first_day)
        history.learn(shop)
        advance()
    return TimingModels(item=items.fit(), slot=slots.fit())


@dataclass(slots=True)
class _Sample:
    design: list[Array] = field(default_factory=list)
    happened: list[NDArray[np.bool_]] = field(default_factory=list)

    def add(self, design: Array, happened: NDArray[np.bool_], keep: NDArray[np.bool_]) -> None:
        self.design.append(design.reshape(-1, design.shape[-1])[keep])
        self.happened.append(happened.ravel()[keep])

    def fit(self) -> Array:
        from sklearn.linear_model import LogisticRegression

        model: Any = LogisticRegression(solver="newton-cholesky", C=100.0, max_iter=100)
        model.fit(np.concatenate(self.design), np.concatenate(self.happened))
        return np.append(model.coef_[0], model.intercept_[0])


def _collect(
    shop: Purchases, history: History, samples: tuple[_Sample, _Sample], *, key: int, n_days: int
) -> None:
    items, slots = samples
    user, slot = shop.active(history.day)
    is_active = np.zeros((shop.n_users, shop.n_slots), np.bool_)
    is_active[user, slot] = True
    bought = np.zeros((shop.n_users, shop.n_items), np.bool_)
    buyer, item, _ = shop.bought(history.day)
    bought[buyer, item] = True
    some = np.flatnonzero(is_active.any(axis=1))
    if not len(some):
        return
    share = _MOST_ROWS / (n_days * len(some) * shop.n_items)
    items.add(
        history.item_design()[some],
        bought[some],
        _kept(len(some) * shop.n_items, share, key, history.day),
    )
    share = _MOST_ROWS / (n_days * is_active.size)
    slots.add(history.slot_design(), is_active, _kept(is_active.size, share, key, history.day))


def _kept(n_rows: int, share: float, key: int, day: int) -> NDArray[np.bool_]:
    if share >= 1:
        return np.ones(n_rows, np.bool_)
    return uniforms(key + day, np.arange(n_rows), stream=Stream.FOLD) < share


def _chance(design: Array, coefficients: Array) -> Array:
    return np.asarray(1.0 / (1.0 + np.exp(-(design @ coefficients[:-1] + coefficients[-1]))))
