"""Drawings of a calibration: the log beside its simulation, by hour, frequency, delay.

Rows of a fidelity table enter; inline SVG leaves. The log is blue, the simulation orange; bands
and bars are 95 % intervals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.reports.plots import BLUE, ORANGE, drawn

__all__ = ["draw_bins", "draw_delays", "draw_week"]

Row = Mapping[str, Any]
Rows = Sequence[Row]

_SIDES = (("observed", "log", BLUE, -0.12), ("simulated", "simulation", ORANGE, 0.12))
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def draw_week(rows: Rows, unit: str) -> str:
    """A line over the hours of the week, one value a window, with bands."""
    name = f"week-{rows[0]['group']}".replace(" ", "-")
    return drawn(name, lambda axes: _week(axes, rows, unit), size=(9.6, 3.6))


def draw_bins(groups: Mapping[str, Rows], unit: str) -> str:
    """Dots with intervals by bins, a panel a group of lines; pale where there are too few events.

    Parameters
    ----------
    groups : mapping
        What the bins are of, and their rows.
    unit : str
        Of the values.
    """

    def draw(axes: Any) -> None:
        for panel, (what, rows) in zip(np.atleast_1d(axes), groups.items(), strict=True):
            _bins(panel, rows)
            panel.set_xlabel(what)
        np.atleast_1d(axes)[0].set_ylabel(unit)
        _legend(np.atleast_1d(axes)[0])

    name = "bins-" + unit.replace(" ", "-")
    return drawn(name, draw, size=(9.6, 3.8), panels=len(groups))


def draw_delays(groups: Mapping[str, Rows]) -> str:
    """Shares that have come within a time, a panel a kind of delay; time in minutes, logarithmic.

    Parameters
    ----------
    groups : mapping
        Which delay, and its rows: quantiles such as ``50% within``.
    """

    def draw(axes: Any) -> None:
        for panel, (what, rows) in zip(np.atleast_1d(axes), groups.items(), strict=True):
            _delays(panel, rows)
            panel.set_xlabel(f"{what}, minutes")
        np.atleast_1d(axes)[0].set_ylabel("share that has come")
        _legend(np.atleast_1d(axes)[0])

    return drawn("delays", draw, size=(9.6, 3.8), panels=len(groups))


def _week(axes: Any, rows: Rows, unit: str) -> None:
    place = np.arange(len(rows))
    for side, label, colour, _ in _SIDES:
        axes.fill_between(
            place,
            _column(rows, f"{side}_low"),
            _column(rows, f"{side}_high"),
            color=colour,
            alpha=0.18,
            linewidth=0,
        )
        axes.plot(place, _column(rows, side), color=colour, linewidth=1.6, label=label)
    a_day = len(rows) // len(_DAYS)
    axes.set_xticks(np.arange(len(_DAYS)) * a_day, _DAYS)
    axes.set_ylim(bottom=0.0)
    axes.set_ylabel(unit)
    _legend(axes)


def _bins(axes: Any, rows: Rows) -> None:
    place = np.arange(len(rows))
    is_judged = np.array([row["verdict"] != "too few" for row in rows])
    for side, label, colour, shift in _SIDES:
        value = _column(rows, side)
        low, high = _column(rows, f"{side}_low"), _column(rows, f"{side}_high")
        for some, alpha in ((is_judged, 1.0), (~is_judged, 0.3)):
            axes.errorbar(
                place[some] + shift,
                value[some],
                yerr=np.stack([value - low, high - value])[:, some],
                fmt="o",
                color=colour,
                alpha=alpha,
                markersize=5,
                elinewidth=1.6,
                label=label if alpha == 1.0 else None,
            )
    axes.set_xticks(place, [row["name"] for row in rows], rotation=30, ha="right")
    axes.set_xlim(-0.5, len(rows) - 0.5)
    axes.set_ylim(0.0, _top([row for row in rows if row["verdict"] != "too few"]))


def _top(judged: Rows) -> float | None:
    """Where the axis ends: vague bins may run over it, unless all are."""
    highs = np.concatenate([_column(judged, f"{side}_high") for side, *_ in _SIDES])
    return 1.6 * float(highs.max()) if len(highs) and highs.max() > 0 else None


def _delays(axes: Any, rows: Rows) -> None:
    share = np.array([float(row["name"].partition("%")[0]) / 100.0 for row in rows])
    for side, label, colour, _ in _SIDES:
        value = _column(rows, side)
        low, high = _column(rows, f"{side}_low"), _column(rows, f"{side}_high")
        axes.hlines(share, low, high, color=colour, linewidth=2.4, alpha=0.5)
        axes.plot(value, share, "o-", color=colour, markersize=5, linewidth=1.4, label=label)
    axes.set_xscale("log")
    axes.set_ylim(0.0, 1.0)


def _column(rows: Rows, key: str) -> NDArray[np.float64]:
    """Numbers of a column; NaN, which is not drawn, where there is none."""
    return np.array([np.nan if row[key] is None else row[key] for row in rows], np.float64)


def _legend(axes: Any) -> None:
    """Names above the drawing, where no line runs."""
    axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2, fontsize=9)
