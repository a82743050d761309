from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bandit.errors import BadInputError, BadShapeError
from bandit.ope.paired import difference, holm, mean_of_seeds


def test_a_paired_difference_is_students_t_test() -> None:
    """Against scipy's own, on seeds whose levels differ far more than the policies do."""
    rng = np.random.default_rng(1)
    level = rng.normal(0, 10, 12)
    one, other = level + rng.normal(0.5, 0.4, 12), level + rng.normal(0, 0.4, 12)
    found, known = difference(one, other), stats.ttest_rel(one, other)
    interval = known.confidence_interval()
    assert found.mean == pytest.approx((one - other).mean())
    assert (found.lower, found.upper) == pytest.approx((interval.low, interval.high))
    assert found.p == pytest.approx(known.pvalue)
    assert found.n_seeds == 12


def test_pairing_sees_what_levels_of_seeds_would_hide() -> None:
    """What common random numbers are for."""
    level = np.array([0.0, 10.0, 20.0, 30.0])
    assert difference(level + np.array([1.0, 1.1, 0.9, 1.0]), level).lower > 0.8


def test_equal_runs_differ_by_nothing_and_one_seed_tells_no_spread() -> None:
    """No spread and no difference is p = 1; a constant difference is certain."""
    same = difference(np.ones(3), np.ones(3))
    assert (same.mean, same.lower, same.upper, same.p) == (0.0, 0.0, 0.0, 1.0)
    assert difference(np.ones(3), np.zeros(3)).p == 0.0
    single = mean_of_seeds(np.array([2.0]))
    assert single.mean == 2.0
    assert np.isnan([single.lower, single.upper, single.p]).all()


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """4,000 times five seeds: 95 % coverage, within a 99.9 % interval."""
    rng = np.random.default_rng(2)
    draws = rng.normal(0.3, 1.0, (4000, 5))
    found = [mean_of_seeds(row) for row in draws]
    held = np.mean([f.lower <= 0.3 <= f.upper for f in found])
    assert held == pytest.approx(0.95, abs=3.29 * np.sqrt(0.95 * 0.05 / 4000))


def test_holm_is_the_step_down_rule() -> None:
    """Worked by hand: .005·4, .01·3, .03·2 → .06, .04 raised to .06 by its turn."""
    adjusted = holm(np.array([0.01, 0.04, 0.03, 0.005]))
    assert adjusted == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([0.9, 0.8])) == pytest.approx([1.0, 1.0])
    assert holm(np.array([0.02, np.nan])) == pytest.approx([0.02, np.nan], nan_ok=True)
    assert len(holm(np.zeros(0))) == 0


def test_holm_keeps_the_chance_of_any_false_claim() -> None:
    """Ten true nulls, 4,000 tables: any claim in 5 % of them at most (99.9 % interval)."""
    p = np.random.default_rng(3).random((4000, 10))
    wrong = np.mean([(holm(row) < 0.05).any() for row in p])
    assert wrong <= 0.05 + 3.29 * np.sqrt(0.05 * 0.95 / 4000)
    assert (p < 0.05).any(axis=1).mean() > 0.3  # what it protects from


def test_what_cannot_be_paired_is_refused() -> None:
    """Other seeds, no seeds, no numbers."""
    with pytest.raises(BadShapeError, match="the same seeds"):
        difference(np.ones(3), np.ones(2))
    with pytest.raises(BadInputError, match="one seed or more"):
        mean_of_seeds(np.zeros(0))
    with pytest.raises(BadInputError, match="finite number"):
        mean_of_seeds(np.array([1.0, np.nan]))
