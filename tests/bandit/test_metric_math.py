from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.calibration import calibration_curve
from sklearn.metrics import (
    brier_score_loss,
    label_ranking_average_precision_score,
    log_loss,
    ndcg_score,
    roc_auc_score,
    top_k_accuracy_score,
)

from bandit.metric_math import (
    auc,
    auc_of_counts,
    best_static_worth,
    best_worth,
    brier,
    calibration_error,
    calibration_table,
    coverage,
    difference_of_groups,
    discounted_gain,
    effective_sample_size,
    equal_mass_bins,
    ideal_gain,
    log_losses,
    policy_worth,
    ranks,
    share,
)


@pytest.fixture
def chances() -> tuple[np.ndarray, np.ndarray]:
    """A thousand chances, of which some were a little bold."""
    rng = np.random.default_rng(0)
    chance = rng.beta(1, 3, 1000)
    return chance, rng.random(1000) < chance**1.3


@pytest.mark.parametrize("decimals", [1, 2, 12])
def test_auc_is_that_of_scikit_learn_with_any_number_of_ties(
    chances: tuple[np.ndarray, np.ndarray], decimals: int
) -> None:
    chance, happened = chances
    score = chance.round(decimals)
    assert auc(score, happened) == pytest.approx(roc_auc_score(happened, score), abs=1e-12)


def test_auc_counts_ties_as_a_half() -> None:
    """Against every pair counted one by one."""
    rng = np.random.default_rng(0)
    score, happened = rng.integers(0, 6, 60) / 6, rng.random(60) < 0.4
    pairs = np.subtract.outer(score[happened], score[~happened])
    assert auc(score, happened) == pytest.approx(np.mean((pairs > 0) + 0.5 * (pairs == 0)))


def test_ones_and_noughts_are_claims_not_positions() -> None:
    """0 and 1 of any type mean what False and True do."""
    rng = np.random.default_rng(5)
    score, happened = rng.random(40), rng.random(40) < 0.3
    assert auc(score, happened.astype(np.int64)) == auc(score, happened)  # type: ignore[arg-type]
    as_numbers = happened.astype(np.int64)
    assert difference_of_groups(score, as_numbers) == difference_of_groups(score, happened)  # type: ignore[arg-type]


def test_auc_without_rows_of_both_kinds_is_not_a_number() -> None:
    assert np.isnan(auc(np.arange(3.0), np.ones(3, bool)))
    np.testing.assert_allclose(
        auc_of_counts(np.array([[0.0, 2.0], [0, 0]]), np.array([[1.0, 1.0], [1, 1]])),
        [0.75, np.nan],
    )


def test_losses_are_those_of_scikit_learn(chances: tuple[np.ndarray, np.ndarray]) -> None:
    chance, happened = chances
    assert log_losses(chance, happened).mean() == pytest.approx(log_loss(happened, chance))
    assert brier(chance, happened) == pytest.approx(brier_score_loss(happened, chance))


def test_a_bold_error_stays_finite() -> None:
    worst = log_losses(np.array([0.0, 1.0]), np.array([True, False]))
    np.testing.assert_allclose(worst, -np.log(1e-15), rtol=1e-3)


def test_bins_of_equal_mass_are_those_of_scikit_learn(
    chances: tuple[np.ndarray, np.ndarray],
) -> None:
    chance, happened = chances
    table = calibration_table(chance, happened)
    observed, expected = calibration_curve(happened, chance, n_bins=10, strategy="quantile")
    np.testing.assert_allclose([row["expected"] for row in table], expected)
    np.testing.assert_allclose([row["observed"] for row in table], observed)
    assert [row["n_rows"] for row in table] == [100] * 10
    error = np.abs(observed - expected).mean()
    assert calibration_error(chance, happened) == pytest.approx(error)


def test_calibration_bins_hold_every_row_once() -> None:
    """Ten bins of nearly equal size, from the smallest chance to the largest."""
    rng = np.random.default_rng(1)
    chance = rng.random(1003)
    table = calibration_table(chance, rng.random(1003) < chance)
    assert sum(row["n_rows"] for row in table) == 1003
    expected = [row["expected"] for row in table]
    assert expected == sorted(expected)
    assert max(abs(row["expected"] - row["observed"]) for row in table) < 0.15


def test_equal_predictions_share_a_bin_whatever_the_order_of_rows() -> None:
    rng = np.random.default_rng(2)
    chance = rng.choice([0.1, 0.2, 0.9], 500, p=[0.4, 0.3, 0.3])
    happened = rng.random(500) < chance
    turned = rng.permutation(500)
    table = calibration_table(chance, happened)
    again = calibration_table(chance[turned], happened[turned])
    assert [list(row.values()) for row in table] == [
        pytest.approx(list(row.values())) for row in again
    ]
    assert [row["expected"] for row in table] == pytest.approx([0.1, 0.2, 0.9])
    assert len(np.unique(equal_mass_bins(np.full(7, 0.3), n_bins=10))) == 1


def test_ranks_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(3)
    score, item = rng.normal(size=(300, 40)), rng.integers(0, 40, 300)
    rank = ranks(score, np.arange(300), item)
    relevant = np.eye(40)[item]
    top = top_k_accuracy_score(item, score, k=10, labels=np.arange(40))
    assert (rank <= 10).mean() == pytest.approx(top)
    gain = discounted_gain(rank, top=10).mean()
    assert gain == pytest.approx(ndcg_score(relevant, score, k=10))
    mrr = label_ranking_average_precision_score(relevant, score)
    assert (1 / rank).mean() == pytest.approx(mrr)


def test_gain_of_several_relevant_items_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(4)
    score, relevant = rng.normal(size=(50, 30)), rng.random((50, 30)) < 0.2
    relevant[:, 0] = True
    row, item = np.nonzero(relevant)
    gain = np.bincount(row, discounted_gain(ranks(score, row, item), top=10))
    ours = gain / ideal_gain(relevant.sum(axis=1), top=10)
    assert ours.mean() == pytest.approx(ndcg_score(relevant, score, k=10))


def test_ties_count_against_the_scorer_over_many_rows() -> None:
    rank = ranks(np.zeros((9000, 5)), np.arange(9000), np.zeros(9000, np.int64))
    assert (rank == 5).all()


def test_worths_of_policies_and_oracles_by_hand() -> None:
    """Two rows, hold and two sends; the second send of row 0 is masked."""
    worth = np.array([[0.0, 0.2, 9.0], [0.0, -0.4, 0.6]])
    mask = np.array([[True, True, False], [True, True, True]])
    pmf = np.array([[0.5, 0.5, 0.0], [0.0, 0.25, 0.75]])
    np.testing.assert_allclose(policy_worth(worth, pmf), [0.1, 0.35])
    np.testing.assert_allclose(best_worth(worth, mask), [0.2, 0.6])
    assert best_static_worth(worth, mask) == pytest.approx((0.0 + 0.6) / 2)


@given(
    worth=hnp.arrays(np.float64, (6, 4), elements=st.floats(-5, 5)),
    mask=hnp.arrays(np.bool_, (6, 4)),
)
def test_no_policy_beats_its_oracle(worth: np.ndarray, mask: np.ndarray) -> None:
    """The best action is at least the best static one, which is at least silence."""
    mask[:, 0] = True
    pmf = mask / mask.sum(axis=1, keepdims=True)
    best = best_worth(worth, mask).mean()
    assert best >= best_static_worth(worth, mask) - 1e-12
    assert best_static_worth(worth, mask) >= worth[:, 0].mean() - 1e-12
    assert best >= policy_worth(worth, pmf).mean() - 1e-12


def test_shares_groups_coverage_and_effective_rows_by_hand() -> None:
    assert share(np.array([True, False, False, False])) == 0.25
    assert np.isnan(share(np.array([True]), np.array([False])))
    live = np.array([True, True, False])
    assert difference_of_groups(np.array([1.0, 3.0, 0.5]), live) == 1.5
    assert np.isnan(difference_of_groups(np.ones(3), np.ones(3, bool)))
    assert coverage(np.array([0.0, 1.0, 2.0]), np.array([1.0, 2.0, 3.0]), 1.0) == pytest.approx(
        2 / 3
    )
    np.testing.assert_allclose(
        effective_sample_size(np.array([[1.0, 1.0, 1.0], [3.0, 0.0, 0.0], [0.0, 0.0, 0.0]])),
        [3.0, 1.0, 0.0],
    )
    empty = np.zeros(0)
    assert calibration_table(empty, empty) == []
    assert np.isnan(calibration_error(empty, empty))
    assert np.isnan(brier(empty, empty))
