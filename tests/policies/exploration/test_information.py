"""Information-directed sampling by hand, and beside every pair of actions on a fine grid."""

from __future__ import annotations

import numpy as np
import pytest

from bandit.errors import BadInputError
from policies.exploration import information_directed, regret_and_information

_ALL = np.ones((1, 2), np.bool_)


def test_regret_and_information_by_hand() -> None:
    """Two draws: 0 is best in one, the other in the second; its mean is −.25, ∓ .75 around it."""
    draws = np.array([[[0.0, -1.0], [0.0, 0.5]]])
    regret, information = regret_and_information(draws, _ALL)
    np.testing.assert_allclose(regret, [[0.25, 0.5]])
    np.testing.assert_allclose(information, [[0.0, 0.75**2]])


def test_information_is_between_best_actions_not_between_draws() -> None:
    """Three draws, in the first two of which the same action is best: means .3 and −1, ⅔ and ⅓."""
    draws = np.array([[[0.0, 0.1], [0.0, 0.5], [0.0, -1.0]]])
    mean = (2 * 0.3 - 1.0) / 3
    _, information = regret_and_information(draws, _ALL)
    between = 2 / 3 * (0.3 - mean) ** 2 + 1 / 3 * (-1.0 - mean) ** 2
    np.testing.assert_allclose(information, [[0.0, between]])


def test_a_masked_action_is_never_what_is_best() -> None:
    draws = np.array([[[0.0, -1.0, 9.0], [0.0, 0.5, -9.0]]])
    regret, information = regret_and_information(draws, np.array([[True, True, False]]))
    np.testing.assert_allclose(regret, [[0.25, 0.5, 0.0]])
    np.testing.assert_allclose(information, [[0.0, 0.5625, 0.0]])


def test_the_mixture_of_two_by_hand() -> None:
    """(.1 + .4q)² / .25q is least where .8q = .1 + .4q: a quarter."""
    pmf = information_directed(np.array([[0.1, 0.5]]), np.array([[0.0, 0.25]]), _ALL)
    np.testing.assert_allclose(pmf, [[0.75, 0.25]], atol=1e-12)


def test_no_regret_is_played_and_shared_between_equals() -> None:
    regret = np.array([[0.0, 0.3, 0.0], [0.2, 0.2, 0.2]])
    information = np.array([[0.0, 9.0, 0.0], [0.0, 0.0, 0.0]])
    mask = np.ones((2, 3), np.bool_)
    pmf = information_directed(regret, information, mask)
    np.testing.assert_allclose(pmf, [[0.5, 0.0, 0.5], [1 / 3, 1 / 3, 1 / 3]], atol=1e-12)


def test_an_action_that_is_best_under_no_draw_is_played_where_it_tells_most() -> None:
    """Which of two is best is told by neither as well as by the third, which costs a little."""
    draws = np.array([[[1.0, 0.9, 0.0], [0.9, 1.0, 0.98]]])
    pmf = information_directed(
        *regret_and_information(draws, np.ones((1, 3), bool)), np.ones((1, 3), bool)
    )
    assert pmf[0, 2] > 0.0
    assert draws.argmax(axis=2).tolist() == [[0, 1]]


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e24])
def test_no_pair_of_actions_has_a_lesser_ratio(scale: float) -> None:
    """Every pair at two thousand proportions, on the regrets and informations of random draws."""
    rng = np.random.default_rng(3)
    q = np.linspace(0, 1, 2001)[:, None, None]
    for _ in range(40):
        n_actions, n_draws = int(rng.integers(1, 8)), int(rng.integers(1, 40))
        spread, mean = rng.random(n_actions), rng.normal(size=n_actions) * rng.choice([0, 0.3, 2])
        draws = scale * (rng.normal(size=(3, n_draws, n_actions)) * spread + mean)
        mask = rng.random((3, n_actions)) < 0.8
        mask[:, 0] = True
        regret, information = regret_and_information(draws, mask)
        pmf = information_directed(regret, information, mask)
        assert ((pmf > 0).sum(axis=1) <= 2).all()
        for row in range(3):
            d, v = regret[row, mask[row]] / scale, information[row, mask[row]] / scale**2
            cost, gain = (q * x[:, None] + (1 - q) * x for x in (d, v))
            ratio = np.where(gain > 0, cost**2 / np.where(gain > 0, gain, 1.0), np.inf)
            least = np.where(cost > 0, ratio, 0.0).min()
            mixed, told = pmf[row] @ regret[row] / scale, pmf[row] @ information[row] / scale**2
            if mixed > 1e-9:
                assert mixed**2 / told <= least * (1 + 1e-6)


def test_regrets_that_are_not_finite_are_refused() -> None:
    with pytest.raises(BadInputError, match="expected finite scores"):
        information_directed(np.array([[np.nan, 0.0]]), np.zeros((1, 2)), _ALL)
