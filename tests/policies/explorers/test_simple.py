"""Greedy, ε-greedy, softmax and explore-first: published probabilities and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bandit.errors import BadInputError
from policies.explorers.epsilon_greedy import EpsilonGreedy
from policies.explorers.first import ExploreFirst
from policies.explorers.greedy import Greedy
from policies.explorers.softmax import Softmax


def test_greedy_takes_the_best_unmasked_and_shares_ties(
    known: Callable[..., Any], ask: Callable[..., Any]
) -> None:
    asked = ask(4, n=2, mask=[True, True, False, True])
    pmf = Greedy().pmf(known([0.0, 0.3, 0.9, 0.3]), asked, key=0, n_learned=0)
    np.testing.assert_array_equal(pmf, [[0.0, 0.5, 0.0, 0.5]] * 2)


def test_epsilon_greedy_gives_the_published_probabilities(
    known: Callable[..., Any], ask: Callable[..., Any]
) -> None:
    """Vowpal Wabbit's ``cb_test`` at ε = .1: three unknown actions, then two of which one leads."""
    explorer = EpsilonGreedy(epsilon=0.1)
    unknown = explorer.pmf(known([0.0, 0.0, 0.0]), ask(3), key=0, n_learned=0)
    np.testing.assert_allclose(unknown, [[1 / 3, 1 / 3, 1 / 3]], atol=1e-15)
    led = explorer.pmf(known([0.1, 0.2]), ask(2), key=0, n_learned=2)
    np.testing.assert_allclose(led, [[0.05, 0.95]], atol=1e-15)


def test_softmax_follows_its_formula(known: Callable[..., Any], ask: Callable[..., Any]) -> None:
    """λ = .2 over 1, 2, 3, 8: Vowpal Wabbit's own test, to its 1e-3."""
    explorer = Softmax(inverse_temperature=0.2)
    pmf = explorer.pmf(known([1.0, 2.0, 3.0, 8.0]), ask(4), key=0, n_learned=0)
    np.testing.assert_allclose(pmf, [[0.128, 0.157, 0.192, 0.522]], atol=1e-3)
    twelve = Softmax().pmf(known([0.0, 0.05]), ask(2), key=0, n_learned=0)
    assert twelve[0, 1] / twelve[0, 0] == pytest.approx(np.exp(2.5))


def test_explore_first_is_uniform_first_and_greedy_then(
    known: Callable[..., Any], ask: Callable[..., Any]
) -> None:
    """Vowpal Wabbit's ``cb_test`` with ``--first 2``: the third event has all mass on the best."""
    explorer, model = ExploreFirst(n_first=2), known([0.1, 0.2])
    for n_learned, expected in ((0, [0.5, 0.5]), (1, [0.5, 0.5]), (2, [0.0, 1.0])):
        pmf = explorer.pmf(model, ask(2), key=0, n_learned=n_learned)
        np.testing.assert_array_equal(pmf, [expected])


@pytest.mark.parametrize("bad", [-0.1, 1.1, np.nan])
def test_an_epsilon_that_is_no_probability_is_refused(bad: float) -> None:
    with pytest.raises(BadInputError, match=r"epsilon in \[0, 1\], got"):
        EpsilonGreedy(epsilon=bad)


@pytest.mark.parametrize("bad", [-0.1, np.inf, np.nan])
def test_a_temperature_that_is_none_is_refused(bad: float) -> None:
    with pytest.raises(BadInputError, match="finite inverse_temperature of at least 0, got"):
        Softmax(inverse_temperature=bad)


def test_a_negative_number_of_first_rows_is_refused() -> None:
    with pytest.raises(BadInputError, match="n_first of at least 0, got -1"):
        ExploreFirst(n_first=-1)
