from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from service.reports.calibration_page import write_calibration_page
from tests.service.reports.conftest import Table

GROUPS = {
    "without a push": ("sessions a day",),
    "sessions by hour of week": tuple(f"Mon {hour:02d}" for hour in range(56)),
    "clicks by hour of week": tuple(f"Mon {hour:02d}" for hour in range(56)),
    "clicks by pushes in the 7 days before": ("0", "1", "7 or more"),
    "clicks by hours since the last push": ("0 to 24", "never before"),
    "clicks by days since the same item": ("never before",),
    "click delay": ("10% within", "90% within"),
    "order delay": ("50% within",),
    "opt-outs by pushes in the 7 days before": ("all", "0"),
}


def line(group: str, name: str, **changes: Any) -> dict[str, Any]:
    """One that agrees."""
    made = {"group": group, "name": name, "unit": "clicks a delivered push", "n": 50.0, "z": 0.4}
    made |= {"observed": 0.125, "observed_low": 0.1, "observed_high": 0.15}
    made |= {"simulated": 0.13, "simulated_low": 0.12, "simulated_high": 0.14}
    return made | {"verdict": "agrees"} | changes


def tables(**changes: Any) -> dict[str, Any]:
    """A line that differs, one that was never seen, one parameter fitted and one kept."""
    lines = [line(group, name) for group, names in GROUPS.items() for name in names]
    lines[0] |= {"simulated": 0.25, "verdict": "differs", "z": 4.0}
    nothing = ("observed", "observed_low", "observed_high", "simulated", "simulated_low")
    unseen = line("orders", "sd of the value", verdict="too few", n=0.0, simulated_high=None)
    lines.append(unseen | dict.fromkeys(nothing))
    versions = {"numpy": "2"}
    made = {
        "log": "shop <1>",
        "preset": "ecommerce",
        "seed": 3,
        "warmup_days": 7,
        "sizes": "12 users, 300 decisions",
        "turns": 2,
        "is_converged": False,
        "notes": ["Users were sent to with <very> different frequency"],
        "groups": [
            {"group": "clicks", "lines": 3, "agree": 1, "differ": 1, "too_few": 1, "worst": "all"}
        ],
        "lines": lines,
        "parameters": [
            {"name": "click.rate", "preset": 0.02, "value": 0.03, "low": 0.025, "high": 0.035}
            | {"is_fitted": True, "why": ""},
            {"name": "opt_out.hazard", "preset": 3e-4, "value": 3e-4, "low": None, "high": None}
            | {"is_fitted": False, "why": "rests on 3 events"},
        ],
        "run": {"machine": "one", "threads": "1", "python": "3", "versions": versions}
        | {"commit": "abc", "code": "def", "finished": "today"},
    }
    return made | changes


@pytest.fixture
def page(tmp_path: Path) -> str:
    return write_calibration_page(tmp_path / "shop.html", tables()).read_text()


def test_the_page_stands_alone_and_draws_hours_frequency_and_delays(page: str) -> None:
    """Five drawings, no address of another machine, nothing that would be run."""
    assert page.count("<svg") == 5
    assert not re.findall(r'(?:src|href)="(?!#)', page)
    assert "shop &lt;1&gt;" in page
    assert "<very>" not in page
    for heading in ("Simulated against observed", "By hour of the week", "What was fitted"):
        assert heading in page


def test_the_lead_counts_the_lines_that_were_judged(page: str) -> None:
    """One of 124 differs; a twentieth would by chance; that it has not converged is said."""
    judged = len(tables()["lines"]) - 1
    (lead,) = re.findall(r'<p class="lead">(.*?)</p>', page)
    assert f"Of {judged} moments" in lead
    assert f"in {judged - 1} and differs in 1<" in lead
    assert f"; {judged / 20:.0f} would differ by chance" in lead
    assert "2 turns, not converged" in page


def test_simulated_stands_beside_observed_with_both_intervals(
    page: str, tables_of: Callable[[str], list[Table]]
) -> None:
    """Hours of the week are drawn, not listed; a number that is not there has no line."""
    groups, lines, fitted, kept = tables_of(page)
    assert groups.column("differ") == ["1"]
    assert lines.rows[0] == [
        "without a push: sessions a day",
        "clicks a delivered push",
        "0.125",
        "[0.1, 0.15]",
        "0.25",
        "[0.12, 0.14]",
        "differs",
    ]
    assert len(lines.rows) == sum(len(n) for g, n in GROUPS.items() if "of week" not in g)
    assert '<tr class="strong"><td>without a push: sessions a day' in page
    assert fitted.rows == [["click.rate", "0.02", "0.03", "[0.025, 0.035]"]]
    assert kept.rows == [["opt_out.hazard", "0.0003", "rests on 3 events"]]


def test_a_log_that_tells_of_everything_has_nothing_that_was_kept(
    tmp_path: Path, tables_of: Callable[[str], list[Table]]
) -> None:
    """And no paragraph about it."""
    fitted = tables()["parameters"][:1]
    page = write_calibration_page(tmp_path / "a.html", tables(parameters=fitted)).read_text()
    assert len(tables_of(page)) == 3
    assert "Not identified" not in page


def test_the_same_tables_make_the_same_page(page: str, tmp_path: Path) -> None:
    """Byte by byte, over the one before."""
    path = tmp_path / "shop.html"
    assert write_calibration_page(path, tables()).read_text() == page
    assert [p.name for p in tmp_path.iterdir()] == ["shop.html"]


def test_a_page_that_could_not_be_written_whole_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is a part of it."""

    def dies(*args: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(Path, "replace", dies)
    with pytest.raises(OSError, match="full"):
        write_calibration_page(tmp_path / "shop.html", tables())
    assert not list(tmp_path.iterdir())
