"""The campaigns as a section: uplift beside its placebo, propensities, policies, verdict.

The campaigns step's tables enter; HTML leaves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from service.reports.markup import Column, figure, note, paragraph, section, table, text
from service.reports.plots import BLUE, GREY, INK, ORANGE, drawn

__all__ = ["campaigns_section"]

Row = Mapping[str, Any]

_UPLIFT: tuple[Column, ...] = (
    ("kind", "campaigns", "s"),
    ("population", "households", "s"),
    ("n_rows", "rows", ",d"),
    ("n_sent", "sent", ",d"),
    ("redeemed_share", "of these redeemed", ".1%"),
    ("naive", "naive, $", ".2f"),
    ("value", "uplift, $ a send", "+.2f"),
    ("lower upper", "95 %", "[+.2f]"),
    ("placebo_value", "placebo, $", "+.2f"),
    ("placebo_lower placebo_upper", "95 %", "[+.2f]"),
    ("ess", "ESS", ",.0f"),
    ("verdict", "verdict", "s"),
)
_PROPENSITY: tuple[Column, ...] = (
    ("kind", "campaigns", "s"),
    ("n_rows", "rows", ",d"),
    ("n_sent", "sent", ",d"),
    ("auc", "AUC", ".3f"),
    ("calibration_error", "calibration error", ".4f"),
    ("share_overlap", "in the overlap", ".1%"),
    ("share_clipped", "clipped", ".1%"),
    ("ess_send", "ESS, send", ",.0f"),
    ("mean_weight_send", "mean weight", ".2f"),
    ("max_weight_send", "largest", ".0f"),
)
_POLICIES: tuple[Column, ...] = (
    ("policy", "send to", "s"),
    ("share_sent", "sends", ".1%"),
    ("gain", "gain over never, $", "+.2f"),
    ("gain_lower gain_upper", "95 %", "[+.2f]"),
    ("placebo_gain", "placebo, $", "+.2f"),
    ("placebo_gain_lower placebo_gain_upper", "95 %", "[+.2f]"),
    ("verdict", "verdict", "s"),
    ("why", "why", "words"),
)
_VALUES: tuple[Column, ...] = (
    ("policy", "send to", "s"),
    ("estimator", "estimator", "s"),
    ("value", "value, $", ".2f"),
    ("clustered_lower clustered_upper", "95 %", "[.2f]"),
    ("verdict", "verdict", "s"),
    ("why", "why", "words"),
)
_CAMPAIGNS: tuple[Column, ...] = (
    ("campaign", "campaign", "s"),
    ("kind", "type", "s"),
    ("first_day", "first day", "d"),
    ("last_day", "last day", "d"),
    ("n_sent", "sent", ",d"),
    ("n_redeemed", "redeemed", ",d"),
    ("n_overlapping", "others at the time", "d"),
    ("left_out", "left out because", "words"),
)


def campaigns_section(campaigns: Mapping[str, Any]) -> str:
    """Everything about the campaigns."""
    values = [row for row in campaigns["policies"] if row["kind"] == "all"]
    policies = [row for row in values if row["estimator"] == "dr"]
    parts = [
        note(campaigns.get("source", "")),
        paragraph(
            "Which household to send which campaign to, or none. The reward is what the household "
            f"spends inside the campaign's dates, less ${campaigns['cost_usd']:.2f} a send "
            "(assumed). Who was sent what is in the data, with which probability is not: it is "
            "estimated, so nothing here is called usable. The placebo asks the same of the weeks "
            "before each campaign, where the answer must be zero."
        ),
        f'<p class="verdict"><strong>{text(campaigns["verdict"])}</strong>: '
        f"{text(campaigns['why'])}</p>",
        figure(
            drawn("uplift", lambda axes: _uplift(axes, campaigns["uplift"]), size=(9.6, 4.6)),
            "What a send adds to a household's spend, and what the same machinery finds before the "
            "campaign began.",
        ),
        table(campaigns["uplift"], _UPLIFT),
        note(
            "Naive: spend of those sent less spend of the others. Uplift: doubly robust, "
            "cross-fitted by household. Overlap: households whose estimated chance of being sent "
            "lies between .05 and .95."
        ),
        "<h3>Who was sent what</h3>",
        figure(
            drawn("propensity", lambda axes: _propensity(axes, campaigns["propensity"])),
            "Estimated chance of being sent against the share that was, bins of equal size.",
        ),
        table(campaigns["propensity"], _PROPENSITY),
        note("A high AUC is no comfort: sends that can be foretold leave little to compare."),
        "<h3>What sending to fewer would be worth, all campaigns</h3>",
        table(policies, _POLICIES),
        note(
            f"A household and campaign, net of ${campaigns['cost_usd']:.2f} a send; doubly robust, "
            "paired with never sending."
        ),
        paragraph("The same gains at other costs of a send:"),
        table(*_by_cost(campaigns["costs"])),
        paragraph("The value itself, by every estimator:"),
        table(values, _VALUES),
        "<h3>The campaigns</h3>",
        table(campaigns["campaigns"], _CAMPAIGNS),
        *(note(remark) for remark in campaigns["notes"]),
    ]
    return section("campaigns", "What the campaigns were worth", parts)


def _by_cost(rows: Sequence[Row]) -> tuple[list[Row], list[Column]]:
    """One row a policy, and two columns a cost: the gain over never sending, its interval."""
    costs = sorted({row["cost_usd"] for row in rows})
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        mine = found.setdefault(row["policy"], {"policy": row["policy"]})
        for name in ("gain", "gain_lower", "gain_upper"):
            mine[f"{name}_{row['cost_usd']}"] = row[name]
    columns: list[Column] = [("policy", "send to", "s")]
    for cost in costs:
        columns += [
            (f"gain_{cost}", f"at ${cost:.2f}", "+.2f"),
            (f"gain_lower_{cost} gain_upper_{cost}", "95 %", "[+.2f]"),
        ]
    return list(found.values()), columns


def _named(kind: str) -> str:
    return "All types" if kind == "all" else kind


def _uplift(axes: Any, rows: Sequence[Row]) -> None:
    for number, row in enumerate(rows):
        place = len(rows) - 1 - number
        for prefix, shift, colour in (("", 0.16, BLUE), ("placebo_", -0.16, ORANGE)):
            y = place + shift
            span = [row[f"{prefix}lower"], row[f"{prefix}upper"]]
            axes.plot(span, [y, y], color=colour, linewidth=2.4, alpha=0.6)
            label = ("placebo" if prefix else "uplift") if number == 0 else None
            axes.plot([row[f"{prefix}value"]], [y], "o", color=colour, markersize=6, label=label)
    axes.axvline(0.0, color=INK, linewidth=0.8)
    labels = [f"{_named(row['kind'])}, {row['population']}" for row in rows]
    axes.set_yticks(range(len(rows) - 1, -1, -1), labels)
    axes.grid(visible=False, axis="y")
    axes.legend(loc="lower right")
    failed = any(str(row["why"]).startswith("the placebo failed") for row in rows)
    axes.set_title(
        "Where the placebo leaves zero, the uplift cannot be believed"
        if failed
        else "The placebo shows nothing before the campaigns"
    )
    axes.set_xlabel("dollars a send")


def _propensity(axes: Any, rows: Sequence[Row]) -> None:
    colours = (GREY, BLUE, ORANGE, INK)
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1)
    for row, colour in zip(rows, colours * len(rows), strict=False):
        bins = row["calibration"]
        axes.plot(
            [b["expected"] for b in bins],
            [b["observed"] for b in bins],
            "o-",
            color=colour,
            markersize=4,
            linewidth=1.2,
            label=row["kind"],
        )
    axes.legend(loc="upper left")
    axes.set_title("Estimated chances of being sent")
    axes.set_xlabel("estimated chance")
    axes.set_ylabel("share that was sent")
