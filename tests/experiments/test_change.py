"""A watched learner is better off after a break, and a small run writes its table."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from experiments.change import main, walked
from experiments.conservative import Shop


def test_a_watched_learner_does_better_after_a_break() -> None:
    """Six weeks of one taste and four of another: three shops, in true rates of the four weeks."""
    more, n_found = [], 0
    for seed in range(3):
        shop = Shop(seed=seed, n_users=500, n_weeks=10, half_life_weeks=np.inf, break_week=6)
        plain, _ = walked(shop, "lints", {})
        watched, alarms = walked(shop, "lints_watch", {})
        more.append(float((watched - plain)[42:].mean()))
        n_found += any(day >= 42 for day in alarms)
    assert n_found >= 2
    assert np.mean(more) > 0.0


def test_a_small_study_writes_its_table(tmp_path: Path) -> None:
    main(["--seeds", "2", "--weeks", "2", "--users", "20", "--out", str(tmp_path)])
    told = (tmp_path / "change.md").read_text()
    for shop in ("a break", "no change"):
        assert f"| {shop} | lints_watch |" in told
