from __future__ import annotations

import numpy as np

from policies.baselines.behaviour_counts import CountParams
from policies.baselines.fitted_counts import FittedCounts
from policies.candidates.popular import PopularTowers

_NONE = np.zeros(0, np.int64)


def _counts(*, fit_every: int, **params: bool) -> FittedCounts:
    return FittedCounts(
        3, 4, 2, CountParams(**params), towers=PopularTowers(4), fit_every=fit_every
    )


def _live(counts: FittedCounts, *items: int) -> None:
    for item in items:
        counts.observe(item_user=np.array([1]), item=np.array([item]), slot_user=_NONE, slot=_NONE)


def _shares(counts: FittedCounts) -> list[float]:
    return [float(share) for share in counts.towers.vectors[:, 0]]


def test_towers_are_fitted_after_the_first_period_and_every_so_often() -> None:
    counts = _counts(fit_every=3)
    _live(counts, 0)
    assert _shares(counts) == [1.0, 0.0, 0.0, 0.0]
    _live(counts, 1, 1)
    assert _shares(counts) == [1.0, 0.0, 0.0, 0.0]
    _live(counts, 1)
    assert _shares(counts) == [0.25, 0.75, 0.0, 0.0]


def test_the_end_of_training_fits_to_all_of_it_and_static_ones_stay() -> None:
    counts = _counts(fit_every=5, is_static=True)
    _live(counts, 0, 1)
    counts.freeze()
    assert _shares(counts) == [0.5, 0.5, 0.0, 0.0]
    _live(counts, *[2] * 9)
    assert _shares(counts) == [0.5, 0.5, 0.0, 0.0]


def test_a_history_is_the_counts_of_those_who_are_asked() -> None:
    counts = _counts(fit_every=1)
    _live(counts, 3, 3, 0)
    history = counts.history(np.array([2, 1, 1]))
    assert history.row.tolist() == [1, 1, 2, 2]
    assert history.item.tolist() == [0, 3, 0, 3]
    assert history.weight.tolist() == [1.0, 2.0, 1.0, 2.0]


def test_what_is_loaded_is_fitted_next_when_it_would_have_been() -> None:
    straight, resumed = _counts(fit_every=3), _counts(fit_every=3)
    _live(straight, 0, 1)
    resumed.load(straight.state())
    for counts in (straight, resumed):
        _live(counts, 2, 2)
    for name, array in straight.state().items():
        assert resumed.state()[name].tobytes() == array.tobytes()
    assert _shares(resumed) == [0.25, 0.25, 0.5, 0.0]
