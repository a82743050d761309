"""A watched learner finds a break, and a small run writes its table."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from experiments.change import main, walked
from experiments.conservative import Shop


def test_a_break_is_found_and_a_plain_learner_raises_no_alarm() -> None:
    """Four weeks of one taste and two of another; whether that pays is the study's to say."""
    found = 0
    for seed in (0, 2, 4):
        shop = Shop(seed=seed, n_users=500, n_weeks=6, half_life_weeks=np.inf, break_week=4)
        _, alarms = walked(shop, "lints_watch", {})
        assert not [day for day in alarms if day < 28]
        found += bool(alarms)
    assert found >= 2
    assert walked(Shop(seed=0, n_users=50, n_weeks=1), "lints", {})[1] == []


def test_a_small_study_writes_its_table(tmp_path: Path) -> None:
    main(["--seeds", "2", "--weeks", "2", "--users", "20", "--out", str(tmp_path)])
    told = (tmp_path / "change.md").read_text()
    for shop in ("a break", "no change"):
        assert f"| {shop} | lints_watch |" in told
