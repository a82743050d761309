from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bandit.ope.paired import holm
from service.cli import main
from service.jobs import cells

STUDY = """
name = "small"
presets = ["tiny", "identity"]
policies = ["random"]
users = 12
days = 3
seeds = 3
"""


@pytest.fixture
def study(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(STUDY)
    return path


def test_one_table_holds_every_world_and_policy_with_claims_for_all(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Random against both references and the static one against silence, in two worlds."""
    runs = tmp_path / "runs"
    assert main(["experiment", str(study), "--out", str(runs), "--workers", "1"]) == 0
    (folder,) = runs.iterdir()
    content = json.loads((folder / "small.json").read_text())
    rows = content["comparisons"]
    assert len(rows) == 2 * 3
    assert {row["world"] for row in rows} == {"tiny", "identity"}
    adjusted = holm([row["p"] for row in rows])
    assert [row["p_holm"] for row in rows] == pytest.approx(adjusted.tolist())
    for row in rows:
        assert row["lower"] <= row["difference"] <= row["upper"]
        assert (row["claim"] != "none") == (row["p_holm"] < 0.05)
    table = (folder / "small.md").read_text()
    said = capsys.readouterr().out
    assert "p (Holm)" in table
    measured = {(row["world"], row["policy"]): row for row in content["policies"]}
    assert measured["tiny", "random"]["regret_dp"] > 0
    assert measured["identity", "random"]["regret_dp"] is None
    assert " regret_dp |" in table
    assert table.strip() in said
    assert "Simulated." in table


def test_a_study_that_was_cut_off_goes_on_with_what_is_missing(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Finished cells are kept, in the same folder; a finished study is walked anew."""
    whole, walked = cells.walk_cell, []

    def breaks(cell: Any, folder: Path, *, advance: Any) -> dict[str, Any]:
        walked.append(cell.name)
        if len(walked) == 8:
            raise KeyboardInterrupt
        return whole(cell, folder, advance=advance)

    monkeypatch.setattr(cells, "walk_cell", breaks)
    arguments = ["experiment", str(study), "--out", str(tmp_path / "runs"), "--workers", "1"]
    assert main(arguments) == 130
    assert main(arguments) == 0
    assert len(walked) == 1 + 2 * 3 * 6
    assert len(list((tmp_path / "runs").iterdir())) == 1
    assert main(arguments) == 0
    assert len(list((tmp_path / "runs").iterdir())) == 2


def test_a_study_with_an_unknown_key_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2 and no folder."""
    path = tmp_path / "odd.toml"
    path.write_text(STUDY + "horizon = 3\n")
    runs = tmp_path / "runs"
    assert main(["experiment", str(path), "--out", str(runs)]) == 2
    said = capsys.readouterr().err
    assert "got horizon" in said
    assert said.count("\n") == 1
    assert not runs.exists()
