from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from bandit.errors import BadInputError
from bandit.outcomes import UPLIFT
from service.jobs.comparison import Comparison
from service.jobs.entrants import entrants
from service.jobs.simulate import simulate
from service.reports.simulation_page import is_simulation, write_simulation_report


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random pushes on a small world, two seeds."""
    asked = Comparison(
        preset="tiny",
        entrants=entrants(["random"], scheme=UPLIFT),
        users=12,
        days=4,
        seeds=2,
    )
    root = tmp_path_factory.mktemp("runs")
    return simulate(asked, root=root, n_workers=1, say=lambda _: None)


def test_the_page_stands_alone_and_draws_what_people_look_at(run: Path) -> None:
    """Six drawings, no address of another machine, no part that is missing."""
    page = (run / "report.html").read_text()
    assert page.count("<svg") == 6
    assert not re.findall(r'(?:src|href)="(?!#)', page)
    for heading in ("What each policy was worth", "Day by day", "Uplift and attribution"):
        assert heading in page
    assert "No number here is about anybody real" in page
    assert "regret_myopic" in page


def test_the_lead_names_both_references_and_claims_only_what_the_interval_shows(
    run: Path, tmp_path: Path
) -> None:
    """More, less, or not told apart; on one seed no claim."""
    metrics = json.loads((run / "metrics.json").read_text())
    row = next(r for r in metrics["simulation"]["table"] if r["policy"] == "random")

    def lead(**changes: Any) -> str:
        row.update(changes)
        (tmp_path / "metrics.json").write_text(json.dumps(metrics))
        page = write_simulation_report(tmp_path).read_text()
        return re.findall(r'<p class="lead">(.*?)</p>', page)[0]

    said = lead(less_silence=0.2, less_silence_lower=0.1, less_silence_upper=0.3)
    assert "is worth more than silence (+0.20000 [+0.10000, +0.30000]" in said
    assert metrics["simulation"]["best_static"] in said
    said = lead(less_silence=-0.2, less_silence_lower=-0.3, less_silence_upper=-0.1)
    assert "is worth less than silence" in said
    said = lead(less_silence_lower=-0.3, less_silence_upper=0.1)
    assert "is not told apart from silence" in said
    assert "differs, on one seed, from" in lead(less_silence_lower=None, less_silence_upper=None)


def test_the_same_metrics_make_the_same_page(run: Path) -> None:
    """Byte by byte."""
    before = (run / "report.html").read_bytes()
    assert write_simulation_report(run).read_bytes() == before


def test_a_folder_without_a_finished_simulation_is_refused(run: Path, tmp_path: Path) -> None:
    """And is no simulation to the command that writes pages."""
    assert is_simulation(run)
    assert not is_simulation(tmp_path)
    with pytest.raises(BadInputError, match="finished simulation"):
        write_simulation_report(tmp_path)
    (tmp_path / "metrics.json").write_text('{"simulation": {}}')
    with pytest.raises(BadInputError, match="finished simulation"):
        write_simulation_report(tmp_path)
