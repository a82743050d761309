from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bandit.errors import BadInputError
from bandit.ope.estimators import direct, doubly_robust, ips, is_uniform, replay, snips


def test_one_row_by_hand() -> None:
    """P .3, target .6, reward 1 (T7): IPS 2, SNIPS 1."""
    weight, reward = np.array([2.0, 2.0]), np.array([1.0, 1.0])
    assert ips(weight, reward).mean() == 2.0
    assert snips(weight, reward).mean() == 1.0


@given(st.integers(0, 10_000), st.floats(0.1, 5.0))
@settings(max_examples=60, deadline=None)
def test_identities_between_estimators(seed: int, constant: float) -> None:
    """T7 and T12: what must be equal is."""
    rng = np.random.default_rng(seed)
    n = 60
    weight, reward = rng.gamma(1.0, 1.0, n), rng.random(n)
    zero, q = np.zeros(n), rng.random(n)
    # A model of nothing is IPS; weights of nothing are the model.
    none = doubly_robust(weight, reward, baseline_logged=zero, baseline_target=zero)
    np.testing.assert_allclose(none, ips(weight, reward))
    model = doubly_robust(zero, reward, baseline_logged=q, baseline_target=q)
    np.testing.assert_allclose(model, direct(q))
    # On policy, every weighted estimate is the mean reward.
    assert ips(np.ones(n), reward).mean() == pytest.approx(reward.mean())
    assert snips(np.ones(n), reward).mean() == pytest.approx(reward.mean())
    # A constant reward is itself under self-normalisation, and SNIPS never leaves its range.
    assert snips(weight, np.full(n, constant)).mean() == pytest.approx(constant)
    assert reward.min() - 1e-12 <= snips(weight, reward).mean() <= reward.max() + 1e-12


def test_replay_is_the_mean_of_the_rows_that_agree() -> None:
    """A deterministic target on a uniform log; a log that is not uniform is refused."""
    rng = np.random.default_rng(1)
    agrees, reward = rng.random(300) < 0.2, rng.random(300)
    found = replay(agrees * 1.0, reward, propensity=np.full(300, 0.2)).mean()
    assert found == pytest.approx(reward[agrees].mean())
    with pytest.raises(BadInputError, match="uniform"):
        replay(agrees * 1.0, reward, propensity=rng.random(300))


def test_uniform_is_a_matter_of_ratios() -> None:
    """Tiny propensities that differ fivefold are not one propensity; rounding is no difference."""
    assert not is_uniform(np.array([1e-10, 5e-10]))
    assert is_uniform(np.full(3, 1 / 3) + np.array([0, 1e-17, -1e-17]))
    with pytest.raises(BadInputError, match="uniform"):
        replay(np.ones(2), np.ones(2), propensity=np.array([1e-10, 5e-10]))


def test_a_target_that_takes_no_logged_action_is_refused() -> None:
    """The log says nothing of it."""
    with pytest.raises(BadInputError, match="zero"):
        snips(np.zeros(5), np.ones(5))


WEIGHT = np.array([0.5, 2.0, 0.0, 1.0])
REWARD = np.array([1.0, 0.0, 1.0, 0.5])


def test_every_estimator_on_four_rows_by_hand() -> None:
    """Written out: Σwr/n = 1/4, Σwr/Σw = 1/3.5, DM and DR with a model of two columns."""
    logged, target = np.array([0.5, 0.5, 1.0, 0.0]), np.array([0.2, 0.4, 0.6, 0.8])
    assert ips(WEIGHT, REWARD).mean() == 0.25
    assert snips(WEIGHT, REWARD).mean() == pytest.approx(1 / 3.5)
    assert direct(target).mean() == pytest.approx(0.5)
    robust = doubly_robust(WEIGHT, REWARD, baseline_logged=logged, baseline_target=target)
    np.testing.assert_allclose(robust, [0.2 + 0.25, 0.4 - 1.0, 0.6, 0.8 + 0.5])
    agreed = replay(np.array([1.0, 0.0, 1.0, 0.0]), REWARD, propensity=np.full(4, 0.25))
    assert agreed.mean() == 1.0


def test_terms_of_snips_are_its_value_and_influence() -> None:
    """The value + w(r − value)/w̄, row by row: the delta method's terms."""
    value, mean_weight = 1 / 3.5, 3.5 / 4
    np.testing.assert_allclose(
        snips(WEIGHT, REWARD), value + WEIGHT * (REWARD - value) / mean_weight
    )


def test_a_peers_numbers_hold_together() -> None:
    """T9: from its IPS and its DR under a model of .5 follows its SNIPS, to the last digit."""
    ipw, robust, normalised = 0.6910289563901473, 0.6888426226059521, 0.6880204715876472
    mean_weight = (0.5 + ipw - robust) / 0.5
    weight = np.array([2 * ipw, 2 * (mean_weight - ipw)])
    reward, half = np.array([1.0, 0.0]), np.full(2, 0.5)
    assert ips(weight, reward).mean() == pytest.approx(ipw, rel=1e-14)
    found = doubly_robust(weight, reward, baseline_logged=half, baseline_target=half)
    assert found.mean() == pytest.approx(robust, rel=1e-14)
    assert snips(weight, reward).mean() == pytest.approx(normalised, rel=1e-12)


@given(st.integers(0, 10_000), st.floats(-3, 3))
@settings(max_examples=50, deadline=None)
def test_a_constant_in_the_model_is_a_control_variate(seed: int, constant: float) -> None:
    """DR with q̂ = c is IPS + c(1 − w̄); a perfect model leaves the weights no part."""
    rng = np.random.default_rng(seed)
    weight, reward, value = rng.gamma(0.5, 2.0, 80), rng.random(80), rng.random(80)
    flat = np.full(80, constant)
    robust = doubly_robust(weight, reward, baseline_logged=flat, baseline_target=flat)
    expected = ips(weight, reward).mean() + constant * (1 - weight.mean())
    assert robust.mean() == pytest.approx(expected, abs=1e-9)
    perfect = doubly_robust(weight, reward, baseline_logged=reward, baseline_target=value)
    np.testing.assert_array_equal(perfect, direct(value))


def test_snips_stays_in_the_range_of_rewards_under_absurd_propensities() -> None:
    """T12's boundedness: propensities cubed, weights up to 1e9, IPS far outside."""
    rng = np.random.default_rng(2)
    weight, reward = (1 / rng.uniform(0.001, 1, 500)) ** 3, rng.random(500)
    assert ips(weight, reward).mean() > 1.0
    assert reward.min() <= snips(weight, reward).mean() <= reward.max()


def test_estimators_agree_with_the_truth_under_a_uniform_log_and_a_perfect_model() -> None:
    """T12: all within a tenth of it, each log its own; the mean of many much closer."""
    rng = np.random.default_rng(3)
    n, n_actions = 4000, 5
    mean = rng.random((n, n_actions))
    target = rng.dirichlet(np.ones(n_actions), n)
    action = rng.integers(n_actions, size=n)
    rows = np.arange(n)
    reward = (rng.random(n) < mean[rows, action]).astype(np.float64)
    weight, value = target[rows, action] * n_actions, (target * mean).sum(axis=1)
    model = {"baseline_logged": mean[rows, action], "baseline_target": value}
    truth = value.mean()
    for terms in (
        ips(weight, reward),
        snips(weight, reward),
        doubly_robust(weight, reward, **model),
    ):
        assert terms.mean() == pytest.approx(truth, rel=0.1)
    assert direct(value).mean() == truth
