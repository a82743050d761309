"""The evaluation against truth as a section: estimates, coverage, widths, bias, verdicts.

The truth step's cells enter; HTML leaves.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from service.reports.markup import Column, figure, note, paragraph, section, table
from service.reports.plots import BLUE, GREEN, GREY, INK, ORANGE, PINK, drawn

__all__ = ["coverage_answer", "truth_section"]

Row = Mapping[str, Any]

_JOINT: tuple[Column, ...] = (
    ("logger", "log of", "s"),
    ("policy", "value of", "s"),
    ("estimator", "estimator", "s"),
    ("truth", "truth", "+.5f"),
    ("bias", "bias", "+.5f"),
    ("sd", "spread", ".5f"),
    ("width_clustered", "width", ".5f"),
    ("covered", "covered", ".1%"),
    ("joint_ess", "ESS", ",.0f"),
    ("joint_effective_hits", "hits", ",.0f"),
    ("verdict", "verdict", "s"),
)
_MARGINAL: tuple[Column, ...] = (
    ("logger", "log of", "s"),
    ("policy", "value of", "s"),
    ("truth", "truth", "+.5f"),
    ("joint", "joint: bias", "+.5f"),
    ("joint_width", "width", ".5f"),
    ("item", "item: bias", "+.5f"),
    ("item_width", "width", ".5f"),
    ("slot", "slot: bias", "+.5f"),
    ("slot_width", "width", ".5f"),
    ("send", "send: bias", "+.5f"),
    ("send_width", "width", ".5f"),
)
_ESTIMATORS = ("ips", "snips", "dr")
_COLOURS = dict(zip(_ESTIMATORS, (GREEN, ORANGE, BLUE), strict=True))


def coverage_answer(truth: Mapping[str, Any]) -> str:
    """Whether intervals cover where they claim to, in one sentence."""
    cells = [c for c in truth["cells"] if c["is_enough"] and c["is_consistent"]]
    off = [c for c in cells if not c["coverage_clustered"]["is_plausible"]]
    wrong = [
        c
        for c in truth["cells"]
        if c["weighting"] == "joint" and not c["is_enough"] and c["verdict"] == "usable"
    ]
    broad = {c["policy"] for c in truth["cells"] if c["logger"] == "broad"}
    enough = {c["policy"] for c in cells if c["logger"] == "broad"}
    return (
        f"Of {len(cells)} cells with enough overlap, {len(cells) - len(off)} cover within the "
        f"binomial interval of 95 %. {len(enough)} of the {len(broad)} policies have that overlap "
        f"under the broad logger. Cells without it that are called usable: {len(wrong)}."
    )


def truth_section(truth: Mapping[str, Any]) -> str:
    """Everything about the evaluation."""
    cells: Sequence[Row] = truth["cells"]
    joint = [_shown(c) for c in cells if c["weighting"] == "joint"]
    verdicts = Counter((c["logger"], c["verdict"]) for c in joint)
    counted = "; ".join(f"{log}, {word}: {n}" for (log, word), n in sorted(verdicts.items()))
    parts = [
        paragraph(
            f"Each policy, frozen after {truth['frozen_after_days']} days, is valued on the "
            f"remaining {truth['days']} from another policy's log alone, {truth['n_redraws']} "
            f"times over ({truth['rows_a_log']:,} decisions a log). What it is truly worth is "
            "known, because every action's hit is. Random: every action alike. Broad: item and "
            "window each half from the household's own frequencies, half uniform."
        ),
        f'<p class="verdict">{coverage_answer(truth)}</p>',
        figure(
            drawn("scatter", lambda axes: _scatter(axes, cells), size=(9.6, 4.4), panels=2),
            "Mean estimate against truth, with one standard deviation over redraws. On the line "
            "is right; item weights alone miss because a hit needs the window too.",
        ),
        figure(
            drawn("coverage", lambda axes: _coverage(axes, cells), size=(9.6, 4.4), panels=2),
            "Share of the intervals that held the truth (clustered by household); the band is "
            "where 95 % would lie. Hollow: cells without enough overlap.",
        ),
        "<h3>Joint weights, cell by cell</h3>",
        table(joint, _JOINT),
        note(
            "Width: of the 95 % interval clustered by household. Enough: 1,000 effective rows and "
            f"30 effective hits. Verdicts: {counted}."
        ),
        "<h3>What marginalising saves and costs</h3>",
        table(_side_by_side(cells), _MARGINAL),
        note(
            "Doubly robust with joint weights, and with the weights of the item, the window or the "
            "send alone: narrower, and biased wherever the reward needs what was left out."
        ),
    ]
    return section("truth", "Evaluation against the truth", parts)


def _shown(cell: Row) -> dict[str, Any]:
    return dict(cell) | {"covered": cell["coverage_clustered"]["share"]}


def _side_by_side(cells: Sequence[Row]) -> list[dict[str, Any]]:
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for cell in cells:
        if cell["estimator"] != "dr":
            continue
        key = (cell["logger"], cell["policy"])
        row = rows.setdefault(key, {name: cell[name] for name in ("logger", "policy", "truth")})
        row[cell["weighting"]] = cell["bias"]
        row[f"{cell['weighting']}_width"] = cell["width_clustered"]
    return list(rows.values())


def _loggers(cells: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(cell["logger"] for cell in cells))


def _scatter(panels: Any, cells: Sequence[Row]) -> None:
    series = (
        ("dr", "joint", BLUE, "DR, joint weights"),
        ("ips", "joint", GREEN, "IPS, joint weights"),
        ("ips", "item", ORANGE, "IPS, item weights"),
        ("dm", "joint", PINK, "DM"),
    )
    for axes, logger in zip(panels, _loggers(cells), strict=True):
        mine = [cell for cell in cells if cell["logger"] == logger]
        ends = [min(c["truth"] for c in mine), max(c["truth"] for c in mine)]
        axes.plot(ends, ends, color=INK, linewidth=1)
        for estimator, weighting, colour, label in series:
            some = [c for c in mine if (c["estimator"], c["weighting"]) == (estimator, weighting)]
            axes.errorbar(
                [c["truth"] for c in some],
                [c["mean"] for c in some],
                yerr=[c["sd"] for c in some],
                fmt="o",
                color=colour,
                markersize=5,
                elinewidth=1,
                alpha=0.8,
                label=label,
            )
        axes.set_title(f"From the {logger} log")
        axes.set_xlabel("true value a decision")
        axes.set_ylabel("estimate, mean ± sd")
    panels[0].legend(loc="upper left", fontsize=9)


def _coverage(panels: Any, cells: Sequence[Row]) -> None:
    names = list(dict.fromkeys(cell["policy"] for cell in cells))
    for number, (axes, logger) in enumerate(zip(panels, _loggers(cells), strict=True)):
        mine = [c for c in cells if c["logger"] == logger and c["is_consistent"]]
        band = mine[0]["coverage_clustered"]
        axes.axvspan(band["plausible_from"], band["plausible_to"], color=GREY, alpha=0.2, lw=0)
        for shift, estimator in zip((0.2, 0.0, -0.2), _ESTIMATORS, strict=True):
            for cell in mine:
                if cell["estimator"] != estimator:
                    continue
                place = len(names) - 1 - names.index(cell["policy"]) + shift
                colour = _COLOURS[estimator]
                face = colour if cell["is_enough"] else "none"
                share = cell["coverage_clustered"]["share"]
                axes.plot([share], [place], "o", color=colour, mfc=face, markersize=6)
        axes.set_yticks(range(len(names) - 1, -1, -1), names if number == 0 else [""] * len(names))
        axes.set_xlim(min(0.85, min(c["coverage_clustered"]["share"] for c in mine) - 0.01), 1.0)
        axes.locator_params(axis="x", nbins=4)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        axes.set_title(f"From the {logger} log")
        axes.set_xlabel("intervals that held the truth")
    for estimator in _ESTIMATORS:
        panels[1].plot([], [], "o", color=_COLOURS[estimator], label=estimator.upper())
    panels[1].legend(loc="lower left", fontsize=9)
