from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bandit.log import read_log
from policies.registry import DEFAULT
from service.cli import main
from service.jobs import cells

SMALL = ["--users", "12", "--days", "3", "--seeds", "2", "--preset", "tiny", "--workers", "1"]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small simulation, run by its command."""
    root = tmp_path_factory.mktemp("runs")
    assert main(["simulate", *SMALL, "--policy", "random", "--out", str(root)]) == 0
    (folder,) = root.iterdir()
    return folder


def test_a_simulation_leaves_tables_logs_and_a_page(done: Path) -> None:
    """Each policy's log of the first seed; every number with where it comes from."""
    metrics = json.loads((done / "metrics.json").read_text())
    table = metrics["simulation"]["table"]
    assert {"random", "never_send"} < {row["policy"] for row in table}
    assert metrics["run"]["settings"]["world"]["name"] == "tiny"
    assert read_log(done / "cells" / "tiny_random_1" / "log").num_rows == 36
    assert "simulated" in (done / "report.html").read_text()


def test_the_page_is_written_again_by_the_command_that_writes_pages(
    done: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """``opportune report`` knows a simulation from a run of the main job."""
    page = done / "report.html"
    before = page.read_text()
    page.unlink()
    assert main(["report", str(done)]) == 0
    assert str(page) in capsys.readouterr().out
    assert page.read_text() == before


def test_a_simulation_that_was_cut_off_goes_on_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 130, then the rest of the cells in the same folder."""
    whole, walked = cells.walk_cell, []

    def breaks(cell: Any, folder: Path, *, advance: Any) -> dict[str, Any]:
        walked.append(cell.name)
        if len(walked) == 4:
            raise KeyboardInterrupt
        return whole(cell, folder, advance=advance)

    monkeypatch.setattr(cells, "walk_cell", breaks)
    arguments = ["simulate", *SMALL, "--policy", "never_send", "--out", str(tmp_path)]
    assert main(arguments) == 130
    assert main(arguments) == 0
    assert "going on with" in capsys.readouterr().out
    assert len(walked) == 1 + 2 * 5
    assert len(list(tmp_path.iterdir())) == 1


def test_the_table_tells_each_policy_against_both_references(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """On one seed without intervals; it says what best static means and that it is simulated."""
    arguments = ["--users", "12", "--days", "2", "--seeds", "1", "--preset", "tiny"]
    assert main(["simulate", *arguments, "--workers", "1", "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert DEFAULT in said
    assert "less best static" in said
    assert "All of it is simulated" in said
    assert "report: " in said


@pytest.mark.parametrize("preset", ["tiny", "identity"])
def test_the_regret_by_the_exact_optimum_is_told_where_there_is_one(
    preset: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the head, on a line of its own that says what it is, and in the page's table."""
    is_solved = preset == "tiny"
    arguments = ["--users", "12", "--days", "2", "--seeds", "2", "--preset", preset]
    assert main(["simulate", *arguments, "--workers", "1", "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    (folder,) = tmp_path.iterdir()
    page = (folder / "report.html").read_text()
    assert said.count("regret_dp") == 2 * is_solved
    assert page.count("regret_dp") == 3 * is_solved
    assert ("small enough to be solved exactly" in page) == is_solved
    table = json.loads((folder / "metrics.json").read_text())["simulation"]["table"]
    assert all((row["regret_dp"] is not None) == is_solved for row in table)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--preset", "shop"], "expected a preset"),
        (["--policy", "lintz"], "expected a policy id"),
        (["--users", "0"], "users from 1"),
        (["--days", "0"], "one day or more"),
        (["--days", "99999"], "horizon_days"),
        (["--hours", "7"], "hours out of"),
        (["--seeds", "0"], "seeds from 1"),
        (["--workers", "0"], "--workers from 1"),
        (["--policy", "lints", "--policy", "lints"], "more than once"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    arguments: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, before a folder is made."""
    runs = tmp_path / "runs"
    assert main(["simulate", *arguments, "--out", str(runs)]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
    assert not runs.exists()


def test_the_default_policy_solves_a_world_that_says_what_is_wanted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Identity: the item that is wanted now is in the observation, at another place each day."""
    arguments = ["--preset", "identity", "--users", "100", "--days", "10", "--seeds", "8"]
    assert main(["simulate", *arguments, "--workers", "1", "--out", str(tmp_path)]) == 0
    (folder,) = tmp_path.iterdir()
    tables = json.loads((folder / "metrics.json").read_text())["simulation"]
    row = next(row for row in tables["table"] if row["policy"] == DEFAULT)
    assert row["less_silence_lower"] > 0
    assert row["less_best_static_lower"] > 0
    assert row["gap_to_best_static_lower"] > 0
    assert DEFAULT in capsys.readouterr().out
