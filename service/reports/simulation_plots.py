"""Drawings of a simulation: worth, days, hours, and what clicks are credited with.

The tables of a simulation enter; inline SVG leaves. Asked policies have colours of their own, the
best static push is green, silence grey.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from service.reports.plots import BLUE, GREEN, GREY, INK, ORANGE, PINK, PURPLE, drawn, intervals

__all__ = ["asked", "draw_days", "draw_gains", "draw_hours", "draw_orders"]

Tables = Mapping[str, Any]
Rows = Sequence[Mapping[str, Any]]

_COLOURS = (BLUE, ORANGE, PURPLE, PINK)
_WEEK_DAYS = 7
_DAILY = {"reward": "less silence", "sends": "sends a user-week", "reachable": "share of users"}


def asked(tables: Tables) -> list[str]:
    """Names of the policies that were asked for, references left out."""
    statics = [p["name"] for p in tables["policies"] if p["policy"] == "static_push"]
    names = [p["name"] for p in tables["policies"]]
    return [name for name in names if name not in (tables["silence"], *statics)]


def draw_gains(rows: Rows, tables: Tables) -> str:
    """Reward less that of silence of every policy, with intervals."""
    return drawn("less-silence", lambda axes: _gains(axes, rows, tables), size=(9.6, 3.6))


def draw_days(tables: Tables, what: str) -> str:
    """One of the curves by day: ``reward``, ``sends`` or ``reachable``."""
    return drawn(f"{what}-days", lambda axes: _days(axes, tables, what), size=(9.6, 3.8))


def draw_hours(tables: Tables) -> str:
    """Share of sends by local hour."""
    return drawn("hours", lambda axes: _hours(axes, tables), size=(9.6, 3.8))


def draw_orders(rows: Rows) -> str:
    """Orders brought beside orders attributed."""
    return drawn("orders", lambda axes: _attribution(axes, rows), size=(9.6, 3.6))


def _shown(tables: Tables) -> list[tuple[str, str]]:
    """Names and colours of the policies that are drawn: the asked ones and the references."""
    own = list(zip(asked(tables), _COLOURS * 9, strict=False))
    return [*own, (tables["best_static"], GREEN), (tables["silence"], GREY)]


def _gains(axes: Any, rows: Sequence[Mapping[str, Any]], tables: Tables) -> None:
    colour = dict(_shown(tables))
    intervals(
        axes,
        [row["policy"] for row in rows],
        [row["less_silence"] for row in rows],
        [row["less_silence_lower"] for row in rows],
        [row["less_silence_upper"] for row in rows],
        colours=[colour.get(row["policy"], GREEN) for row in rows],
    )
    axes.set_xlabel("reward a user-week, less silence")


def _days(axes: Any, tables: Tables, what: str) -> None:
    quiet = np.asarray(tables["curves"][tables["silence"]]["reward"])
    for name, colour in _shown(tables):
        values = np.asarray(tables["curves"][name][what])
        if what == "reward":
            values = values - quiet
        if what != "reachable":
            values = _mean_of_last(values, _WEEK_DAYS)
        axes.plot(np.arange(1, len(values) + 1), values, color=colour, linewidth=1.8, label=name)
    if what == "reward":
        axes.axhline(0.0, color=INK, linewidth=0.8)
    axes.set_ylabel(_DAILY[what])
    axes.set_xlabel("day")
    _legend(axes)


def _mean_of_last(values: Any, n: int) -> Any:
    """Mean of up to ``n`` days up to each day."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    end = np.arange(1, len(values) + 1)
    start = np.maximum(end - n, 0)
    return (total[end] - total[start]) / (end - start)


def _hours(axes: Any, tables: Tables) -> None:
    hours = np.arange(24)
    for name, colour in _shown(tables):
        sent = np.asarray(tables["sent_at"][name], float)
        if sent.sum() and name != tables["silence"]:
            axes.step(
                hours, sent / sent.sum(), where="mid", color=colour, linewidth=1.8, label=name
            )
    axes.set_xticks(np.arange(0, 24, 3), [f"{hour:02d}:00" for hour in range(0, 24, 3)])
    axes.set_ylabel("share of sends")
    _legend(axes)


def _attribution(axes: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    places = np.arange(len(rows))[::-1]
    for place, row in zip(places, rows, strict=True):
        low, high = row["orders_brought_lower"], row["orders_brought_upper"]
        if low is not None:
            axes.plot([low, high], [place, place], color=BLUE, linewidth=2.4, alpha=0.55)
    brought = [row["orders_brought"] for row in rows]
    credited = [row["orders_attributed"] for row in rows]
    axes.plot(brought, places, "o", color=BLUE, label="brought")
    axes.plot(credited, places, "D", color=ORANGE, label="attributed")
    axes.axvline(0.0, color=INK, linewidth=0.8)
    axes.set_yticks(places, [row["policy"] for row in rows])
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_xlabel("orders a user-week")
    _legend(axes)


def _legend(axes: Any) -> None:
    """Names above the drawing, where no line runs."""
    axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=5, fontsize=9)
