from __future__ import annotations

import math

import numpy as np
import pytest

from bandit.errors import BadInputError
from bandit.power_math import Comparison, detectable_effect, power_of, rate_sd, users_needed


@pytest.mark.parametrize(
    ("rate", "percent", "published_per_arm"),
    [
        (0.1295, 1.9, 298_000),
        (0.03, 5.0, 207_000),
        (0.03, 2.0, 1_290_000),
        (0.009, 5.0, 705_000),
        (0.002, 10.0, 798_000),
    ],
)
def test_equal_arms_need_about_sixteen_variances_a_squared_difference(
    rate: float, percent: float, published_per_arm: int
) -> None:
    """The rule n ≈ 16 p(1 − p)/d² of one arm at 80 %: 16 stands for 2 (1.96 + .84)² = 15.7."""
    difference = rate * percent / 100
    users = users_needed(Comparison(sd=rate_sd(rate), holdout_share=0.5), difference=difference)
    exact = 2 * (1.959964 + 0.841621) ** 2
    assert users / 2 == pytest.approx(exact * rate * (1 - rate) / difference**2, rel=1e-5)
    assert users / 2 == pytest.approx(published_per_arm, rel=0.025)


def test_the_power_of_the_users_needed_is_the_power_asked_for() -> None:
    """One formula read in two directions, at any split, number of weeks and level."""
    compared = Comparison(sd=2.0, holdout_share=0.1, weeks=6, icc=0.3, alpha=0.01)
    users = users_needed(compared, difference=0.05, power=0.9)
    assert power_of(compared, difference=0.05, n_users=users) == pytest.approx(0.9, abs=1e-4)
    assert detectable_effect(compared, n_users=users, power=0.9) == pytest.approx(0.05, rel=1e-4)


def test_no_difference_is_seen_as_often_as_the_level_says() -> None:
    """Under no effect a test sees one in alpha of trials."""
    compared = Comparison(sd=1.0, holdout_share=0.2, alpha=0.05)
    assert power_of(compared, difference=0.0, n_users=1000) == pytest.approx(0.05)


def test_an_uneven_split_costs_what_its_product_says() -> None:
    """1 / (h (1 − h)): a tenth held out needs .25 / .09 of the users of two halves."""
    half, tenth = (Comparison(sd=1.0, holdout_share=share) for share in (0.5, 0.1))
    ratio = users_needed(tenth, difference=0.01) / users_needed(half, difference=0.01)
    assert ratio == pytest.approx(0.25 / 0.09, rel=1e-4)


def test_weeks_of_one_user_that_are_alike_say_nothing_new() -> None:
    """At a correlation of one, weeks do not help; at none, they count in full."""
    one = users_needed(Comparison(sd=1.0, holdout_share=0.5), difference=0.01)
    alike = Comparison(sd=1.0, holdout_share=0.5, weeks=8, icc=1.0)
    apart = Comparison(sd=1.0, holdout_share=0.5, weeks=8)
    assert users_needed(alike, difference=0.01) == one
    assert users_needed(apart, difference=0.01) == pytest.approx(one / 8, abs=1)


def test_drawn_trials_see_the_effect_as_often_as_the_formula_says() -> None:
    """Users with rates of their own (Beta), five weeks each: 2,000 trials, 99.9 % interval."""
    rng, weeks, concentration, p, share = np.random.default_rng(3), 5, 4.0, 0.3, 0.25
    icc = 1 / (concentration + 1)
    compared = Comparison(sd=rate_sd(p), holdout_share=share, weeks=weeks, icc=icc)
    difference = 0.05
    users = users_needed(compared, difference=difference)
    held, seen, trials = round(users * share), 0, 2000
    for _ in range(trials):
        own = rng.beta(concentration * p, concentration * (1 - p), users)
        mean = rng.binomial(weeks, own) / weeks
        mean[held:] += difference
        error = compared.error(users)
        seen += abs(mean[held:].mean() - mean[:held].mean()) / error > 1.959964
    assert seen / trials == pytest.approx(0.8, abs=3.29 * math.sqrt(0.16 / trials))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sd": 0.0}, "standard deviation above 0"),
        ({"sd": math.nan}, "standard deviation above 0"),
        ({"holdout_share": 1.0}, "holdout share"),
        ({"weeks": 0}, "1 to 5200 weeks"),
        ({"icc": -0.1}, "correlation of weeks"),
        ({"alpha": 0.0}, "level alpha"),
    ],
)
def test_what_is_no_comparison_is_refused(changes: dict[str, float], words: str) -> None:
    """By what was expected and what came."""
    with pytest.raises(BadInputError, match=words):
        Comparison(**({"sd": 1.0, "holdout_share": 0.5} | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("difference", [0.0, math.nan, math.inf, 1e-200])
def test_a_difference_that_no_test_can_see_is_refused(difference: float) -> None:
    """Instead of an endless number of users."""
    with pytest.raises(BadInputError, match="difference"):
        users_needed(Comparison(sd=1.0, holdout_share=0.5), difference=difference)


@pytest.mark.parametrize("power", [0.0, 0.04, 1.0, math.nan])
def test_a_power_that_no_test_has_is_refused(power: float) -> None:
    """Below the level, or certain."""
    with pytest.raises(BadInputError, match="power"):
        users_needed(Comparison(sd=1.0, holdout_share=0.5), difference=0.1, power=power)


def test_a_rate_is_a_chance() -> None:
    """0 and 1 have no spread to compare."""
    with pytest.raises(BadInputError, match="a rate strictly between 0 and 1"):
        rate_sd(1.0)
