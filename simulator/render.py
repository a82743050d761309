"""A user's week as a picture: receptivity, fatigue, pushes and what came of them.

Steps enter, noted as they pass; an RGB array leaves. Only the last week of the present life is
kept. matplotlib is loaded when a picture is asked for, and drawn with its own canvas, so that no
global figure or backend is touched.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit.errors import StateError
from bandit.outcomes import Kind
from simulator.calendar import HOURS_A_WEEK
from simulator.happened import Happened
from simulator.kernel import Population

__all__ = ["Diary"]

Float = NDArray[np.float64]
Whole = NDArray[np.int64]

_SIZE_IN = (10.0, 5.0)
_DPI = 80
_LANES = (
    (Kind.DISMISSED, "dismissed", "tab:gray", "x"),
    (Kind.CLICKED, "clicked", "tab:blue", "o"),
    (Kind.SESSION, "session", "tab:green", "|"),
    (Kind.CONVERTED, "order", "tab:orange", "*"),
    (Kind.UNSUBSCRIBED, "opted out", "tab:red", "X"),
    (Kind.UNINSTALLED, "uninstalled", "black", "X"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    """A step of all rows, as it began, and what it decided."""

    hour: Whole  # (N,)
    offsets_h: Whole  # (S,)
    step_h: int
    receptivity: Float  # (N, S)
    fatigue: Float  # (N,)
    sent_h: Float  # (N,) NaN where nothing was sent
    told: list[Happened]


class Diary:
    """The last week of each of N rows.

    Parameters
    ----------
    n_rows : int
        Number of rows N.
    """

    def __init__(self, n_rows: int) -> None:
        self._pages: deque[_Page] = deque()
        self._n_noted = 0
        self._first = np.zeros(n_rows, np.int64)  # page at which each row's life began

    def copy(self) -> Diary:
        """Return a copy that is written on apart."""
        other = Diary(len(self._first))
        # Pages are never written over, but the last one's list of outcomes may grow.
        other._pages = deque(replace(page, told=list(page.told)) for page in self._pages)
        other._n_noted, other._first = self._n_noted, self._first.copy()
        return other

    def turn_page(self, rows: Whole) -> None:
        """Begin anew in ``rows``: a life has begun."""
        self._first[rows] = self._n_noted

    def note(self, population: Population, position: Whole, slot: Whole) -> None:
        """Write down a step that is about to pass."""
        hour, offsets_h = population.state.hour.copy(), population.offsets_h
        sent_h = np.where(position >= 0, hour + offsets_h[np.maximum(slot, 0)], np.nan)
        self._pages.append(
            _Page(
                hour=hour,
                offsets_h=offsets_h,
                step_h=population.hours,
                receptivity=population.slot_log_odds(),
                fatigue=population.state.fatigue.copy(),
                sent_h=sent_h,
                told=[],
            )
        )
        self._n_noted += 1
        while len(self._pages) * population.hours > HOURS_A_WEEK:
            self._pages.popleft()

    def note_outcomes(self, told: Happened) -> None:
        """Add what that step decided."""
        self._pages[-1].told.append(told)

    def picture(self, row: int) -> NDArray[np.uint8]:
        """Draw a row's week, (400, 800, 3).

        Raises
        ------
        StateError
            Where matplotlib is not installed.
        """
        try:
            from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
            from matplotlib.figure import Figure  # noqa: PLC0415
        except ImportError as error:
            raise StateError(
                "expected matplotlib for render_mode='rgb_array', got none: pip install matplotlib"
            ) from error
        figure = Figure(figsize=_SIZE_IN, dpi=_DPI, layout="constrained")
        canvas = FigureCanvasAgg(figure)
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
        pages = self._pages_of(row)
        _draw_curves(above, pages, row)
        _draw_outcomes(below, pages, row)
        canvas.draw()  # type: ignore[no-untyped-call]
        return np.asarray(canvas.buffer_rgba())[:, :, :3].copy()  # type: ignore[no-untyped-call]

    def _pages_of(self, row: int) -> list[_Page]:
        n_lived = int(self._n_noted - self._first[row])
        pages = list(self._pages)
        return pages[len(pages) - min(n_lived, len(pages)) :]


def _draw_curves(axes: Any, pages: list[_Page], row: int) -> None:
    """Receptivity as a filled curve, fatigue as steps, pushes as lines."""
    if pages:
        start, end = pages[0].hour[row], pages[-1].hour[row] + pages[-1].step_h
        at_h = np.concatenate([page.hour[row] + page.offsets_h for page in pages])
        gain = np.exp(np.concatenate([page.receptivity[row] for page in pages]))
        # The last value once more, so that the last step has its width.
        axes.fill_between(
            np.append(at_h, end),
            np.append(gain, gain[-1]),
            step="post",
            color="tab:green",
            alpha=0.25,
            lw=0,
        )
        beside = axes.twinx()
        fatigue = [page.fatigue[row] for page in pages]
        hours = [page.hour[row] for page in pages]
        beside.step([*hours, end], [*fatigue, fatigue[-1]], where="post", color="tab:red")
        beside.set_ylabel("fatigue", color="tab:red")
        beside.set_ylim(bottom=0.0)
        for page in pages:
            if np.isfinite(page.sent_h[row]):
                axes.axvline(page.sent_h[row], color="tab:blue", lw=1.5)
        axes.set_xlim(start, max(end, start + HOURS_A_WEEK))
    axes.set_ylim(bottom=0.0)
    axes.set_ylabel("receptivity (odds)", color="tab:green")
    axes.set_title(f"row {row}: blue lines are pushes")


def _draw_outcomes(axes: Any, pages: list[_Page], row: int) -> None:
    """Each kind of outcome in a lane of its own."""
    for lane, (kind, _, colour, marker) in enumerate(_LANES):
        at_h = [
            told.at_min[(told.row == row) & (told.kind == kind)] / 60.0
            for page in pages
            for told in page.told
        ]
        if at_h:
            when = np.concatenate(at_h)
            axes.scatter(when, np.full(len(when), lane), color=colour, marker=marker, s=60)
    axes.set_yticks(range(len(_LANES)), [name for _, name, _, _ in _LANES])
    axes.set_ylim(-0.5, len(_LANES) - 0.5)
    low, high = axes.get_xlim()
    days = np.arange(24 * np.floor(low / 24.0), high + 1, 24)
    axes.set_xticks(days, [f"day {int(day) // 24}" for day in days])
    axes.grid(visible=True, axis="x", alpha=0.3)
    axes.set_xlim(low, high)
