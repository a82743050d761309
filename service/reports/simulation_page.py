"""The page of a simulation: ``report.html``, one file that opens without a network.

A run's folder with its ``metrics.json`` enters; the page's path leaves. Everything on it is
simulated, and it says so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bandit.errors import BadInputError
from bandit.metrics import METRICS
from service.reports.markup import Column, figure, note, paragraph, section, table, text
from service.reports.simulation_plots import (
    asked,
    draw_days,
    draw_gains,
    draw_hours,
    draw_orders,
)
from service.reports.style import CSS

__all__ = ["is_simulation", "write_simulation_report"]

Tables = Mapping[str, Any]

_PAGE = "report.html"
_METRICS = "metrics.json"
_MINUS = "\N{MINUS SIGN}"

_WORTH: tuple[Column, ...] = (
    ("policy", "policy", "s"),
    ("reward_per_user_week", "reward a user-week", "+.5f"),
    ("less_silence", "less silence", "+.5f"),
    ("less_silence_lower less_silence_upper", "95 %", "[+.5f]"),
    ("less_best_static", "less best static", "+.5f"),
    ("less_best_static_lower less_best_static_upper", "95 %", "[+.5f]"),
    ("seeds", "seeds", "d"),
)
_TRUTH: tuple[Column, ...] = (
    ("policy", "policy", "s"),
    ("value_per_decision", "true worth", "+.5f"),
    ("regret_myopic", "regret_myopic", ".5f"),
    ("regret_myopic_lower regret_myopic_upper", "95 %", "[.5f]"),
    ("gap_to_silence", "gap_to_silence", "+.5f"),
    ("gap_to_silence_lower gap_to_silence_upper", "95 %", "[+.5f]"),
    ("gap_to_best_static", "gap_to_best_static", "+.5f"),
    ("gap_to_best_static_lower gap_to_best_static_upper", "95 %", "[+.5f]"),
)
_SOLVED: tuple[Column, ...] = (
    ("policy", "policy", "s"),
    ("regret_dp", "regret_dp", ".5f"),
    ("regret_dp_lower regret_dp_upper", "95 %", "[.5f]"),
)
_PUSHES: tuple[Column, ...] = (
    ("policy", "policy", "s"),
    ("sends_per_user_week", "sends a user-week", ".2f"),
    ("click_rate", "clicks a delivered push", ".2%"),
    ("click_rate_lower click_rate_upper", "95 %", "[.2%]"),
    ("opt_outs_per_1000_sends", "opt-outs in 1,000 sends", ".2f"),
    ("opt_outs_per_1000_sends_lower opt_outs_per_1000_sends_upper", "95 %", "[.2f]"),
    ("reachable_at_end", "reachable at the end", ".1%"),
)
_ORDERS: tuple[Column, ...] = (
    ("policy", "policy", "s"),
    ("orders_brought", "orders brought", "+.5f"),
    ("orders_brought_lower orders_brought_upper", "95 %", "[+.5f]"),
    ("orders_attributed", "orders attributed", ".5f"),
    ("orders_attributed_lower orders_attributed_upper", "95 %", "[.5f]"),
)


def is_simulation(folder: Path) -> bool:
    """True for the folder of a finished simulation, false for any other."""
    try:
        return "simulation" in json.loads((folder / _METRICS).read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError):
        return False


def write_simulation_report(folder: Path) -> Path:
    """Write the page of a finished simulation and return its path.

    Raises
    ------
    BadInputError
        If the folder holds no finished simulation.
    """
    path = folder / _METRICS
    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))
        content = _html(metrics)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInputError(
            f"expected the folder of a finished simulation with metrics.json, got {folder} "
            f"({error!r}): call `opportune simulate` again, it goes on where it stopped"
        ) from error
    aside = folder / f".{_PAGE}.partial"
    aside.write_text(content, encoding="utf-8")
    return aside.replace(folder / _PAGE)


def _html(metrics: Tables) -> str:
    tables, run = metrics["simulation"], metrics["run"]
    parts = (_worth(tables), _truth(tables), _time(tables), _pushes(tables), _orders(tables))
    body = "\n".join(parts)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Opportune, simulation {text(run["id"])}</title>
<style>{CSS}</style></head>
<body>
<header>{_opening(tables)}</header>
<nav><a href="#worth">Worth</a><a href="#truth">Truth</a><a href="#days">By day</a>
<a href="#pushes">Pushes</a><a href="#orders">Uplift and attribution</a></nav>
<main>
{body}
{_reading(tables)}
</main>
<footer>{_provenance(run)}</footer>
</body></html>
"""


def _opening(tables: Tables) -> str:
    every = "a day" if tables["hours"] == 24 else f"every {tables['hours']} h"
    rows = [row for row in tables["table"] if row["policy"] in asked(tables)]
    said = " ".join(_sentence(row, tables["best_static"]) for row in rows)
    return "\n".join(
        [
            f"<h1>Simulated: {text(tables['preset'])}</h1>",
            '<p class="motto">The right item at the right moment, or silence.</p>',
            f'<p class="lead">{said}</p>' if said else "",
            note(
                f"{tables['users']:,} simulated users for {tables['days']} days, a decision "
                f"{every}, {tables['seeds']} seeds from {tables['first_seed']}. Every policy meets "
                "the same people under the same chances, seed by seed. No number here is about "
                "anybody real."
            ),
        ]
    )


def _sentence(row: Mapping[str, Any], best: str) -> str:
    against = (("less_silence", "silence"), ("less_best_static", best))
    said = [
        f"{_verdict(row, key)} {text(name)} ({_spanned(row, key)})"
        for key, name in against
        if row[key] is not None
    ]
    return f"<strong>{text(row['policy'])}</strong> {' and '.join(said)}." if said else ""


def _verdict(row: Mapping[str, Any], key: str) -> str:
    lower, upper = row[f"{key}_lower"], row[f"{key}_upper"]
    if lower is None:
        return "differs, on one seed, from"
    if lower > 0:
        return "is worth more than"
    return "is worth less than" if upper < 0 else "is not told apart from"


def _spanned(row: Mapping[str, Any], key: str) -> str:
    shown = f"{row[key]:+.5f}"
    if row[f"{key}_lower"] is not None:
        shown += f" [{row[f'{key}_lower']:+.5f}, {row[f'{key}_upper']:+.5f}]"
    return f"{shown.replace('-', _MINUS)} a user-week"


def _worth(tables: Tables) -> str:
    rows = tables["table"]
    weights = ", ".join(f"{name} {weight:g}" for name, weight in tables["weights"].items())
    compared = [row for row in rows if row["less_silence_lower"] is not None]
    parts = [
        paragraph(
            "Reward counts all that really came to pass in a policy's worlds, each outcome once, "
            f"weighed by: {weights}. What a push costs later, in tired users and in users who have "
            "left, is in it. Differences are taken within a seed."
        ),
        table(rows, _WORTH, strong=asked(tables)),
        note(f"Best static: {tables['best_static']}. {tables['interval']}."),
    ]
    if compared:
        parts.append(
            figure(
                draw_gains(compared, tables),
                "Reward a user-week less that of silence in the same worlds; an interval that "
                "leaves the line at zero is a difference.",
            )
        )
    return section("worth", "What each policy was worth", parts)


def _truth(tables: Tables) -> str:
    return section(
        "truth",
        "The truth of each decision",
        [
            paragraph(
                "The closed-form mean reward of every action, on the rows that a policy itself "
                "brought about, weighed by the probabilities it drew from. Effects on later days "
                "are no part of it, so the best action here is the myopically best."
            ),
            table(tables["table"], _TRUTH, strong=asked(tables)),
            *(note(f"{name}: {METRICS[name].meaning}.") for name in _ORACLES),
            note(
                "The one best action for everybody: the popular item at one local hour, every "
                "day, or silence; the hour is the best for these very rows."
            ),
            *_exact(tables),
        ],
    )


_ORACLES = ("regret_myopic", "gap_to_silence", "gap_to_best_static")


def _exact(tables: Tables) -> list[str]:
    """What a world that is solved exactly tells beyond the others; nothing of those."""
    if all(row.get("regret_dp") is None for row in tables["table"]):
        return []
    return [
        paragraph(
            "This world is small enough to be solved exactly. What each decision loses where the "
            "best plan follows it, summed over a user's whole run, is regret_dp: what an action "
            "does to later days is in it, and so is what the exploration floor costs."
        ),
        table(tables["table"], _SOLVED, strong=asked(tables)),
        note(f"regret_dp: {METRICS['regret_dp'].meaning}."),
    ]


def _time(tables: Tables) -> str:
    return section(
        "days",
        "Day by day",
        [
            figure(
                draw_days(tables, "reward"),
                "Reward a user-week less that of silence, mean of the seven days up to each.",
            ),
            figure(
                draw_days(tables, "sends"),
                "Sends a user-week, mean of the seven days up to each.",
            ),
            figure(
                draw_days(tables, "reachable"),
                "Share of users who can still be written to.",
            ),
        ],
    )


def _pushes(tables: Tables) -> str:
    return section(
        "pushes",
        "What was sent, and when",
        [
            table(tables["table"], _PUSHES, strong=asked(tables)),
            figure(
                draw_hours(tables),
                "Share of each policy's sends by the user's local hour.",
            ),
        ],
    )


def _orders(tables: Tables) -> str:
    rows = [row for row in tables["table"] if row["policy"] != tables["silence"]]
    return section(
        "orders",
        "Uplift and attribution",
        [
            paragraph(
                "Orders that a policy brought on balance, against silence in the same worlds, "
                "beside the orders that clicks are credited with. Attribution counts people who "
                "would have come anyway."
            ),
            table(rows, _ORDERS, strong=asked(tables)),
            figure(
                draw_orders(rows),
                "Orders a user-week: brought (with interval) and attributed.",
            ),
        ],
    )


def _reading(tables: Tables) -> str:
    floor = ", ".join(f"{name} {least:g}" for name, least in tables["floor"].items())
    return section(
        "reading",
        "How to read this",
        [
            note(
                "never_send: silence, but for the floor. static_HHh_N: the most popular item of "
                "the slate at HH o'clock local time, N times a week; all of them walk the first "
                "three seeds, the best of them all seeds."
            ),
            note(
                f"Every policy is drawn through the same exploration floor ({floor}), so silence "
                "sends a little, and through the world's guardrails."
            ),
            note(
                "Beside this page: metrics.json (every number above), cells/ (sums by day of every "
                "policy and seed, and the decision log of the first seed under log/)."
            ),
        ],
    )


def _provenance(run: Tables) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
    lines = (
        f"Run {run['id']}, finished {run['finished']}.",
        f"{run['machine']}; threads {run['threads']}; Python {run['python']}; {versions}.",
        f"Commit {run['commit']}; code {run['code']}.",
    )
    return "<br>".join(text(line) for line in lines)
