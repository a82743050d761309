from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bandit.errors import ForeignFileError, StateError
from service.jobs.steps import Run, open_run, write_json

QUIET = {"say": lambda line: None}
ROOT = Path(__file__).resolve().parents[3]


def closed(run: Run) -> None:
    """Finish a run as the main job does: metrics, then the page."""
    run.finish()
    (run.folder / "report.html").write_text("<p>done</p>")


def test_a_finished_step_is_not_computed_again(tmp_path: Path) -> None:
    """A run that is opened again takes finished steps as they are."""
    calls = []

    def compute(folder: Path) -> dict[str, Any]:
        calls.append(folder)
        (folder / "table.txt").write_text("rows")
        return {"value": np.float64(2.5), "rows": np.arange(2)}

    with open_run(tmp_path, {"seed": 1}, **QUIET) as run:
        first = run.step("learn", compute)
    with open_run(tmp_path, {"seed": 1}, **QUIET) as run:
        again = run.step("learn", compute)
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

    with pytest.raises(KeyboardInterrupt), open_run(tmp_path, {"seed": 1}, **QUIET) as run:
        run.step("learn", killed)
    assert not (run.folder / "learn").exists()
    with open_run(tmp_path, {"seed": 1}, **QUIET) as resumed:
        assert resumed.folder == run.folder
        assert resumed.step("learn", whole)["value"] == 1


def test_other_settings_are_another_run(tmp_path: Path) -> None:
    """Results of one question never answer another one."""
    with (
        open_run(tmp_path, {"seed": 1}, **QUIET) as first,
        open_run(tmp_path, {"seed": 2}, **QUIET) as second,
    ):
        assert first.folder != second.folder


def test_a_finished_run_is_not_reopened(tmp_path: Path) -> None:
    """Metrics carry every step with machine, commit and versions; then the run is closed."""
    with open_run(tmp_path, {"seed": 1}, **QUIET) as run:
        run.step("learn", lambda folder: {"value": 1})
        closed(run)
    metrics = json.loads((run.folder / "metrics.json").read_text())
    assert metrics["learn"]["value"] == 1
    assert {"machine", "commit", "versions", "settings"} <= set(metrics["run"])
    assert sorted(path.name for path in run.folder.iterdir()) == [
        "learn",
        "metrics.json",
        "report.html",
        "settings.json",
    ]
    with open_run(tmp_path, {"seed": 1}, **QUIET) as new:
        assert new.folder != run.folder


def test_a_run_without_its_page_is_not_over(tmp_path: Path) -> None:
    """Killed between metrics and page, all steps are there and only the page is missing."""
    with open_run(tmp_path, {"seed": 1}, **QUIET) as run:
        run.step("learn", lambda folder: {"value": 1})
        run.finish()
    with open_run(tmp_path, {"seed": 1}, **QUIET) as again:
        assert again.folder == run.folder


def test_a_step_may_say_how_long_it_took(tmp_path: Path) -> None:
    """A step that ran beside another one was not waited for: its own seconds count."""
    with open_run(tmp_path, {"seed": 1}, **QUIET) as run:
        assert run.step("beside", lambda folder: {"seconds": 12.5})["seconds"] == 12.5
        assert run.step("alone", lambda folder: {})["seconds"] < 5


@pytest.mark.parametrize("content", [b"{", b"", b"[1]", b"\xff\xfe{}", b"null"])
def test_a_spoilt_result_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    """Which file, and what to remove so that the step is done anew."""
    with open_run(tmp_path, {"seed": 1}, **QUIET) as run:
        run.step("learn", lambda folder: {"value": 1})
    path = run.folder / "learn" / "result.json"
    path.write_bytes(content)
    with (
        open_run(tmp_path, {"seed": 1}, **QUIET) as again,
        pytest.raises(ForeignFileError, match=r"result\.json.*Remove .*learn and call again"),
    ):
        again.step("learn", lambda folder: {"value": 1})


def test_two_processes_never_work_on_one_run(tmp_path: Path) -> None:
    """The second is refused while the first works, and goes on once it is gone."""
    code = (
        "from pathlib import Path; from service.jobs.steps import open_run\n"
        f"with open_run(Path(r'{tmp_path}'), {{'seed': 1}}, say=lambda line: None) as run:\n"
        "    print(run.folder, flush=True)\n"
        "    input()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as other:
        assert other.stdout is not None
        folder = Path(other.stdout.readline().strip())
        with (
            pytest.raises(StateError, match="another process is at work"),
            open_run(tmp_path, {"seed": 1}, **QUIET),
        ):
            pass
        other.kill()
    with open_run(tmp_path, {"seed": 1}, **QUIET) as run:
        assert run.folder == folder


def test_json_that_cannot_be_read_back_is_refused(tmp_path: Path) -> None:
    """NaN is no JSON: it is refused when written, and the old file stays."""
    path = tmp_path / "metrics.json"
    write_json(path, {"value": 1})
    with pytest.raises(ValueError, match="Out of range float"):
        write_json(path, {"value": float("nan")})
    assert json.loads(path.read_text()) == {"value": 1}


def test_what_json_cannot_say_is_refused_by_its_kind(tmp_path: Path) -> None:
    """Arrays, numbers of numpy and paths are plain; anything else is a mistake of the step."""
    path = tmp_path / "plain.json"
    write_json(path, {"a": np.arange(3), "b": np.bool_(1), "c": Path("runs"), "d": np.int64(7)})
    assert json.loads(path.read_text()) == {"a": [0, 1, 2], "b": True, "c": "runs", "d": 7}
    with pytest.raises(TypeError, match="got set"):
        write_json(path, {"a": {1}})
