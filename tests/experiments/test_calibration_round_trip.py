from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from experiments import calibration_round_trip as study
from simulator.parameters import PARAMETERS


def test_truth_and_start_differ_in_what_is_to_be_found_and_in_nothing_else() -> None:
    """Of the constants that are no parameters only those that a log shows may differ."""
    true, begin = study.truth(14), study.start()
    differ = {p.key for p in PARAMETERS if p.value(true) != p.value(begin)}
    assert len(differ) > 15
    assert true.taste == begin.taste
    assert true.fatigue == begin.fatigue
    assert true.emission == begin.emission


@pytest.mark.slow
def test_the_study_writes_its_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["study", "--users", "300", "--days", "14", "--seeds", "2", "--workers", "1"]
    monkeypatch.setattr(sys, "argv", [*words, "--out", str(tmp_path)])
    study.main()
    content = json.loads((tmp_path / "calibration_round_trip.json").read_text())
    assert [row["parameter"] for row in content["rows"]] == [p.name for p in PARAMETERS]
    assert content["settings"]["seeds"] == 2
