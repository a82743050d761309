from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bandit.errors import BadInputError
from service.jobs.online_tables import AGAINST_ANY, AGAINST_COUNTS
from service.reports.campaigns_section import campaigns_section
from service.reports.page import write_report

CHARACTERS = 137
"""That fit into 1,152 pixels of the page's table font, figures being wider than letters."""


def width_of(table: Any) -> float:
    """Characters that a table cannot be narrower than: cells whole, headings word by word."""
    total = 0.0
    for number, (head, may_break) in enumerate(zip(table.heads, table.may_break, strict=True)):
        cells = [row[number] for row in table.rows]
        whole = 26 if may_break else max((len(cell) for cell in cells), default=0)
        total += max(whole, *(len(word) for word in head.split())) + 1.5
    return total


def test_no_table_is_cut_at_the_width_of_a_laptop(
    finished_run: Path, campaigns: dict[str, Any], tables_of: Callable[[str], list[Any]]
) -> None:
    """A verdict that has to be scrolled for is a verdict that is not read."""
    page = (finished_run / "report.html").read_text()
    found = tables_of(page) + tables_of(campaigns_section(campaigns))
    assert len(found) > 10
    assert not [table.heads for table in found if width_of(table) > CHARACTERS]


def test_metrics_of_another_version_are_refused_by_name(
    metrics: dict[str, Any], tmp_path: Path
) -> None:
    """Which part was looked for and where; the old page stays."""
    (tmp_path / "report.html").write_text("old")
    changed = metrics | {"online": {k: v for k, v in metrics["online"].items() if k != "curves"}}
    (tmp_path / "metrics.json").write_text(json.dumps(changed))
    with pytest.raises(BadInputError, match=r"expected 'curves' in .*metrics\.json"):
        write_report(tmp_path)
    assert (tmp_path / "report.html").read_text() == "old"


def test_the_page_opens_with_both_comparisons(metrics: dict[str, Any], tmp_path: Path) -> None:
    """The best count baseline, and the best of any kind where that is another one."""
    gain = {"value": 0.002, "value_lower": 0.001, "value_upper": 0.003, "one": "lints warm"}
    counts = gain | {"what": AGAINST_COUNTS, "other": "counts static"}
    wider = gain | {"what": AGAINST_ANY, "other": "best hour + ranker", "value_lower": -0.001}
    for rival, said in ((wider, True), (wider | {"other": "counts static"}, False)):
        gains = [counts, rival, *metrics["online"]["gains"][2:]]
        changed = metrics | {"online": metrics["online"] | {"gains": [_whole(g) for g in gains]}}
        (tmp_path / "metrics.json").write_text(json.dumps(changed))
        page = write_report(tmp_path).read_text()
        assert "beats the best count baseline, counts static, by +0.00200 [+0.00100" in page
        assert ("It is not shown to beat the best baseline of any kind" in page) is said


def _whole(gain: dict[str, Any]) -> dict[str, Any]:
    expected = {name.replace("value", "expected"): gain[name] for name in gain if "value" in name}
    return {"excludes_zero": True} | expected | gain
