"""The online walk as a section: values, gains, learning curves, when things were sent.

The online step's tables enter; HTML leaves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from service.jobs.online_tables import AGAINST_ANY, AGAINST_COUNTS
from service.reports.markup import Column, figure, note, paragraph, section, table
from service.reports.plots import BLUE, GREEN, GREY, ORANGE, PINK, PURPLE, drawn, intervals

__all__ = ["best_of", "gain_of", "online_section"]

Tables = Mapping[str, Any]

_COLUMNS: tuple[Column, ...] = (
    ("policy", "policy", "s"),
    ("start", "start", "s"),
    ("value", "value", "+.5f"),
    ("lower upper", "95 %", "[+.5f]"),
    ("expected", "by its pmf", "+.5f"),
    ("unfloored", "before the floor", "+.5f"),
    ("send_share", "sends", ".1%"),
    ("hits_per_send", "hits a send", ".4f"),
    ("hits_per_send_at_equal_sends", "at equal sends", ".4f"),
    ("n", "decisions", ",d"),
)
_GAINS: tuple[Column, ...] = (
    ("what", "what", "s"),
    ("pair", "whose", "s"),
    ("value", "difference", "+.5f"),
    ("value_lower value_upper", "95 %", "[+.5f]"),
    ("expected", "by its pmf", "+.5f"),
    ("expected_lower expected_upper", "95 %", "[+.5f]"),
)
_SHORT = {
    AGAINST_COUNTS: "best bandit, best counts",
    AGAINST_ANY: "best bandit, best baseline",
}


def gain_of(online: Tables, what: str) -> Mapping[str, Any] | None:
    """The paired difference of that name, if the walks held both sides of it."""
    return next((gain for gain in online["gains"] if gain["what"] == what), None)


def best_of(online: Tables) -> str:
    """Name of the policy of largest value."""
    return str(online["table"][0]["policy"])


def online_section(online: Tables) -> str:
    """Everything about the walk."""
    households = online["households"]
    walked = ", ".join(
        f"seed {seed} on {n:,} households"
        for seed, n in zip(online["seeds"], households, strict=True)
    )
    parts = [
        paragraph(
            f"One decision a household and day over {online['days']} days: a category and a window "
            "of the local day to push it in, or hold. A hit is a purchase of that category in that "
            "window; it would have happened anyway, so no uplift is claimed. Value = hits less "
            ".01 a send; hold is worth 0. Every policy draws its own log, through the same "
            "exploration floor, and learns from that log alone."
        ),
        note(f"Walked: {walked}. Intervals: {online['interval']}."),
        figure(
            drawn("values", lambda axes: _values(axes, online), size=(9.6, 5.4)),
            "Value a decision of every policy, with its interval. Bandits in blue (warm), pink "
            "(cold) and orange (blind to time), counts in green, others in grey.",
        ),
        table(online["table"], _COLUMNS, strong=[best_of(online)]),
        note(
            "By its pmf: the true value of the probabilities it drew from. Before the floor: "
            "of those it asked for. At equal sends: hits a send among each policy's first sends, "
            f"up to {online['equal_sends_share']:.0%} of its decisions; a dash where it sent less."
        ),
        paragraph("Always sending, without a floor, plain counting of the training days reaches:"),
        table(
            online["plain_rates"],
            (("what", "pushing", "s"), ("hits_per_send", "hits a send", ".4f")),
        ),
        figure(
            drawn("gains", lambda axes: _gains(axes, online["gains"]), size=(9.6, 4.0)),
            "Paired differences on the same households and days; an interval that leaves the line "
            "at zero is a difference. Which bandit and which baseline are best is read off the "
            "same walks.",
        ),
        table([_paired(gain) for gain in online["gains"]], _GAINS),
        figure(
            drawn("curves", lambda axes: _curves(axes, online), size=(9.6, 4.8)),
            "Learning curves: mean value a decision up to each day. Grey: the other policies.",
        ),
        figure(
            drawn("hours", lambda axes: _hours(axes, online), size=(9.6, 3.8)),
            "When households shop, and when each policy sends.",
        ),
    ]
    return section("online", "Which and when, online", parts)


def _paired(gain: Mapping[str, Any]) -> dict[str, Any]:
    what = _SHORT.get(gain["what"], gain["what"])
    return dict(gain) | {"what": what, "pair": f"{gain['one']} less {gain['other']}"}


def _values(axes: Any, online: Tables) -> None:
    rows = online["table"]
    intervals(
        axes,
        [row["policy"] for row in rows],
        [row["value"] for row in rows],
        [row["lower"] for row in rows],
        [row["upper"] for row in rows],
        colours=[_colour(row) for row in rows],
    )
    gain = gain_of(online, AGAINST_COUNTS)
    verb = "beats" if gain and gain["value_lower"] > 0 else "is not shown to beat"
    title = f"{gain['one']} {verb} {gain['other']}" if gain else "Value of every policy"
    axes.set_title(title)
    axes.set_xlabel("value a decision (hits less .01 a send)")


def _colour(row: Mapping[str, Any]) -> str:
    if row["start"] in {"warm", "cold"}:
        if not row["is_time_aware"]:
            return ORANGE
        return BLUE if row["start"] == "warm" else PINK
    return GREEN if row["start"] == "counts" else GREY


def _gains(axes: Any, gains: Sequence[Mapping[str, Any]]) -> None:
    intervals(
        axes,
        [f"{_paired(gain)['what']}: {gain['one']}" for gain in gains],
        [gain["value"] for gain in gains],
        [gain["value_lower"] for gain in gains],
        [gain["value_upper"] for gain in gains],
        colours=[BLUE if gain["excludes_zero"] else GREY for gain in gains],
    )
    axes.set_title("What warm starts, time and learning add")
    axes.set_xlabel("difference in value a decision")


def _curves(axes: Any, online: Tables) -> None:
    curves = online["curves"]
    for curve in curves.values():
        axes.plot(_days(curve), curve["value"], color=GREY, linewidth=0.8, alpha=0.6)
    ends = []
    for (name, label), colour in zip(
        _highlighted(online), (BLUE, GREEN, PINK, ORANGE, PURPLE), strict=False
    ):
        curve = curves[name]
        days = _days(curve)
        axes.fill_between(days, curve["lower"], curve["upper"], color=colour, alpha=0.13, lw=0)
        axes.plot(days, curve["value"], color=colour, linewidth=2, label=label)
        ends.append(curve["value"][-1])
    every = [value for curve in curves.values() for value in curve["value"][7:]]
    reach = max(every, default=0.0)
    axes.set_ylim(min(0.0, min(every, default=0.0)), 1.35 * reach if reach > 0 else 0.01)
    axes.legend(loc="upper center", ncols=3, fontsize=10)
    axes.set_title("The running value of each policy")
    axes.set_xlabel("online day")
    axes.set_ylabel("mean value a decision so far")


def _days(curve: Mapping[str, Any]) -> list[int]:
    return list(range(1, len(curve["value"]) + 1))


def _highlighted(online: Tables) -> list[tuple[str, str]]:
    """Best warm bandit, best count baseline, and the same bandit cold and blind to time."""
    gain = gain_of(online, AGAINST_COUNTS)
    if gain is None:
        return [(best_of(online), best_of(online))]
    one = str(gain["one"])
    wanted = [one, str(gain["other"]), one.replace("warm", "cold"), f"{one}, time-blind"]
    return [(name, name) for name in wanted if name in online["curves"]]


def _hours(axes: Any, online: Tables) -> None:
    edges = online["edges_h"]
    labels = [f"{a}–{b} h" for a, b in pairwise(edges)]  # noqa: RUF001
    series = [("households shop", online["shopping_slots"], GREY)]
    names = _highlighted(online)[:2]
    for (name, label), colour in zip(names, (BLUE, GREEN), strict=False):
        series.append((f"{label} sends", online["send_slots"][name], colour))
    width = 0.8 / len(series)
    for place, (label, counts, colour) in enumerate(series):
        total = max(sum(counts), 1)
        where = [slot + (place - (len(series) - 1) / 2) * width for slot in range(len(counts))]
        axes.bar(where, [count / total for count in counts], width, color=colour, label=label)
    axes.set_xticks(range(len(labels)), labels)
    axes.grid(visible=False, axis="x")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.legend(loc="upper left")
    axes.set_title("Sends follow the hours in which households shop")
    axes.set_xlabel("window of the local day")
    axes.set_ylabel("share")
