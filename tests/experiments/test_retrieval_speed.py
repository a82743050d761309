from __future__ import annotations

from experiments.retrieval_speed import LAYOUTS, measure


def test_looking_everywhere_finds_all_and_looking_longer_finds_more() -> None:
    """Five thousand items instead of a million; no bound on a time."""
    rows = measure(n_items=5000, n_queries=40, length=16, n_found=20, seed=1)
    for layout in LAYOUTS:
        exact, *lists_and_graphs = [row["recall@K"] for row in rows if row["items lie"] == layout]
        lists, graphs = lists_and_graphs[:3], lists_and_graphs[3:]
        assert exact == 1.0
        assert lists == sorted(lists)
        assert min(lists[-1], graphs[-1]) > 0.95
    assert all(row["queries a second"] > 0 and row["one by one"] > 0 for row in rows)
