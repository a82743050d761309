"""The gauntlets are those of the anchors, and a small run of the study writes what it should."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bandit.actions import Request
from bandit.draws import key_of
from bandit.outcomes import Feedback
from experiments.gauntlet import main, scored, summary
from experiments.gauntlet_run import policy_for, run
from experiments.gauntlet_tasks import CLICKS, Task, TwoArms, Wide
from policies.registry import DEFAULT, build


@dataclass
class _Oracle:
    """Knows the map: all on the best true rate."""

    task: Wide
    policy_id: str = "oracle"

    def pmf(self, request: Request, key: int) -> np.ndarray:
        rates = self.task.rates(request.context).reshape(request.n_rows, 300)
        pmf = np.zeros((request.n_rows, 301))
        pmf[np.arange(request.n_rows), 1 + rates.argmax(axis=1)] = 1.0
        return pmf

    def update(self, feedback: Feedback) -> None:
        assert feedback.is_send.all()


def test_the_wide_task_is_drawn_as_the_anchors_say() -> None:
    """Maps in the order C, V, b, e; rates between .003 and .015; a random choice near .0088."""
    task = Wide(seed=3)
    rg = np.random.default_rng(3)
    c, v = rg.normal(size=(5, 16)) * 2.5 / 4, rg.normal(size=(6, 16)) * 2 / 4
    b, e = rg.normal(size=50) * 0.7, rg.normal(size=6) * 0.35
    (batch, *_) = task.batches()
    x = np.random.default_rng(1003).normal(size=(task.n_decisions, 16))[:250]
    np.testing.assert_array_equal(batch.request.context, x)
    z = c[7 % 5] @ x[4] + b[7] + v[2] @ x[4] + e[2]
    assert batch.rates[4, 1 + 7 * 6 + 2] == pytest.approx(0.003 + 0.012 / (1 + np.exp(-z)))
    assert not batch.request.mask[:, 0].any()
    means = [
        np.mean([b.rates[:, 1:].mean() for b in Wide(seed=s, n_decisions=5000).batches()])
        for s in range(4)
    ]
    assert 0.0085 < min(means) < max(means) < 0.0092


def test_two_arms_pay_four_where_they_match_and_three_elsewhere() -> None:
    (batch, *_) = TwoArms(seed=1).batches()
    state = batch.request.context.argmax(axis=1)
    row = np.arange(len(state))
    assert set(batch.rates[row, 1 + state]) == {0.04}
    assert set(batch.rates[row, 2 - state]) == {0.03}


def test_perfect_knowledge_keeps_what_the_floors_leave() -> None:
    """Best item and slot in .95 · .95 of the decisions, one of them in most others."""
    task = Wide(seed=0, n_decisions=4000)
    score = run(task, _Oracle(task), seed=1)  # type: ignore[arg-type]
    assert 0.95**2 < score.share < 1.0


@pytest.mark.parametrize("task", [TwoArms(seed=2, n_decisions=600), Wide(seed=2, n_decisions=600)])
def test_a_random_choice_is_the_zero_of_the_scale(task: Task) -> None:
    score = run(task, build("random", task.shape, scheme=CLICKS), seed=2)
    assert score.share == pytest.approx(0.0, abs=1e-12)


def test_the_default_learns_the_small_task_in_a_fifth_of_it() -> None:
    """Bayes, at 20,000 of 100,000 events; the whole of it is the study's."""
    assert scored("T1", DEFAULT, 1, n_decisions=20_000) > 0.0375


def test_the_study_writes_the_lists_that_are_asked_for_and_goes_on_where_it_stopped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["--policies", DEFAULT, "--seeds", "2", "--decisions", "1000", "--out", str(tmp_path)]
    main([*asked, "--tasks", "T1"])
    main(asked)
    told = json.loads((tmp_path / "gauntlet.json").read_text())
    assert told["default"] == DEFAULT
    assert [len(told[task][DEFAULT]) for task in ("T1", "T1b")] == [2, 2]
    assert told["commits"]["T1"].keys() == {DEFAULT}
    assert told["T1"][DEFAULT][1] == scored("T1", DEFAULT, 1, n_decisions=1000)
    second = capsys.readouterr().out.split("# gauntlet")[1]
    assert "T1 hybrid_ts seed" not in second
    assert (tmp_path / "gauntlet.md").exists()


def test_more_seeds_are_added_to_those_that_are_there(tmp_path: Path) -> None:
    """And none is taken over from runs of another length."""
    asked = ["--policies", "random", "--tasks", "T1", "--workers", "1", "--out", str(tmp_path)]
    main([*asked, "--seeds", "1", "--decisions", "600"])
    main([*asked, "--seeds", "2", "--decisions", "600"])
    told = json.loads((tmp_path / "gauntlet.json").read_text())
    assert len(told["T1"]["random"]) == 2
    main([*asked, "--seeds", "1", "--decisions", "500"])
    told = json.loads((tmp_path / "gauntlet.json").read_text())
    assert (len(told["T1"]["random"]), told["decisions"]) == (1, 500)


def test_peers_are_told_to_cross_what_they_are_shown() -> None:
    peer: Any = policy_for("vw_egreedy", TwoArms(seed=0).shape)
    assert peer.params.interactions == "ci cs"


def test_only_twenty_seeds_at_the_bar_pass() -> None:
    """Nineteen of twenty at .0390 and none under .0375; fewer seeds pass nothing."""
    good = [0.0395] * 19
    assert summary("T1", "x", [*good, 0.0380])["passes"] == "yes"
    assert summary("T1", "x", [*good, 0.0370])["passes"] == "no"
    assert summary("T1", "x", [*good[:-1], 0.0380, 0.0380])["passes"] == "no"
    assert summary("T1", "x", good)["passes"] == "no"
    assert summary("T1b", "x", [0.75] * 19 + [0.61])["passes"] == "yes"
    assert summary("T1b", "x", [0.75] * 19 + [0.59])["passes"] == "no"


def test_runs_do_not_depend_on_their_process() -> None:
    """The same seed gives the same score, and keys differ by seed."""
    first = scored("T1b", DEFAULT, 3, n_decisions=1500)
    assert first == scored("T1b", DEFAULT, 3, n_decisions=1500)
    assert key_of(DEFAULT, 3, 0) != key_of(DEFAULT, 4, 0)
