from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from bandit.delays import DelayModel, expected_any, expected_sum
from bandit.slots import DAY_MS, HOUR_MS

HOLD, SEND = np.zeros(1, np.bool_), np.ones(1, np.bool_)


def day_model(n_components: int = 1) -> DelayModel:
    return DelayModel(np.full(n_components, float(DAY_MS)))


def learned(model: DelayModel, ages: object, mass: object, *, component: int = 0) -> DelayModel:
    age = np.atleast_1d(np.asarray(ages, np.int64))
    weight = np.broadcast_to(np.asarray(mass, np.float64), age.shape)
    model.learn(component, age, weight, is_send=np.ones(len(age), np.bool_))
    return model


def share(model: DelayModel, ages: object, *, component: int = 0, group: np.ndarray = SEND) -> list:
    age = np.atleast_1d(np.asarray(ages, np.int64))
    return model.share(component, age, is_send=np.repeat(group, len(age))).tolist()


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
    ages = rng.exponential(2 * HOUR_MS, 20_000)
    model = learned(day_model(), ages[ages < DAY_MS], 1.0)
    at = np.array([0, HOUR_MS, 2 * HOUR_MS, 6 * HOUR_MS, DAY_MS])
    found = np.array(share(model, at))
    assert (np.diff(found) > 0).all()
    assert found[-1] == 1.0
    np.testing.assert_allclose(found[1:4], 1 - np.exp(-at[1:4] / (2 * HOUR_MS)), atol=0.02)


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
    st.lists(st.tuples(st.integers(0, 2 * DAY_MS), st.floats(-5, 5), st.booleans()), max_size=50),
    st.sampled_from([HOUR_MS, DAY_MS, 9 * DAY_MS]),
)
def test_a_share_goes_from_zero_to_one_and_never_back(
    heard: list[tuple[int, float, bool]], last_ms: int
) -> None:
    """Whatever was learned, refunds and ages past the last included; for holds and sends."""
    model = DelayModel(np.array([float(last_ms)]))
    for age, mass, is_send in heard:
        model.learn(0, np.array([age]), np.array([mass]), is_send=np.array([is_send]))
    model.learn_rows(np.array([True, False]))
    at = np.unique(np.concatenate([[-HOUR_MS, 0], np.geomspace(1, 2 * last_ms, 300)]).astype(int))
    for group in (HOLD, SEND):
        found = np.array(share(model, at, group=group))
        assert (np.diff(found) >= -1e-12).all()
        assert (found[at <= 0] == 0).all()
        assert (found[at >= last_ms] == 1).all()
        assert ((found >= 0) & (found <= 1 + 1e-12)).all()


def test_nothing_learned_is_a_smooth_guess_that_few_outcomes_outweigh() -> None:
    model = day_model()
    assert 0 < share(model, HOUR_MS)[0] < 1
    learned(model, np.full(95, 60_000), 1.0)
    assert share(model, HOUR_MS)[0] > 0.95


@pytest.mark.parametrize("unit", [0.01, 1.0, 10_000.0])
def test_the_unit_of_a_value_does_not_matter(unit: float) -> None:
    """Yen or bitcoin: one purchase never is the whole curve, and a hundred outweigh the guess."""
    rng = np.random.default_rng(5)
    ages, values = rng.integers(0, DAY_MS, 100), rng.gamma(2.0, 1.0, 100)
    for n in (1, 100):
        one = learned(day_model(), ages[:n], values[:n])
        other = learned(day_model(), ages[:n], values[:n] * unit)
        at = np.arange(0, DAY_MS, HOUR_MS)
        np.testing.assert_allclose(share(other, at), share(one, at), rtol=1e-9)


def test_components_and_holds_and_sends_are_learned_apart() -> None:
    model, sends = day_model(2), np.arange(160) < 80
    model.learn_rows(sends)
    for component, of_hold, of_send in ((0, 0.0, 1.0), (1, 2.0, 4.0)):
        mass = np.where(sends, of_send, of_hold)
        model.learn(component, np.full(160, HOUR_MS), mass, is_send=sends)
    both = np.array([True, False])
    np.testing.assert_allclose(model.mean(0, is_send=both), [0.8, 0.0])
    np.testing.assert_allclose(model.mean(1, is_send=both), [3.2, 1.6])
    before = share(model, HOUR_MS, component=1)
    learned(model, np.full(500, DAY_MS - 1), 1.0)
    assert share(model, HOUR_MS, component=1) == before


def test_sends_that_hear_later_than_holds_have_a_curve_of_their_own() -> None:
    """And a group of which little is known leans on both together."""
    model = day_model()
    early, late = np.full(400, HOUR_MS), np.full(400, 20 * HOUR_MS)
    model.learn(0, early, np.ones(400), is_send=np.zeros(400, np.bool_))
    learned(model, late, 1.0)
    at = 10 * HOUR_MS
    assert share(model, at, group=HOLD)[0] > 0.98
    assert share(model, at, group=SEND)[0] < 0.02
    few = learned(day_model(), early, 1.0)
    few.learn(0, late[:1], np.ones(1), is_send=HOLD)
    assert share(few, at, group=HOLD)[0] > 0.7


def test_what_is_still_to_be_subtracted_is_expected_by_its_own_curve() -> None:
    """Purchases of 10 at once, refunds of 4 late: at noon the rest is minus 4, in the end 6."""
    model, sends = day_model(), np.ones(1000, np.bool_)
    model.learn_rows(sends)
    learned(model, np.full(1000, HOUR_MS), 10.0)
    learned(model, np.full(1000, 20 * HOUR_MS), -4.0)
    noon = np.array([12 * HOUR_MS])
    expected = model.expected(0, np.array([10.0]), noon, is_send=SEND)
    assert expected[0] == pytest.approx(6.0, abs=0.15)
    assert model.mean(0, is_send=SEND)[0] == pytest.approx(6.0, rel=0.03)
    # Of 14 that go either way, 10 have gone.
    assert share(model, noon)[0] == pytest.approx(10 / 14, abs=0.01)


def test_what_was_learned_is_saved_as_it_was_and_loads_bit_by_bit() -> None:
    """Learning on does not change what was saved."""
    one, two = day_model(), day_model()
    learned(one, np.arange(0, DAY_MS, HOUR_MS), 1.0)
    saved = one.state()
    at = np.arange(0, DAY_MS, HOUR_MS // 3)
    before = share(one, at)
    learned(one, np.zeros(500, np.int64), 1.0)
    one.learn_rows(np.ones(5, np.bool_))
    two.load(saved)
    assert share(two, at) == before
    assert two.rows.tolist() == [0, 0]
