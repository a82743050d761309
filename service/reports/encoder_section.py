"""The encoder's skill as a section: next category, activity by window, calibration, training.

The encoder step's tables enter; HTML leaves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from service.reports.markup import Column, figure, note, paragraph, section, table
from service.reports.plots import BLUE, GREY, ORANGE, drawn

__all__ = ["encoder_section"]

Row = Mapping[str, Any]

_COLUMNS: tuple[Column, ...] = (
    ("row", "foretold by", "s"),
    ("metric", "metric", "s"),
    ("value", "value", ".4f"),
    ("low high", "95 %", "[.4f]"),
    ("difference", "less tabular", "+.4f"),
    ("difference_low difference_high", "95 %", "[+.4f]"),
)


def encoder_section(encoder: Mapping[str, Any]) -> str:
    """Everything about the encoder."""
    parts = [
        paragraph(
            f"Trained on the first days only ({encoder['train_seconds']:.0f} s); measured on the "
            f"online days: {encoder['n_baskets']:,} baskets for the next category out of "
            f"{encoder['n_categories']}, {encoder['n_windows']:,} windows for activity. Only what "
            "lies before each question is read."
        ),
        "<h3>Next category</h3>",
        table(_by_metric(encoder["next_item"]), _COLUMNS, strong=["two-stream encoder"]),
        "<h3>Active in a window</h3>",
        table(_by_metric(encoder["active_in_slot"]), _COLUMNS, strong=["two-stream encoder"]),
        note(
            "HR@10: share of a basket's categories among the ten foretold first. Less tabular: "
            "paired difference to the tabular recency encoder, households resampled. Lower is "
            "better for log loss, Brier and ECE."
        ),
        figure(
            drawn("calibration", lambda axes: _panels(axes, encoder), size=(9.6, 4.0), panels=2),
            "Left: foretold chance against the share that was active, bins of equal size, both "
            "logarithmic. Right: validation loss by epoch.",
        ),
        note(f"Artefact: encoder/artefact, {encoder['encoder_id']}."),
    ]
    return section("encoder", "What the encoder knows", parts)


def _by_metric(rows: Sequence[Row]) -> list[Row]:
    metrics = list(dict.fromkeys(row["metric"] for row in rows))
    return [row for metric in metrics for row in rows if row["metric"] == metric]


def _panels(panels: Any, encoder: Mapping[str, Any]) -> None:
    _calibration(panels[0], encoder["calibration"])
    losses = [epoch["total"] for epoch in encoder["fit"].get("validation", [])]
    panels[1].plot(range(1, len(losses) + 1), losses, "o-", color=BLUE, markersize=4)
    best = encoder["fit"].get("best_epoch")
    if losses and isinstance(best, int) and 0 <= best < len(losses):
        panels[1].plot([best + 1], [losses[best]], "o", color=ORANGE, markersize=8)
    panels[1].set_title("Training")
    panels[1].set_xlabel("epoch")
    panels[1].set_ylabel("validation loss")


def _calibration(axes: Any, rows: Sequence[Row]) -> None:
    seen = [row for row in rows if row["active"] > 0 and row["predicted"] > 0]
    predicted, active = [row["predicted"] for row in seen], [row["active"] for row in seen]
    if seen:
        ends = [min(predicted + active), max(predicted + active)]
        axes.plot(ends, ends, color=GREY, linewidth=1)
        axes.loglog(predicted, active, "o", color=BLUE, markersize=5)
    axes.set_title("Foretold, and what happened")
    axes.set_xlabel("foretold chance of activity")
    axes.set_ylabel("share that was active")
