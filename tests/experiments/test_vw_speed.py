from __future__ import annotations

from experiments.vw_speed import measure


def test_every_way_of_asking_is_timed() -> None:
    """A small version: no bound on a time, only that each is there."""
    rows = measure(n_items=3, n_rows=4, repeats=1, seed=1)
    assert [row["what"] for row in rows] == [
        "pmf: text",
        "pmf: examples filled again",
        "pmf: examples, the same catalogue",
        "pmf: products, a batch",
        "learn",
    ]
    assert all(row["a second"] > 0 for row in rows)
