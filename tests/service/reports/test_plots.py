from __future__ import annotations

import re
from typing import Any

from service.reports.plots import BLUE, drawn, intervals


def dots(axes: Any) -> None:
    intervals(axes, ["one", "two"], [1.0, 2.0], [0.5, 1.0], [1.5, 3.0], colours=[BLUE, BLUE])


def test_the_same_drawing_is_the_same_bytes_and_carries_no_date() -> None:
    """A page can be compared with another one, byte by byte."""
    first = drawn("dots", dots)
    assert first == drawn("dots", dots)
    assert first.startswith("<svg")
    assert "<dc:date>" not in first


def test_two_drawings_of_a_page_share_no_identifier() -> None:
    """Else the second would be clipped by the first one's shapes."""
    one, two = (
        set(re.findall(r'(?:href="#|url\(#)([^")]+)', drawn(name, dots))) for name in ("one", "two")
    )
    assert one
    assert not one & two


def test_labels_stay_text() -> None:
    """Letters, not outlines: they can be searched for and read aloud."""
    svg = drawn("dots", dots)
    assert ">one<" in svg
    assert ">two<" in svg


def test_the_library_is_left_as_it_was() -> None:
    """No global state of the plotting library is changed."""
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    drawn("panels", lambda axes: axes[1].plot([0, 1]), panels=2)
    assert dict(mpl.rcParams) == before
