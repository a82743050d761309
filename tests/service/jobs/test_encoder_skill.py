from __future__ import annotations

import math

import numpy as np
import pytest

from service.jobs.encoder_skill import ItemSums, item_sums, skill_table, slot_sums


def sums(scores: list[list[float]], *, household: list[int], n_households: int) -> ItemSums:
    """Baskets that each hold item 0 only."""
    n_rows = len(scores)
    return item_sums(
        np.array(scores),
        household=np.array(household),
        n_households=n_households,
        target_row=np.arange(n_rows),
        target_item=np.zeros(n_rows, np.int64),
    )


def test_ranks_two_ten_and_eleven_by_hand() -> None:
    """O19: .6309, .2891 and nothing; ranks are those among all items."""
    ranked = [[-r + 0.5, *(-float(k) for k in range(1, 15))] for r in (1, 2, 10, 11)]
    found = sums(ranked, household=[0, 1, 2, 3], n_households=4)
    assert found.gain.tolist() == pytest.approx([1, 1 / math.log2(3), 1 / math.log2(11), 0])
    assert found.hits.tolist() == [1, 1, 1, 0]


def test_a_constant_score_hits_nothing() -> None:
    """O19: ties count against the scorer."""
    found = sums([[0.0] * 11], household=[0], n_households=1)
    assert (found.hits[0], found.gain[0]) == (0, 0)


def test_a_basket_weighs_the_same_however_many_items_it_holds() -> None:
    """Items 0 and 1 rank first and twelfth: half a hit, and 1 of the ideal 1 + .6309."""
    log_p = np.log(np.arange(12, 0, -1) / 78)[None]
    found = item_sums(
        log_p,
        household=np.array([0]),
        n_households=1,
        target_row=np.array([0, 0]),
        target_item=np.array([0, 11]),
    )
    assert found.hits[0] == 0.5
    assert found.gain[0] == pytest.approx(1 / (1 + 1 / math.log2(3)))
    assert found.log_loss[0] == pytest.approx(-(log_p[0, 0] + log_p[0, 11]) / 2)


def test_metrics_of_windows_by_hand() -> None:
    """Four windows, chances .1 .4 .6 .9, active in the second and the fourth."""
    found = slot_sums(
        np.array([[[0.1, 0.4, 0.6, 0.9]]]), np.array([[[False, True, False, True]]])
    ).metrics(np.ones((1, 1)))
    assert found["AUC"][0] == pytest.approx(3 / 4)
    assert found["Brier"][0] == pytest.approx((0.01 + 0.36 + 0.36 + 0.01) / 4)
    assert found["log loss"][0] == pytest.approx(-2 * (math.log(0.9) + math.log(0.4)) / 4)


def test_a_row_differs_from_itself_by_nothing_and_from_another_pairwise() -> None:
    """Both rows err together, so their difference is known better than either value."""
    rng = np.random.default_rng(3)
    level = rng.normal(size=60) * 2
    weak = [[x, *rng.normal(size=14)] for x in level]
    strong = [[row[0] + 0.3, *row[1:]] for row in weak]
    rows = {
        "strong": sums(strong, household=list(range(60)), n_households=60),
        "weak": sums(weak, household=list(range(60)), n_households=60),
    }
    table = skill_table(rows, against="weak", key=1).to_pylist()
    by_name = {(line["row"], line["metric"]): line for line in table}
    itself, other = by_name["weak", "log loss"], by_name["strong", "log loss"]
    assert itself["difference"] == itself["difference_low"] == itself["difference_high"] == 0
    assert other["difference"] == pytest.approx(-0.3)
    assert other["difference_high"] - other["difference_low"] < 1e-9
    assert other["low"] < other["value"] < other["high"]
    assert other["high"] - other["low"] > 0.3


def test_few_households_of_whom_one_buys_have_intervals_that_are_numbers() -> None:
    """Three households, one with baskets: 8 of 27 resamples hold none and say nothing."""
    found = sums([[1.0, 0.0], [0.0, 1.0]], household=[0, 0], n_households=3)
    for line in skill_table({"x": found}, against="x", key=1).to_pylist():
        assert all(math.isfinite(line[name]) for name in ("value", "low", "high"))
    nobody = slot_sums(np.full((3, 2, 2), 0.2), np.zeros((3, 2, 2), np.bool_))
    lines = skill_table({"x": nobody}, against="x", key=1).to_pylist()
    assert {line["metric"] for line in lines if math.isnan(line["low"])} == {"AUC"}
