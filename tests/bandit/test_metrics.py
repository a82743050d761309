from __future__ import annotations

import numpy as np
import pytest

from bandit.errors import BadInputError, BadShapeError
from bandit.metrics import METRICS, Better, measure, metrics_table


@pytest.fixture
def columns() -> dict[str, np.ndarray]:
    """Four decisions, described in every way that some metric asks for."""
    return {
        "reward": np.array([1.0, 0.0, -0.5, 0.5]),
        "is_live": np.array([True, True, False, False]),
        "is_send": np.array([True, True, False, True]),
        "is_hit": np.array([True, False, False, False]),
        "is_clicked": np.array([True, True, False, False]),
        "is_delivered": np.array([True, True, False, True]),
        "n_converted": np.array([2, 0, 0, 1]),
        "is_opted_out": np.array([False, False, False, True]),
        "worth": np.array([[0.0, 1.0], [0.0, 0.5], [0.0, -1.0], [0.0, 0.1]]),
        "mask": np.array([[True, True], [True, False], [True, True], [True, True]]),
        "pmf": np.array([[0.5, 0.5], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]),
        "best_return": np.array([2.0, 1.0, 1.0, 1.5]),
        "policy_return": np.array([1.0, 1.0, 0.5, 1.0]),
        "user_reward": np.array([1.0, 0.5, -1.0, 0.5]),
        "user_weeks": np.array([2.0, 2.0, 2.0, 2.0]),
        "n_sends": np.array([3, 2, 0, 1]),
        "n_opt_outs": np.array([0, 1, 0, 0]),
        "is_reachable": np.array([True, False, True, True]),
        "weight": np.array([2.0, 1.0, 1.0, 0.0]),
        "lower": np.zeros(4),
        "upper": np.array([1.0, 2.0, 3.0, 4.0]),
        "truth": np.array([0.5, 3.0, 3.0, -1.0]),
        "score": np.array([0.9, 0.1, 0.4, 0.8]),
        "chance": np.array([0.5, 0.5, 0.25, 0.75]),
        "happened": np.array([True, False, False, True]),
        "rank": np.array([1.0, 2.0, 20.0, 4.0]),
    }


BY_HAND = {
    "value_per_decision": 0.25,
    "send_share": 0.75,
    "hits_per_send": 1 / 3,
    "click_rate": 2 / 3,
    "conversion_rate": 0.5,
    "opt_out_rate": 0.25,
    "uplift_per_decision": 0.5,
    "regret_myopic": (0.5 + 0 + 1 + 0) / 4,
    "regret_dp": (1.0 + 0.0 + 0.5 + 0.5) / 4,
    "gap_to_silence": (0.5 + 0 - 1 + 0.1) / 4,
    "gap_to_best_static": (0.5 + 0 - 1 + 0.1) / 4 - 0.1 / 4,
    "reward_per_user_week": 1.0 / 8.0,
    "sends_per_user_week": 6.0 / 8.0,
    "opt_outs_per_1000_sends": 1000.0 / 6.0,
    "reachable_at_end": 0.75,
    "ess": 16 / 6,
    "mean_weight": 1.0,
    "coverage": 0.5,
    "interval_width": 2.5,
    "auc": 0.75 + 0.25,
    "log_loss": -(2 * np.log(0.5) + 2 * np.log(0.75)) / 4,
    "brier": (0.25 + 0.25 + 0.0625 + 0.0625) / 4,
    "calibration_error": (0.25 + 0.0 + 0.25) / 4,
    "hit_rate_at_10": 0.75,
    "ndcg_at_10": (1 + 1 / np.log2(3) + 1 / np.log2(5)) / 4,
    "mrr": (1 + 0.5 + 0.05 + 0.25) / 4,
}


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_is_what_it_is_by_hand(name: str, columns: dict[str, np.ndarray]) -> None:
    assert measure(name, columns) == pytest.approx(BY_HAND[name])


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_says_what_it_is(name: str) -> None:
    metric = METRICS[name]
    assert metric.name == name
    assert metric.meaning and "\n" not in metric.meaning and len(metric.meaning) <= 100
    assert metric.unit
    assert isinstance(metric.better, Better)
    assert metric.columns


def test_no_metric_is_called_regret_without_its_oracle() -> None:
    """A bare regret would leave open which oracle, and whether anybody could follow it."""
    regrets = [name for name in METRICS if name.startswith("regret")]
    assert regrets == ["regret_myopic", "regret_dp"]
    assert all("oracle" in METRICS[name].meaning for name in regrets)


def test_the_table_of_metrics_lists_each_once_with_its_columns() -> None:
    table = metrics_table()
    assert table["metric"].to_pylist() == list(METRICS)
    row = table.filter(np.array(table["metric"].to_pylist()) == "hits_per_send").to_pylist()[0]
    assert row["columns"] == "is_hit, is_send"
    assert row["better"] == "higher"


@pytest.mark.parametrize("name", METRICS)
def test_nothing_to_count_gives_no_number(name: str, columns: dict[str, np.ndarray]) -> None:
    """NaN, whichever metric it is; never an error, never 0."""
    assert np.isnan(measure(name, {c: column[:0] for c, column in columns.items()}))


def test_no_sends_have_no_share_of_hits() -> None:
    silent = {"is_hit": np.zeros(3, bool), "is_send": np.zeros(3, bool)}
    assert np.isnan(measure("hits_per_send", silent))


@pytest.mark.parametrize("name", METRICS)
def test_claims_may_be_written_as_zero_and_one(name: str, columns: dict[str, np.ndarray]) -> None:
    """The same number as from bools: 1 never means row 1."""
    for dtype in (np.int64, np.float64):
        as_numbers = {n: c.astype(dtype) if c.dtype == np.bool_ else c for n, c in columns.items()}
        assert measure(name, as_numbers) == pytest.approx(BY_HAND[name])


def test_a_claim_that_is_none_and_what_is_no_number_are_refused() -> None:
    with pytest.raises(BadInputError, match=r"claims .* in column is_hit, got .*0\.5"):
        measure("hits_per_send", {"is_hit": np.array([0.5]), "is_send": np.ones(1)})
    with pytest.raises(BadInputError, match="column score, got NaN in row 1"):
        measure("auc", {"score": np.array([0.1, np.nan]), "happened": np.array([0, 1])})


def test_a_truth_that_is_one_number_serves_all_intervals() -> None:
    assert measure("coverage", {"lower": np.zeros(4), "upper": np.arange(4.0), "truth": 1.5}) == 0.5


def test_wrong_names_and_columns_are_refused() -> None:
    with pytest.raises(BadInputError, match="'regret'"):
        measure("regret", {})
    with pytest.raises(BadInputError, match="missing: is_hit; got is_send"):
        measure("hits_per_send", {"is_send": np.ones(2)})
    with pytest.raises(BadShapeError, match="columns of one length"):
        measure("hits_per_send", {"is_send": np.ones(2), "is_hit": np.ones(3)})
