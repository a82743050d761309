"""Quiet while nothing changes, quick when something does, and better off for it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from bandit.errors import BadInputError
from bandit.outcomes import Feedback
from policies.baselines.fixed import RandomEligible
from policies.conformance.rows import feedback_of, request_of
from policies.conformance.world import HITS
from policies.models.linear import LinearModel
from policies.models.watchful import Watchful, WatchParams
from policies.shape import PolicyShape

SHAPE = PolicyShape(
    n_context=3, n_item_features=4, n_slot_features=3, n_users=7, n_items=5, n_slots=4
)
THETA = np.array([0.5, -0.3, 0.2])
Array = NDArray[np.float64]


def rows(n: int, *, seed: int, theta: Array = THETA, noise: float = 1.0) -> Feedback:
    """Hits that hang on the context alone, whatever is sent."""
    told = feedback_of(SHAPE, n, seed=seed, first_id=seed * 100_000)
    y = told.context @ theta + noise * np.random.default_rng(seed).normal(size=n)
    components = np.zeros((n, len(HITS)))
    components[:, 0] = 1.0 + y
    components[:, 1] = told.is_send
    return replace(told, components=components)


def watched(**changes: float) -> Watchful:
    params = replace(WatchParams(step_rows=200), **changes)  # type: ignore[arg-type]
    return Watchful(LinearModel(SHAPE, HITS), 3, params)


def test_stationary_rows_raise_no_more_alarms_than_stated() -> None:
    """Twenty seeds of 200 steps at one alarm in 200: twenty in the mean, from the first row on."""
    alarms = 0
    for seed in range(20):
        model = watched(steps_between=200.0)
        for batch in range(40):
            model.update(rows(1000, seed=1 + batch + 100 * seed))
        # Five steps of 200 rows come in each batch, and are looked at as one.
        alarms += model.n_alarms
    assert alarms <= 20 * 40 / 200 + 3 * np.sqrt(20 * 40 / 200)


def test_a_shift_is_found_within_the_steps_that_are_stated() -> None:
    """Rewards fall by a fifth of a standard deviation: 2.8 standard errors of 200 rows a step.

    The mean time for such a shift is four steps; all seeds find it in ten.
    """
    for seed in range(10):
        model = watched()
        for batch in range(60):
            model.update(rows(200, seed=1 + batch + 100 * seed))
        assert model.n_alarms == 0
        for batch in range(60, 70):
            worse = rows(200, seed=1 + batch + 100 * seed)
            worse = replace(worse, components=worse.components - [0.2, 0.0, 0.0])
            model.update(worse)
        assert model.n_alarms >= 1


def test_after_a_change_it_believes_what_is_so_now_sooner_than_without_a_watch() -> None:
    """Everything turns to its opposite and all rewards fall: error of the estimates afterwards."""
    plain, watch = LinearModel(SHAPE, HITS), watched()
    for batch in range(60):
        for model in (plain, watch):
            model.update(rows(200, seed=1 + batch))
    for batch in range(60, 80):
        after = rows(200, seed=1 + batch, theta=-THETA)
        after = replace(after, components=after.components - [0.3, 0.0, 0.0])
        for model in (plain, watch):
            model.update(after)
    asked = request_of(SHAPE, 200, seed=5)
    truth = 0.7 - asked.context @ THETA
    errors = [
        float(np.mean((model.estimate(asked).base_mean[:, 0] - truth) ** 2))
        for model in (plain, watch)
    ]
    assert watch.n_alarms >= 1
    assert errors[1] < 0.2 * errors[0]


def test_rows_are_compared_when_they_are_final() -> None:
    model = watched()
    told = rows(50, seed=1)
    model.update(replace(told, maturity=np.full(told.maturity.shape, 0.5)))
    assert model.n_rows == 0
    model.revise(told)
    assert model.n_rows == 50


def test_it_believes_what_the_model_inside_believes() -> None:
    plain, watch = LinearModel(SHAPE, HITS), watched()
    for model in (plain, watch):
        model.update(rows(300, seed=1))
    asked = request_of(SHAPE, 10)
    np.testing.assert_array_equal(watch.values(asked), plain.values(asked))
    np.testing.assert_array_equal(
        watch.best_shares(asked, 3, n_draws=8, scale=1.0),
        plain.best_shares(asked, 3, n_draws=8, scale=1.0),
    )


def test_what_cannot_discount_cannot_be_watched() -> None:
    with pytest.raises(BadInputError, match="can discount"):
        Watchful(RandomEligible(SHAPE, HITS), 3)


@pytest.mark.parametrize("wrong", [{"kept": 0.0}, {"allowance": 0.0}, {"step_rows": 0}])
def test_bad_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(BadInputError, match="expected step_rows"):
        WatchParams(**wrong)  # type: ignore[arg-type]
