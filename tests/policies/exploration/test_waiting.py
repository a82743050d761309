from __future__ import annotations

import numpy as np
import pytest

from bandit.errors import BadInputError, BadShapeError
from policies.exploration.waiting import news_sd_of, wait_values


def test_without_news_waiting_is_worth_the_best_slot_that_is_left_less_its_cost() -> None:
    """Slots of .2, .5, .3 and .1; the second is the best, and asking again costs .01."""
    values = wait_values(
        np.array([[0.2, 0.5, 0.3, 0.1], [-0.2, -0.5, -0.3, -0.1]]),
        np.tile([0.0, 1.0, 2.0, 3.0], (2, 1)),
        news_sd=0.0,
        cost=0.01,
    )
    np.testing.assert_allclose(values.now, [0.2, -0.2])
    np.testing.assert_allclose(values.best, [0.5, -0.1])
    np.testing.assert_allclose(values.again, [0.49, -0.01])
    assert values.slot[0] == 1


def test_deciding_again_by_hand() -> None:
    """A push worth 0 now and in a day, a day's news of 1: √3/π · ln 2; half a day √½ of that."""
    values = wait_values(
        np.zeros((2, 2)), np.array([[0.0, 24.0], [0.0, 12.0]]), news_sd=1.0, cost=0.0
    )
    once = np.sqrt(3) / np.pi * np.log(2)
    np.testing.assert_allclose(values.again, [once, once * np.sqrt(0.5)])


@pytest.mark.parametrize("mean", [-0.3, 0.0, 0.1, 0.8])
def test_it_is_the_mean_of_a_million_drawn_futures(mean: float) -> None:
    """Logistic news of a standard deviation of .4, seen, then the better of sending and not."""
    rng = np.random.default_rng(1)
    news = rng.logistic(scale=0.4 * np.sqrt(3) / np.pi, size=1_000_000)
    assert news.std() == pytest.approx(0.4, rel=0.01)
    hoped = np.maximum(mean + news, 0.0)
    values = wait_values(np.array([[mean]]), np.array([[24.0]]), news_sd=0.4, cost=0.0)
    error = hoped.std() / 1000
    assert values.again[0] == pytest.approx(hoped.mean(), abs=4 * error)


def test_the_better_of_more_news_and_better_slots() -> None:
    """The evening is as good as any, so it is waited for; a morning that is much better is not."""
    lead = np.array([[0.0, 6.0, 12.0]])
    even = wait_values(np.zeros((1, 3)), lead, news_sd=0.1, cost=0.0)
    assert even.slot[0] == 2
    early = wait_values(np.array([[0.0, 0.3, -0.3]]), lead, news_sd=0.1, cost=0.0)
    assert early.slot[0] == 1


def test_the_order_of_slots_says_nothing() -> None:
    rng = np.random.default_rng(2)
    by_slot, lead = rng.normal(size=(50, 6)), rng.integers(0, 30, (50, 6)).astype(float)
    order = rng.permutation(6)
    straight = wait_values(by_slot, lead, news_sd=0.5, cost=0.01)
    turned = wait_values(by_slot[:, order], lead[:, order], news_sd=0.5, cost=0.01)
    for name in ("now", "best", "again"):
        np.testing.assert_allclose(getattr(turned, name), getattr(straight, name))


def test_where_nothing_may_be_sent_nothing_is_waited_for() -> None:
    """A masked day is worth 0 less the asking; a slot that has begun is no time to wake up at."""
    closed = np.full((1, 2), -np.inf)
    values = wait_values(closed, np.array([[0.0, 5.0]]), news_sd=0.5, cost=0.01)
    assert values.again[0] == pytest.approx(-0.01)
    assert values.best[0] == -np.inf
    begun = wait_values(np.ones((1, 1)), np.zeros((1, 1)), news_sd=0.5, cost=0.0)
    assert (begun.again[0], begun.slot[0]) == (-np.inf, -1)
    empty = wait_values(np.zeros((2, 0)), np.zeros((2, 0)), news_sd=0.5, cost=0.0)
    np.testing.assert_array_equal(empty.slot, -1)


def test_the_news_of_a_random_walk_is_found_again() -> None:
    rng = np.random.default_rng(3)
    lead = rng.uniform(1.0, 48.0, 20_000)
    change = 0.03 * np.sqrt(lead / 24) * rng.normal(size=20_000)
    assert news_sd_of(lead, change) == pytest.approx(0.03, rel=0.02)


def test_what_cannot_be_weighed_is_refused() -> None:
    with pytest.raises(BadShapeError, match="one lead a slot"):
        wait_values(np.zeros((1, 2)), np.zeros((1, 3)), news_sd=1.0, cost=0.0)
    for lead, change in (([], []), ([0.0], [1.0]), ([1.0], [np.nan])):
        with pytest.raises(BadInputError, match="expected one finite change or more"):
            news_sd_of(np.array(lead), np.array(change))
