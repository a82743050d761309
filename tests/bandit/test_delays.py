from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from bandit.delays import DelayModel, expected_any, expected_sum
from bandit.slots import DAY_MS, HOUR_MS


def test_the_expected_value_is_bayes_rule() -> None:
    """p̂(1 − F)/(1 − p̂F) where unseen, 1 where seen; seen + μ̂(1 − F) for what is counted."""
    share, rate = np.array([0.0, 0.25, 1.0]), np.array([0.2, 0.2, 0.2])
    unseen = expected_any(np.zeros(3), share, rate)
    np.testing.assert_allclose(unseen, [0.2, 0.15 / 0.95, 0.0])
    np.testing.assert_array_equal(expected_any(np.ones(3), share, rate), 1.0)
    np.testing.assert_allclose(
        expected_sum(np.array([2.0]), np.array([0.25]), np.array([4.0])), 5.0
    )


def test_the_share_that_has_arrived_is_learned() -> None:
    """Exponential delays of two hours: F as computed, monotone, 1 at the last age."""
    rng = np.random.default_rng(1)
    model = DelayModel(np.array([float(DAY_MS)]))
    ages = rng.exponential(2 * HOUR_MS, 20_000)
    ages = ages[ages < DAY_MS]
    model.learn_ages(0, ages.astype(np.int64), np.ones(len(ages)))
    at = np.array([0, HOUR_MS, 2 * HOUR_MS, 6 * HOUR_MS, DAY_MS])
    share = model.share(0, at)
    assert (np.diff(share) > 0).all()
    assert share[-1] == 1.0
    np.testing.assert_allclose(share[1:4], 1 - np.exp(-at[1:4] / (2 * HOUR_MS)), atol=0.02)


@given(st.floats(0, 1), st.floats(0, 1))
def test_an_expected_response_is_a_chance_that_fades(rate: float, share: float) -> None:
    """Never above the rate, the rate at age 0, and nothing when all has arrived."""
    chance = expected_any(np.zeros(1), np.array([share]), np.array([rate]))[0]
    assert 0.0 <= chance <= rate + 1e-12
    at_birth, at_end = expected_any(np.zeros(2), np.array([0.0, 1.0]), np.full(2, rate))
    assert at_birth == pytest.approx(rate)
    assert at_end == 0.0


def test_bayes_rule_is_what_a_simulation_counts() -> None:
    """Of those that have not clicked at an age, how many will."""
    rng = np.random.default_rng(3)
    n, rate, age = 200_000, 0.3, 1.5
    clicks, delay = rng.random(n) < rate, rng.exponential(2.0, n)
    unseen = ~(clicks & (delay <= age))
    share = 1 - np.exp(-age / 2.0)
    expected = expected_any(np.zeros(1), np.array([share]), np.array([rate]))[0]
    assert clicks[unseen].mean() == pytest.approx(expected, abs=0.005)


def test_expected_counts_are_right_on_average_under_an_exponential_delay() -> None:
    """Seen + mean × what is still to come has the final mean at every age."""
    mean, scale = 2.5, 3.0
    for age in (0.1, 1.0, 10.0):
        arrived, _ = quad(lambda t: np.exp(-t / scale) / scale, 0, age)
        seen, share = np.array([mean * arrived]), np.array([arrived])
        assert expected_sum(seen, share, np.array([mean]))[0] == pytest.approx(mean)


@given(
    st.lists(st.integers(0, 2 * DAY_MS), max_size=50),
    st.sampled_from([HOUR_MS, DAY_MS, 9 * DAY_MS]),
    st.floats(-5, 5),
)
def test_a_share_goes_from_zero_to_one_and_never_back(
    ages: list[int], last_ms: int, mass: float
) -> None:
    """Whatever was learned, refunds and ages past the last included."""
    model = DelayModel(np.array([float(last_ms)]))
    model.learn_ages(0, np.array(ages, np.int64), np.full(len(ages), mass))
    at = np.unique(np.concatenate([[-HOUR_MS, 0], np.geomspace(1, 2 * last_ms, 300)]).astype(int))
    share = model.share(0, at)
    assert (np.diff(share) >= 0).all()
    assert (share[at <= 0] == 0).all()
    assert (share[at >= last_ms] == 1).all()
    assert ((share >= 0) & (share <= 1)).all()


def test_nothing_learned_is_a_smooth_guess_that_few_outcomes_outweigh() -> None:
    model = DelayModel(np.array([float(DAY_MS)]))
    hour = np.array([HOUR_MS])
    assert 0 < model.share(0, hour)[0] < 1
    model.learn_ages(0, np.full(95, 60_000), np.ones(95))
    assert model.share(0, hour)[0] > 0.95


def test_components_and_holds_and_sends_are_learned_apart() -> None:
    model = DelayModel(np.array([float(DAY_MS), float(DAY_MS)]))
    final = np.array([[1.0, 4.0]] * 80 + [[0.0, 2.0]] * 80)
    is_send = np.arange(160) < 80
    model.learn_totals(final, is_send)
    np.testing.assert_allclose(model.mean(0, np.array([True, False])), [0.8, 0.0])
    np.testing.assert_allclose(model.mean(1, np.array([True, False])), [3.2, 1.6])
    before = model.share(1, np.array([HOUR_MS]))
    model.learn_ages(0, np.full(500, DAY_MS - 1), np.ones(500))
    np.testing.assert_array_equal(model.share(1, np.array([HOUR_MS])), before)


def test_what_was_learned_is_saved_as_it_was_and_loads_bit_by_bit() -> None:
    """Learning on does not change what was saved."""
    one, two = (DelayModel(np.array([float(DAY_MS)])) for _ in range(2))
    one.learn_ages(0, np.arange(0, DAY_MS, HOUR_MS), np.ones(24))
    saved = one.state()
    at = np.arange(0, DAY_MS, HOUR_MS // 3)
    share = one.share(0, at)
    one.learn_ages(0, np.zeros(500, np.int64), np.ones(500))
    one.learn_totals(np.ones((5, 1)), np.ones(5, np.bool_))
    two.load(saved)
    np.testing.assert_array_equal(two.share(0, at), share)
    assert two.mean(0, np.array([True]))[0] == 0.0
