from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest, ttest_ind

from bandit.errors import BadInputError, BadShapeError
from bandit.identity import Links, comparable
from bandit.ope.group_uplift import uplift_against_holdout


def test_one_row_a_user_gives_the_interval_of_welch() -> None:
    rng = np.random.default_rng(0)
    value = rng.normal(3, 2, 4000)
    held = rng.random(4000) < 0.3
    found = uplift_against_holdout(value, np.arange(4000), is_holdout=held)
    peer = ttest_ind(value[~held], value[held], equal_var=False).confidence_interval(0.95)
    assert found["uplift"] == pytest.approx(value[~held].mean() - value[held].mean())
    assert found["lower"] == pytest.approx(peer.low, rel=1e-9)
    assert found["upper"] == pytest.approx(peer.high, rel=1e-9)
    assert found["n_live"] + found["n_holdout"] == 4000


def test_intervals_cover_the_truth_when_users_keep_their_habits() -> None:
    """Ten weeks a user with a habit of their own: 95 % of 400 intervals hold the uplift."""
    rng = np.random.default_rng(1)
    user = np.repeat(np.arange(200), 10)
    hits = 0
    for _ in range(400):
        held = rng.permutation(200) < 60
        value = rng.normal(0, 2, 200)[user] + rng.normal(size=2000) + 0.5 * ~held[user]
        found = uplift_against_holdout(value, user, is_holdout=held[user])
        hits += found["lower"] <= 0.5 <= found["upper"]
    assert binomtest(hits, 400, 0.95).pvalue > 0.01


def test_a_holdout_of_five_users_gives_the_interval_of_welch_too() -> None:
    """Few users: 1.96 errors would be too sure of it. Claims may be written as 0 and 1."""
    rng = np.random.default_rng(2)
    value, held = rng.normal(3, 2, 40), np.arange(40) < 5
    peer = ttest_ind(value[~held], value[held], equal_var=False).confidence_interval(0.95)
    for claim in (held, held.astype(np.int64)):
        found = uplift_against_holdout(value, np.arange(40), is_holdout=claim)
        assert (found["lower"], found["upper"]) == pytest.approx((peer.low, peer.high))


def test_groups_that_do_not_vary_are_known() -> None:
    held = np.array([True, True, False, False])
    found = uplift_against_holdout(np.where(held, 1.0, 3.0), np.arange(4), is_holdout=held)
    assert (found["uplift"], found["lower"], found["upper"]) == (2.0, 2.0, 2.0)


def test_a_value_that_is_no_number_is_refused() -> None:
    value, held = np.array([1.0, np.nan, 1.0, 2.0]), np.array([True, True, False, False])
    with pytest.raises(BadInputError, match="finite values"):
        uplift_against_holdout(value, np.arange(4), is_holdout=held)


def test_a_user_in_both_groups_is_refused_unless_left_out() -> None:
    value, user = np.arange(6.0), np.array([1, 2, 3, 4, 5, 6])
    held = np.array([True, True, False, False, False, True])
    links = Links.of(np.array([6]), np.array([5]), at_ms=np.array([0]))
    compared = comparable(user, links, lambda ids: np.isin(ids, [1, 2, 6]))
    found = uplift_against_holdout(value, user, is_holdout=held, compared=compared)
    assert found["uplift"] == pytest.approx(2.5 - 0.5)
    assert (found["n_users_left_out"], found["n_rows_left_out"]) == (1, 2)
    with pytest.raises(BadInputError, match="got 1 in both"):
        uplift_against_holdout(value, links.resolve(user), is_holdout=held)


def test_too_few_users_and_unlike_columns_are_refused() -> None:
    value, user = np.ones(4), np.array([1, 1, 2, 3])
    held = np.array([True, True, False, False])
    with pytest.raises(BadInputError, match="two holdout users to compare, got 1"):
        uplift_against_holdout(value, user, is_holdout=held)
    with pytest.raises(BadShapeError, match="one user a value"):
        uplift_against_holdout(value, user[:3], is_holdout=held)
    with pytest.raises(BadShapeError, match="one group a value"):
        uplift_against_holdout(value, user, is_holdout=held[:3])
