from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from service.reports.markup import Column, figure, note, paragraph, section, table, text

COLUMNS: tuple[Column, ...] = (
    ("name", "who", "s"),
    ("why", "because", "words"),
    ("value", "how much", "+.2f"),
    ("low high", "95 %", "[.1f]"),
)
ROW = {"name": "tea & <b>", "why": "it is late", "value": -0.5, "low": -1, "high": 0.0}


@pytest.mark.parametrize("shown", [paragraph, note, text])
def test_what_comes_from_data_is_escaped(shown: Callable[[str], str]) -> None:
    """A tag stays words, a quote cannot end an attribute."""
    found = shown("<script>\"'&")
    assert "<script>" not in found
    assert "&lt;script&gt;&quot;&#x27;&amp;" in found


def test_cells_are_formatted_by_their_column(tables_of: Callable[[str], list[Any]]) -> None:
    """Words as they are, numbers by their format with a true minus, intervals in brackets."""
    (found,) = tables_of(table([ROW], COLUMNS))
    assert found.heads == ["who", "because", "how much", "95 %"]
    assert found.rows == [["tea & <b>", "it is late", "−0.50", "[−1.0, 0.0]"]]  # noqa: RUF001
    assert found.may_break == [False, True, False, False]


def test_what_is_not_known_is_a_dash_or_nothing(tables_of: Callable[[str], list[Any]]) -> None:
    """A number that is not there is not zero."""
    (found,) = tables_of(table([{"name": None, "low": 1.0}], COLUMNS))
    assert found.rows == [["", "", "–", "[1.0, –]"]]  # noqa: RUF001


def test_marked_rows_are_set_in_bold() -> None:
    """By the value of the first column."""
    rows = [ROW | {"name": name} for name in ("one", "two")]
    html = table(rows, COLUMNS, strong=["two"])
    assert html.count('<tr class="strong">') == 1
    assert '<tr class="strong"><td>two' in html


def test_numbers_stand_to_the_right_and_wide_tables_scroll() -> None:
    """What the style sheet is told."""
    html = table([ROW], COLUMNS)
    assert html.startswith('<div class="scroll">')
    assert html.count('class="number"') == 4
    assert html.count('class="words"') == 2


def test_sections_and_figures_say_what_they_are() -> None:
    """A heading to point at, a caption to read."""
    html = section("online", "When & what", [figure("<svg/>", "a < b")])
    assert '<section id="online">' in html
    assert "<h2>When &amp; what</h2>" in html
    assert "<figure><svg/><figcaption>a &lt; b</figcaption></figure>" in html
