"""The shop is what it says, rows are worked by hand, and a small run writes its table."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from experiments.conservative import BySegment, Shop, StaticBest, main, summary
from experiments.gauntlet_tasks import CLICKS
from policies.registry import build


def test_tastes_keep_their_spread_and_lose_half_in_a_half_life() -> None:
    """Correlation of log rates over 26 weeks, less what all segments share, by many shops."""
    first, later = [], []
    for seed in range(60):
        days = list(islice(Shop(seed=seed, n_users=40).batches(), 0, 183, 182))
        for kept, batch in zip((first, later), days, strict=True):
            by_segment = [
                np.log(batch.rates[batch.request.context[:, g] == 1, 1:][0]) for g in range(4)
            ]
            own = np.array(by_segment) - np.mean(by_segment, axis=0)
            kept.append(own.ravel())
    one, other = np.concatenate(first), np.concatenate(later)
    assert np.corrcoef(one, other)[0, 1] == pytest.approx(0.5, abs=0.08)
    assert other.std() == pytest.approx(one.std(), rel=0.1)


def test_a_break_gives_all_segments_other_tastes_overnight() -> None:
    shop = Shop(seed=1, n_users=40, n_weeks=3, break_week=1)
    days = [batch.rates[batch.request.context[:, 0] == 1, 1:][0] for batch in shop.batches()]
    moved = np.abs(np.diff(np.log(days), axis=0)).max(axis=1)
    assert int(moved.argmax()) == 6
    assert moved[6] > 3.0 * np.delete(moved, 6).max()


def test_the_baseline_is_the_best_push_for_everybody() -> None:
    shop = Shop(seed=2, n_users=500)
    first = next(shop.batches())
    pmf = StaticBest(shop.shape, first).pmf(first.request, 0)
    values = first.rates[:, 1:].mean(axis=0)
    assert (pmf * first.rates).sum() / 500 == pytest.approx(values.max())


def test_asking_by_segment_changes_no_pmf() -> None:
    shop = Shop(seed=4, n_users=60)
    batch = next(shop.batches())
    policy = build("lints", shop.shape, scheme=CLICKS)
    whole, by_segment = (one.pmf(batch.request, 5) for one in (policy, BySegment(policy)))
    np.testing.assert_allclose(by_segment, whole, atol=1e-12)


def test_rows_of_the_table_are_worked_by_hand() -> None:
    seeds = [
        {"baseline": [0.1, 0.1], "alone": [0.08, 0.14], "held": [0.099, 0.12]},
        {"baseline": [0.2, 0.2], "alone": [0.18, 0.24], "held": [0.195, 0.23]},
    ]
    alone, held = summary("x", seeds, slack=0.02)
    assert alone["worst week"] == pytest.approx(-0.2)
    assert (alone["seeds within"], held["seeds within"]) == (0, 1)
    assert held["worst week"] == pytest.approx(-0.025)
    assert held["gain on baseline"] == pytest.approx((0.095 + 0.0625) / 2)
    assert held["gain kept"] == pytest.approx((0.019 + 0.025) / (0.02 + 0.02))


def test_a_small_study_writes_its_table_and_walks_nothing_twice(tmp_path: Path) -> None:
    sizes = ["--seeds", "1", "--weeks", "2", "--users", "30"]
    folders = ["--kept", str(tmp_path / "kept"), "--out", str(tmp_path)]
    main([*sizes, *folders])
    told = (tmp_path / "conservative.md").read_text()
    assert "| slow drift | held | 1 |" in told
    kept = sorted((tmp_path / "kept").iterdir())
    before = [path.stat().st_mtime_ns for path in kept]
    main([*sizes, *folders])
    assert [path.stat().st_mtime_ns for path in kept] == before
