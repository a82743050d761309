"""The field's arithmetic by hand, prices that do what they say, and a small run of the study."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bandit.actions import assemble
from bandit.outcomes import UPLIFT
from experiments.field import at_volume, frontier, interval, main
from experiments.field_calibrate import VOLUMES, next_prices
from experiments.field_prices import ByGroup, with_cost
from experiments.field_reference import Fitted, FullKnowledge, fitted_on
from experiments.field_rows import ROWS, Row, row_of
from experiments.field_templates import AsTemplates
from experiments.field_walk import candidates_of, policy_for, walk, world_of
from policies.registry import DEFAULT
from simulator.guard import WorldGuard
from simulator.offers import Slates

_TWELVE = {
    "random eligible",
    "popular item at the popular hour",
    "best hour + ranker",
    "168-hour factorisation",
    "Duolingo's recovering softmax",
    "LP planner",
    "weekly budget",
    "survival threshold",
    "double DQN",
    "per-user Beta-TS",
    "click-greedy",
    "best of content and collaborative",
}


def test_the_twelve_baselines_and_the_default_are_rows() -> None:
    assert {row.stands_for for row in ROWS} - {""} == _TWELVE
    assert row_of(DEFAULT).policy_id == DEFAULT


def test_value_is_read_between_the_points_and_never_beyond_them() -> None:
    """At 1.5 sends between (1, 2) and (2, 4): 3; at 9 the last point; at .5 half of the first."""
    sends, value = np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0, 0.0])
    assert at_volume(sends, value, 1.5) == pytest.approx((3.0, 1.5))
    assert at_volume(sends, value, 9.0) == pytest.approx((0.0, 3.0))
    assert at_volume(sends, value, 0.5) == pytest.approx((1.0, 0.5))


def test_points_of_one_volume_are_read_as_their_mean() -> None:
    assert at_volume(np.array([1.0, 1.05]), np.array([2.0, 4.0]), 2.0) == pytest.approx(
        (3.0, 1.025)
    )


def test_a_frontier_is_a_difference_to_silence_a_user_week() -> None:
    """Two weeks, ten users a group: 40 sends are two a user-week, .2 of reward .01."""
    told = {"users": [10, 10], "sends": [40.0, 20.0], "mean": [5.2, 5.0]}
    silent = {"users": [10, 10], "sends": [0.0, 0.0], "mean": [5.0, 5.0]}
    sends, value = frontier(told, silent, days=14)
    np.testing.assert_allclose(sends, [1.0, 2.0])
    np.testing.assert_allclose(value, [0.0, 0.01])


def test_an_interval_is_students() -> None:
    """Three seeds 1, 2, 3: mean 2, half width 4.303 / √3."""
    mean, low, high = interval(np.array([1.0, 2.0, 3.0]))
    assert (mean, high - mean) == pytest.approx((2.0, 4.3027 / np.sqrt(3)), rel=1e-4)
    assert low == pytest.approx(2 * mean - high)


def test_prices_are_read_off_what_was_tried() -> None:
    """Volume falls by one for each .01 from 3 at 0."""
    found = next_prices([0.03, 0.0, 0.01], [0.0, 3.0, 2.0], rises=False)
    np.testing.assert_allclose(found, (3.0 - np.array(VOLUMES)) / 100, atol=1e-6)


@pytest.mark.parametrize(
    "row", [row for row in ROWS if row.policy_id != "never_send"], ids=lambda row: row.name
)
def test_every_row_can_be_asked_at_a_price(row: Row) -> None:
    """A pmf a group; where a price is out of reach, nobody is sent anything."""
    if row.policy_id == "collaborative":
        pytest.importorskip("implicit")
    world = world_of("ecommerce", seed=1, users=40, days=2, events=True)
    candidates = candidates_of(row, world)
    seen = world.observe()
    assert seen is not None
    items = candidates(seen)
    asked = assemble(seen, items, reasons=WorldGuard(world).plan(seen, items))
    policy = policy_for(row, world, candidates)
    dear = {"keep": 0.0, "week": 0.0, "tau": 1e6}.get(row.price, 1e6)
    pmf = ByGroup(policy, row.price, [dear] * 5).pmf(asked, 1)
    np.testing.assert_allclose(pmf.sum(axis=1), 1.0)
    if row.price != "week":  # a tenth of its weeks are drawn at random, whatever is paid
        assert pmf[:, 0].min() > 0.999


def test_a_cost_is_taken_off_messages_alone() -> None:
    dear = with_cost(UPLIFT, 0.002)
    moved = {
        c.name: c.weight - d.weight for c, d in zip(UPLIFT.components, dear.components, strict=True)
    }
    assert {name: round(by, 9) for name, by in moved.items() if by} == {"message": 0.002}


def test_templates_are_sent_by_their_best_item() -> None:
    """Of each template on offer at most one item has any probability, its best match."""
    world = world_of("ecommerce", seed=2, users=30, days=2)
    seen = world.observe()
    assert seen is not None
    items = Slates(world=world)(seen)
    asked = assemble(seen, items)
    row = next(row for row in ROWS if row.view == "templates")
    policy = policy_for(row, world, Slates(world=world))
    assert isinstance(policy, AsTemplates)
    chance = policy.pmf(asked, 1)[:, 1:].reshape(30, 20, 24).sum(axis=2)
    template = world.ground.catalogue.template[items.items]
    for n in range(30):
        for one in np.unique(template[n]):
            among = np.flatnonzero(template[n] == one)
            best = among[items.features[n, among, policy.match_at].argmax()]
            assert chance[n, among].sum() == pytest.approx(chance[n, best])
            assert chance[n, best] > 0


def test_the_account_of_a_walk_is_that_of_what_came() -> None:
    """In the mean over users, what steps pay in the mean and what came differ by noise alone."""
    row = row_of("random")
    told = walk(row, [0.5] * 5, seed=3, users=1500, days=7)
    users, sends = sum(told["users"]), sum(told["sends"])
    assert users == 1500
    assert 1000 < sends < 1500 * 7
    # .05 a session and 1 an order: a user's week has a deviation of about .35.
    assert abs(sum(told["mean"]) - sum(told["came"])) / users < 4 * 0.35 / np.sqrt(users)


def test_full_knowledge_is_worth_more_than_the_reference_and_that_more_than_nothing() -> None:
    """By the true gap to silence of what they decide, on the same people."""
    reference = fitted_on([2001], users=150, days=8)
    row = replace(row_of("random"), price="told")
    gap = {}
    for name, make in (("full", FullKnowledge), ("fitted", lambda w: Fitted(reference))):
        told = walk(row, [0.0] * 5, seed=5, users=200, days=8, follows=True, make=make)
        gap[name] = sum(told["gap"]) / sum(told["decisions"])
    assert gap["full"] > gap["fitted"] > 0.0


def test_the_study_writes_a_table_and_goes_on_where_it_stopped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prices = tmp_path / "prices.json"
    table = {name: {"prices": [0.2, 0.4, 0.6, 0.8, 1.0]} for name in ("random",)}
    table["lints_like"] = table["random"]
    prices.write_text(json.dumps(table))
    asked = ["--users", "40", "--days", "3", "--prices", str(prices), "--out", str(tmp_path)]
    asked += ["--walks", str(tmp_path / "walks.jsonl"), "--rows", "never_send", "random"]
    main([*asked, "--seeds", "1"])
    main([*asked, "--seeds", "2"])
    shown = capsys.readouterr().out
    assert shown.count("random seed 1:") == shown.count("random seed 2:") == 1
    told = json.loads((tmp_path / "field.json").read_text())
    assert [(line["policy"], line["seeds"]) for line in told["rows"]] == [("random", 2)]
    assert "frontier" in (tmp_path / "field.md").read_text()
