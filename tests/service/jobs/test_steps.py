from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.jobs.steps import open_run, write_json

QUIET = {"say": lambda line: None}


def test_a_finished_step_is_not_computed_again(tmp_path: Path) -> None:
    """A run that is opened again takes finished steps as they are."""
    calls = []

    def compute(folder: Path) -> dict[str, Any]:
        calls.append(folder)
        (folder / "table.txt").write_text("rows")
        return {"value": np.float64(2.5), "rows": np.arange(2)}

    first = open_run(tmp_path, {"seed": 1}, **QUIET).step("learn", compute)
    again = open_run(tmp_path, {"seed": 1}, **QUIET).step("learn", compute)
    assert len(calls) == 1
    assert first == again
    assert again["rows"] == [0, 1]


def test_a_step_that_was_cut_off_leaves_nothing_half_written(tmp_path: Path) -> None:
    """Killed inside a step, the next run computes that step anew in an empty folder."""

    def killed(folder: Path) -> dict[str, Any]:
        (folder / "half.txt").write_text("ro")
        raise KeyboardInterrupt

    def whole(folder: Path) -> dict[str, Any]:
        assert not list(folder.iterdir())
        return {"value": 1}

    run = open_run(tmp_path, {"seed": 1}, **QUIET)
    with pytest.raises(KeyboardInterrupt):
        run.step("learn", killed)
    assert not (run.folder / "learn").exists()
    resumed = open_run(tmp_path, {"seed": 1}, **QUIET)
    assert resumed.folder == run.folder
    assert resumed.step("learn", whole)["value"] == 1


def test_other_settings_are_another_run(tmp_path: Path) -> None:
    """Results of one question never answer another one."""
    first = open_run(tmp_path, {"seed": 1}, **QUIET)
    second = open_run(tmp_path, {"seed": 2}, **QUIET)
    assert first.folder != second.folder


def test_a_finished_run_is_not_reopened(tmp_path: Path) -> None:
    """Metrics carry every step with machine, commit and versions; then the run is closed."""
    run = open_run(tmp_path, {"seed": 1}, **QUIET)
    run.step("learn", lambda folder: {"value": 1})
    metrics = json.loads(run.finish().read_text())
    assert metrics["learn"]["value"] == 1
    assert {"machine", "commit", "versions", "settings"} <= set(metrics["run"])
    assert open_run(tmp_path, {"seed": 1}, **QUIET).results == {}


def test_json_that_cannot_be_read_back_is_refused(tmp_path: Path) -> None:
    """NaN is no JSON: it is refused when written, and the old file stays."""
    path = tmp_path / "metrics.json"
    write_json(path, {"value": 1})
    with pytest.raises(ValueError, match="Out of range float"):
        write_json(path, {"value": float("nan")})
    assert json.loads(path.read_text()) == {"value": 1}
