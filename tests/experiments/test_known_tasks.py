"""The tutorial's likes, the digits' labels, and a small run of the study."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from experiments.gauntlet_tasks import CLICKS
from experiments.known_tasks import Digits, Tutorial, main, reward
from policies.registry import DEFAULT, build


def test_a_random_choice_gets_a_third_and_a_tenth() -> None:
    for task, share in ((Tutorial(seed=1, n_rounds=60), 1 / 3), (Digits(seed=1, n_rounds=60), 0.1)):
        policy = build("random", task.shape, scheme=CLICKS)
        assert reward(task, policy, seed=1) == pytest.approx(share)


def test_one_action_is_right_in_every_round() -> None:
    for task in (Tutorial(seed=2, n_rounds=30), Digits(seed=2, n_rounds=30, batch=7)):
        batches = list(task.batches())
        assert sum(b.request.n_rows for b in batches) == 30
        for batch in batches:
            np.testing.assert_array_equal(batch.rates.sum(axis=1), 1.0)


def test_the_default_learns_the_tutorial_early() -> None:
    """Three hundred rounds of two thousand; the target of .70 is for all of them."""
    task = Tutorial(seed=10, n_rounds=300)
    assert reward(task, build(DEFAULT, task.shape, scheme=CLICKS), seed=10) > 0.6


def test_a_small_study_writes_its_table(tmp_path: Path) -> None:
    main(["--policies", "random", "--seeds", "2", "--rounds", "20", "--out", str(tmp_path)])
    told = (tmp_path / "known_tasks.md").read_text()
    assert "| T19 tutorial | random | 0.3333 |" in told
    assert "| T25 digits | random | 0.1 |" in told
