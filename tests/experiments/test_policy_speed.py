from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from experiments.policy_speed import POLICIES, apart, bare, learning, peers, speeds, taught, turns
from experiments.policy_speed_task import Task

_SMALL = Task(n_context=6, n_items=5, n_item_features=3)


@pytest.mark.parametrize("policy_id", POLICIES)
def test_every_policy_is_timed(policy_id: str) -> None:
    """A small version: no bound on a time, only that each is there."""
    policy = taught(policy_id, _SMALL, n_rows=60, seed=1)
    found = speeds(policy, _SMALL, batch=3, repeats=1, seed=1, is_shared=True)
    assert all(speed > 0 for speed in found.values())


@pytest.mark.parametrize(
    ("policy_id", "does"),
    [("hybrid_ts", True), ("disjoint_linucb", True), ("lints", False), ("squarecb", False)],
)
def test_contexts_have_different_best_items_where_the_context_turns_the_ranking(
    policy_id: str, does: bool
) -> None:
    """Sixty-four contexts, the same list: what the targets of speed ask of a score."""
    task = Task(n_context=6, n_items=8, n_item_features=3)
    assert turns(taught(policy_id, task, n_rows=400, seed=1), task, 1) is does


def test_learning_and_what_is_least_are_timed() -> None:
    for batch in (1, 4):
        found = learning("lints", _SMALL, batch=batch, n_rows=8, repeats=1, seed=1)
        assert found["rows a second"] > 0
    assert bare(_SMALL, batch=2, repeats=1, seed=1, n_draws=4)["pmf, a second"] > 0


def test_more_draws_are_nearer_to_many_draws() -> None:
    """The error of a top action's pmf falls with the draws."""
    policy = taught("disjoint_lints", _SMALL, n_rows=200, seed=1)
    errors = apart(policy, _SMALL, few=(8, 512), many=20_000, n_rows=200, seed=1)
    assert errors[8].shape == (200,)
    assert 0.0 < errors[512].mean() < errors[8].mean()


def test_peers_are_run_by_their_own_interpreters_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A script that stands for one; the others say that they were not run."""
    script = tmp_path / "peer.py"
    told = [{"what": "stand-in", "batch 1 a second": 2.0}]
    script.write_text(f"print({json.dumps(told)!r})")
    monkeypatch.setattr("experiments.policy_speed._PEERS", script)
    rows = peers({"river": sys.executable}, seed=1, repeats=1)
    assert [row["what"] for row in rows if row["peer"] == "river"] == ["stand-in"]
    assert {row["what"] for row in rows if row["peer"] != "river"} == {"not run"}


def test_requests_are_fresh_or_share_a_catalogue() -> None:
    fresh, shared = (_SMALL.request(3, 1, is_shared=one) for one in (False, True))
    assert not np.array_equal(fresh.item_features[0], fresh.item_features[1])
    np.testing.assert_array_equal(shared.item_features[0], shared.item_features[2])
