from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from service.jobs.contenders import CONTENDERS
from service.jobs.online_tables import AGAINST_ANY, AGAINST_COUNTS, HouseholdWalks, summary
from service.jobs.walk import Walk

BY_NAME = {contender.name: contender for contender in CONTENDERS}


def walk_of(name: str, slot: Any, is_hit: Any, *, seed: int = 1) -> Walk:
    """A walk whose expectations are its outcomes."""
    slot, is_hit = np.asarray(slot, np.int8), np.asarray(is_hit, np.bool_)
    worth = (is_hit - 0.01 * (slot >= 0)).astype(np.float32)
    return Walk(name=name, seed=seed, slot=slot, is_hit=is_hit, expected=worth, unfloored=worth)


def tables_of(walks: HouseholdWalks) -> dict[str, Any]:
    return summary(walks, contenders=CONTENDERS, key=3)


def alone(walk: Walk) -> list[tuple[Any, Walk]]:
    return [(np.arange(len(walk.slot)), walk)]


def steady(name: str, n_hits: int, n_households: int = 40) -> list[tuple[Any, Walk]]:
    """Everyone is sent to on each of ten days; the first ``n_hits`` days hit."""
    hit = np.zeros((n_households, 10), np.bool_)
    hit[:, :n_hits] = True
    return alone(walk_of(name, np.full(hit.shape, 2), hit))


def test_a_row_counts_what_was_drawn() -> None:
    """Two households, three days: four sends, one of them a hit."""
    walk = walk_of("random", [[0, -1, 5], [1, 1, -1]], [[True, False, False], [False] * 3])
    (row,) = tables_of({"random": alone(walk)})["table"]
    assert (row["n"], row["hits"], row["seeds"]) == (6, 1, 1)
    assert row["value"] == pytest.approx((1 - 4 * 0.01) / 6)
    assert row["send_share"] == pytest.approx(4 / 6)
    assert row["hits_per_send"] == pytest.approx(1 / 4)


def test_silence_has_no_hits_a_send() -> None:
    """Nothing divided by nothing is shown as nothing."""
    walk = walk_of("never send", np.full((3, 4), -1), np.zeros((3, 4)))
    (row,) = tables_of({"never send": alone(walk)})["table"]
    assert row["hits_per_send"] is None
    assert row["hits_per_send_at_equal_sends"] is None
    assert (row["lower"], row["upper"]) == (0.0, 0.0)


def test_equal_sends_are_those_of_the_policy_that_sends_least() -> None:
    """The first half of the one that sends always; a policy below a tenth sets no measure."""
    half = np.tile([4, -1], (10, 5))
    hits = np.zeros((10, 10), np.bool_)
    hits[:, :5] = True
    rare = np.full((10, 10), -1)
    rare[0, 0] = 1
    walks = {
        "random": alone(walk_of("random", np.full((10, 10), 3), hits)),
        "lints warm": alone(walk_of("lints warm", half, np.zeros((10, 10)))),
        "never send": alone(walk_of("never send", rare, np.zeros((10, 10)))),
    }
    tables = tables_of(walks)
    assert tables["equal_sends_share"] == 0.5
    found = {row["policy"]: row["hits_per_send_at_equal_sends"] for row in tables["table"]}
    assert found == {"random": 1.0, "lints warm": 0.0, "never send": None}


def test_the_best_is_compared_with_the_best_of_each_kind() -> None:
    """Counts and bandits by their values; the best baseline may be neither."""
    walks = {
        "lints warm": steady("lints warm", 6),
        "linucb warm": steady("linucb warm", 4),
        "igw warm, time-blind": steady("igw warm, time-blind", 9),
        "counts static": steady("counts static", 2),
        "counts updated": steady("counts updated", 3),
        "best hour + ranker": steady("best hour + ranker", 7),
    }
    gains = {gain["what"]: gain for gain in tables_of(walks)["gains"]}
    pairs = {what: (gain["one"], gain["other"]) for what, gain in gains.items()}
    assert pairs[AGAINST_COUNTS] == ("lints warm", "counts updated")
    assert pairs[AGAINST_ANY] == ("lints warm", "best hour + ranker")
    assert gains[AGAINST_COUNTS]["value"] == pytest.approx(0.3)
    assert gains[AGAINST_COUNTS]["excludes_zero"]
    assert gains[AGAINST_ANY]["value"] == pytest.approx(-0.1)
    assert gains[AGAINST_ANY]["value_upper"] < 0


def test_without_bandits_there_is_nothing_to_compare() -> None:
    """Baselines alone give a table and no difference."""
    assert tables_of({"random": steady("random", 1)})["gains"] == []


def test_seeds_of_one_household_are_resampled_together() -> None:
    """Ten seeds that repeat one another say no more than one of them."""
    rng = np.random.default_rng(5)
    hit = rng.random((60, 20)) < 0.3
    once = [(np.arange(60), walk_of("random", np.full(hit.shape, 1), hit))]
    often = [
        (np.arange(60), walk_of("random", np.full(hit.shape, 1), hit, seed=seed))
        for seed in range(10)
    ]
    (one,), (ten,) = (tables_of({"random": walks})["table"] for walks in (once, often))
    assert ten["value"] == pytest.approx(one["value"])
    assert ten["lower"] == pytest.approx(one["lower"])
    assert ten["upper"] == pytest.approx(one["upper"])


def test_the_interval_is_that_of_the_mean_over_households() -> None:
    """Against the normal one, whose width is known: 2 · 1.96 · sd / √n."""
    rng = np.random.default_rng(6)
    hit = rng.random((400, 25)) < rng.random((400, 1))
    (row,) = tables_of({"random": alone(walk_of("random", np.full(hit.shape, 1), hit))})["table"]
    width = 2 * 1.96 * hit.mean(axis=1).std() / np.sqrt(400)
    assert row["upper"] - row["lower"] == pytest.approx(width, rel=0.1)


def test_a_curve_ends_at_the_value_and_slots_are_counted() -> None:
    """The running mean after the last day, and when it was sent."""
    walk = walk_of("random", [[0, -1, 5], [1, 1, -1]], [[True, False, False], [False] * 3])
    tables = tables_of({"random": alone(walk)})
    assert tables["curves"]["random"]["value"][-1] == pytest.approx(
        tables["table"][0]["value"], abs=1e-6
    )
    assert len(tables["curves"]["random"]["lower"]) == 3
    assert tables["send_slots"]["random"] == [1, 2, 0, 0, 0, 1]
