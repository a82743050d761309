from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import chisquare

from bandit.errors import StateError
from bandit.log import logged_hash, read_log
from service.jobs.contenders import CONTENDERS
from service.jobs.loggers import FactoredLogger, broad_logger, random_logger
from service.jobs.online import (
    OnlineSettings,
    frozen_after,
    frozen_path,
    prepare,
    timing_of,
    walk_online,
)
from service.jobs.purchases import Purchases
from service.jobs.truth import evaluate_against_truth

TARGETS = ("random", "counts updated, fading", "lints warm")


@pytest.fixture(scope="module")
def online(small_shop: Purchases, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A small online step: its folder and its tables."""
    folder = tmp_path_factory.mktemp("online")
    some = [
        c for c in CONTENDERS if c.name in {*TARGETS, "counts updated", "lints warm, time-blind"}
    ]
    settings = OnlineSettings(seeds=(1, 2), n_users_more=15, workers=1)
    return folder, walk_online(small_shop, folder, settings=settings, contenders=some)


@pytest.fixture(scope="module")
def judged(small_shop: Purchases, online: tuple[Path, Any]) -> dict[str, Any]:
    timing = timing_of(small_shop)
    prepared = prepare(small_shop, timing, None, skip=frozen_after(small_shop))
    return evaluate_against_truth(prepared, online[0], targets=TARGETS, n_redraws=40)


def test_the_table_has_one_row_a_contender_with_its_interval(online: tuple[Path, Any]) -> None:
    """Value inside its interval, seeds and rows counted, best first."""
    _, tables = online
    values = [row["value"] for row in tables["table"]]
    assert values == sorted(values, reverse=True)
    for row in tables["table"]:
        assert row["lower"] <= row["value"] <= row["upper"]
        assert row["seeds"] == 2
    assert tables["households"] == [40, 15]


def test_gains_are_paired_differences(online: tuple[Path, Any]) -> None:
    """The difference of two rows, with an interval of its own."""
    _, tables = online
    value = {row["policy"]: row["value"] for row in tables["table"]}
    for gain in tables["gains"]:
        assert gain["value"] == pytest.approx(value[gain["one"]] - value[gain["other"]])
        assert gain["value_lower"] <= gain["value"] <= gain["value_upper"]


def test_the_first_seed_is_logged_and_frozen_whichever_it_is(
    small_shop: Purchases, tmp_path: Path
) -> None:
    """``--seed 7`` leaves a log and policies to evaluate like ``--seed 1`` does."""
    some = [contender for contender in CONTENDERS if contender.name == "counts updated"]
    settings = OnlineSettings(seeds=(7, 8), n_users_more=None, workers=1)
    tables = walk_online(small_shop, tmp_path, settings=settings, contenders=some)
    log = read_log(tmp_path / "log" / "counts-updated")
    assert log.num_rows == small_shop.n_users * len(small_shop.online_days)
    assert tables["log_hash"] == {"counts updated": logged_hash(log)}
    assert frozen_path(tmp_path, some[0]).exists()


@pytest.mark.parametrize("make", [random_logger, broad_logger])
def test_a_logger_draws_with_the_propensities_it_states(small_shop: Purchases, make: Any) -> None:
    """Counts of one household's items and slots against their probabilities."""
    logger: FactoredLogger = make(small_shop)
    action = logger.redraw(0, n_days=4000).reshape(small_shop.n_users, -1)[3]
    sent = action[action > 0] - 1
    for counts, chance in (
        (np.bincount(sent // 6, minlength=small_shop.n_items), logger.item[3]),
        (np.bincount(sent % 6, minlength=6), logger.slot[3]),
    ):
        possible = chance > 0
        expected = chance[possible] * counts.sum()
        assert chisquare(counts[possible], expected).pvalue > 1e-4
        assert counts[~possible].sum() == 0
    assert (action == 0).mean() == pytest.approx(logger.hold, abs=0.02)


@pytest.mark.parametrize("make", [random_logger, broad_logger])
def test_importance_weights_average_to_one(small_shop: Purchases, make: Any) -> None:
    """E[π(a)/p(a)] = 1 under the logger, jointly and by margin: here against itself, exactly."""
    logger: FactoredLogger = make(small_shop)
    drawn = logger.logged(logger.redraw(1, n_days=50), n_days=50)
    sent = drawn.action > 0
    np.testing.assert_allclose(
        drawn.propensity[sent], (drawn.item * drawn.slot / drawn.send)[sent], rtol=1e-12
    )
    np.testing.assert_allclose(drawn.propensity[~sent], logger.hold)


def test_days_before_the_freeze_are_refused(
    small_shop: Purchases, online: tuple[Path, Any]
) -> None:
    """A policy is not valued on days that it has learned from."""
    prepared = prepare(small_shop, timing_of(small_shop), None)
    with pytest.raises(StateError, match=f"prepare with skip={frozen_after(small_shop)}"):
        evaluate_against_truth(prepared, online[0], targets=TARGETS)


def test_consistent_estimators_are_unbiased_within_their_spread(judged: dict[str, Any]) -> None:
    """Mean over redraws within four standard errors of the truth."""
    checked = 0
    for cell in judged["cells"]:
        if cell["is_consistent"] and cell["estimator"] in {"ips", "dr"}:
            error = cell["sd"] / np.sqrt(judged["n_redraws"])
            assert abs(cell["bias"]) <= 4 * error + 1e-9
            checked += 1
    assert checked == 2 * len(TARGETS) * 2


def test_marginalising_where_both_matter_is_biased_and_shown(judged: dict[str, Any]) -> None:
    """A hit needs item and slot: item weights alone credit the wrong slot's rewards."""
    cell = next(
        c
        for c in judged["cells"]
        if (c["logger"], c["policy"], c["estimator"], c["weighting"])
        == ("random", "lints warm", "ips", "item")
    )
    assert cell["bias"] < -4 * cell["sd"] / np.sqrt(judged["n_redraws"])


def test_thin_cells_are_never_called_usable(judged: dict[str, Any]) -> None:
    """Under the random logger a sharp policy has a joint ESS that the verdict refuses."""
    for cell in judged["cells"]:
        if cell["weighting"] == "joint" and not cell["is_enough"]:
            assert cell["verdict"] != "usable"


def test_only_what_is_consistent_is_called_usable(judged: dict[str, Any]) -> None:
    """A marginalised weight has a fine overlap of its own, and the wrong answer."""
    usable = [cell for cell in judged["cells"] if cell["verdict"] == "usable"]
    assert all(cell["weighting"] == "joint" and cell["estimator"] != "dm" for cell in usable)


def test_the_truth_is_the_mean_worth_of_the_floored_pmf(judged: dict[str, Any]) -> None:
    """The same for both loggers, and larger for a policy that knows the households."""
    truth = {(c["logger"], c["policy"]): c["truth"] for c in judged["cells"]}
    for name in TARGETS:
        assert truth["random", name] == truth["broad", name]
    assert truth["broad", "lints warm"] > truth["broad", "random"]
