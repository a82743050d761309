"""The look all drawings share, and how a drawing becomes a string.

A function that draws on axes enters; inline SVG leaves, the same bytes for the same data:
identifiers are salted with the drawing's name and no date is written. Library: matplotlib,
without its global state. Colours: Okabe and Ito (2008), told apart by colour-blind readers.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["BLUE", "GREEN", "GREY", "INK", "ORANGE", "PINK", "PURPLE", "drawn", "intervals"]

BLUE, ORANGE, GREEN, PINK, PURPLE = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56488f"
GREY, INK, LINE = "#9aa4b1", "#1c2430", "#d9dee5"

_LOOK: dict[str, Any] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 11,
    "axes.edgecolor": LINE,
    "axes.labelcolor": "#5b6675",
    "axes.titlesize": 13,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#eceff3",
    "xtick.color": "#5b6675",
    "ytick.color": "#5b6675",
    "legend.frameon": False,
}


def drawn(
    name: str,
    draw: Callable[[Any], None],
    *,
    size: tuple[float, float] = (9.6, 4.2),
    panels: int = 1,
) -> str:
    """Draw and return inline SVG.

    Parameters
    ----------
    name : str
        Salts the identifiers inside, so that two drawings of a page never share one.
    draw : callable
        Takes the axes; a list of them where there are several panels.
    size : (float, float)
        Inches.
    panels : int
        Axes side by side.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    look: Any = _LOOK | {"svg.hashsalt": name}
    with mpl.rc_context(look):
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.subplots(1, panels)
        draw(axes)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    svg = buffer.getvalue()
    return svg[svg.index("<svg") :]


def intervals(
    axes: Any,
    labels: Sequence[str],
    values: Sequence[float],
    lower: Sequence[float],
    upper: Sequence[float],
    *,
    colours: Sequence[str],
) -> None:
    """Dots with their intervals, one a line, the first on top, and a line at zero."""
    places = list(range(len(labels)))[::-1]
    for place, value, low, high, colour in zip(places, values, lower, upper, colours, strict=True):
        axes.plot([low, high], [place, place], color=colour, linewidth=2.4, alpha=0.55)
        axes.plot([value], [place], "o", color=colour, markersize=6)
    axes.axvline(0.0, color=INK, linewidth=0.8)
    axes.set_yticks(places, labels)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
