from __future__ import annotations

import json
from pathlib import Path

from experiments.record import markdown, record
from experiments.throughput import measure
from policies.registry import policies


def test_every_policy_and_stage_is_timed() -> None:
    """A small version of ``make bench``: no bound on a time, only that each is there."""
    rows = measure(n_rows=3, repeats=1, seed=1)
    stages = {row["stage"] for row in rows}
    assert stages >= {f"pmf: {entry.policy_id}" for entry in policies()}
    assert stages >= {"floor and draw", "log, durable", "log, read back", "join"}
    assert all(row["ms a batch"] > 0 for row in rows)


def test_results_say_where_they_come_from(tmp_path: Path) -> None:
    """JSON and table side by side, with settings, machine and commit."""
    table = record("small", [{"a": 1, "b": 0.123456}], settings={"seed": 3}, folder=tmp_path)
    stored = json.loads((tmp_path / "small.json").read_text())
    assert stored["rows"] == [{"a": 1, "b": 0.123456}]
    assert {"machine", "commit", "versions"} <= set(stored["provenance"])
    assert "| 1 | 0.1235 |" in table.read_text()
    assert "seed = 3" in table.read_text()


def test_no_rows_make_no_table() -> None:
    """Nothing found is said, not drawn."""
    assert markdown([]) == ["(no rows)"]
