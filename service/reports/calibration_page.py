"""The page of a calibration: the fidelity table, drawings, parameters; opens without a network.

The tables of a calibration enter (:func:`service.jobs.calibrate.calibration_tables`); the page's
path leaves. What is simulated stands beside what was observed, each with its interval.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from service.reports.calibration_plots import draw_bins, draw_delays, draw_week
from service.reports.markup import Column, figure, note, paragraph, section, table, text
from service.reports.style import CSS

__all__ = ["write_calibration_page"]

Tables = Mapping[str, Any]
Rows = Sequence[Mapping[str, Any]]

_GROUPS: tuple[Column, ...] = (
    ("group", "moments", "s"),
    ("lines", "lines", "d"),
    ("agree", "agree", "d"),
    ("differ", "differ", "d"),
    ("too_few", "too few events", "d"),
    ("worst", "furthest", "s"),
)
_LINES: tuple[Column, ...] = (
    ("label", "moment", "s"),
    ("unit", "unit", "s"),
    ("observed", "observed", ".4g"),
    ("observed_low observed_high", "95 %", "[.3g]"),
    ("simulated", "simulated", ".4g"),
    ("simulated_low simulated_high", "95 %", "[.3g]"),
    ("verdict", "verdict", "s"),
)
_FITTED: tuple[Column, ...] = (
    ("name", "parameter", "s"),
    ("preset", "preset", ".4g"),
    ("value", "fitted", ".4g"),
    ("low high", "95 %", "[.4g]"),
)
_KEPT: tuple[Column, ...] = (
    ("name", "parameter", "s"),
    ("preset", "kept", ".4g"),
    ("why", "why", "words"),
)
_WEEKS = (
    ("sessions by hour of week", "share of sessions", "Sessions of holds by hour of the week."),
    ("clicks by hour of week", "clicks a delivered push", "Clicks by the hour of the push."),
)
_CLICK_BINS = {
    "pushes in the 7 days before": "clicks by pushes in the 7 days before",
    "hours since the last push": "clicks by hours since the last push",
    "days since the same item": "clicks by days since the same item",
}
_LEAVING = {
    "pushes in the 7 days before": "opt-outs by pushes in the 7 days before",
}
_DELAYS = {"click delay": "click delay", "order delay": "order delay"}


def write_calibration_page(path: Path, tables: Tables) -> Path:
    """Write the page, whole or not at all, and return its path.

    Parameters
    ----------
    path : Path
        Of the page; its folder is there.
    tables : mapping
        See :func:`service.jobs.calibrate.calibration_tables`.
    """
    content = _html(tables)
    aside = path.with_name(f".{path.name}.partial")
    try:
        aside.write_text(content, encoding="utf-8")
        return aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


def _html(tables: Tables) -> str:
    body = "\n".join([_fidelity(tables), _hours(tables), _response(tables), _parameters(tables)])
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Opportune, calibration from {text(tables["log"])}</title>
<style>{CSS}</style></head>
<body>
<header>{_opening(tables)}</header>
<nav><a href="#fidelity">Fidelity</a><a href="#hours">By hour</a>
<a href="#response">By frequency and delay</a><a href="#parameters">Parameters</a></nav>
<main>
{body}
</main>
<footer>{_provenance(tables["run"])}</footer>
</body></html>
"""


def _opening(tables: Tables) -> str:
    verdicts = [line["verdict"] for line in tables["lines"]]
    agree, differ = verdicts.count("agrees"), verdicts.count("differs")
    by_chance = (agree + differ) / 20
    turns = f"{tables['turns']} turns, {'' if tables['is_converged'] else 'not '}converged"
    return "\n".join(
        [
            f"<h1>Calibrated from {text(tables['log'])}</h1>",
            '<p class="motto">A world like the log, as far as the log tells.</p>',
            f'<p class="lead">Of {agree + differ} moments that can be judged, the simulation '
            f"<strong>agrees with the log in {agree} and differs in {differ}</strong>; "
            f"{by_chance:.0f} would differ by chance if all were right.</p>",
            note(
                f"{tables['sizes']}. The log's own sends were carried out on simulated users, "
                f"starting from the preset {tables['preset']}, seed {tables['seed']}; the first "
                f"{tables['warmup_days']} days count only as what came before. {turns}."
            ),
            *(f'<p class="verdict">{text(words)}</p>' for words in tables["notes"]),
        ]
    )


def _fidelity(tables: Tables) -> str:
    shown = [
        line | {"label": f"{line['group']}: {line['name']}"}
        for line in tables["lines"]
        if not line["group"].endswith(" by hour of week") and line["observed"] is not None
    ]
    differ = [line["label"] for line in shown if line["verdict"] == "differs"]
    return section(
        "fidelity",
        "Simulated against observed",
        [
            table(tables["groups"], _GROUPS),
            note(
                "A line agrees where the difference lies within the 95 % interval of the two "
                "errors together. Fewer than 20 events are not judged."
            ),
            table(shown, _LINES, strong=differ),
            note("Intervals are by user clusters. Lines by hour of the week are drawn below."),
        ],
    )


def _hours(tables: Tables) -> str:
    return section(
        "hours",
        "By hour of the week",
        [
            figure(
                draw_week(_of(tables, group), unit),
                f"{caption} Three hours a point, the user's own clock; bands are 95 %.",
            )
            for group, unit, caption in _WEEKS
        ],
    )


def _response(tables: Tables) -> str:
    clicks = {what: _of(tables, group) for what, group in _CLICK_BINS.items()}
    leaving = {what: _of(tables, group) for what, group in _LEAVING.items()}
    delays = {what: _of(tables, group) for what, group in _DELAYS.items()}
    return section(
        "response",
        "What frequency does, and how long answers take",
        [
            figure(
                draw_bins(clicks, "clicks a delivered push"),
                "Clicks by what had been sent before; bars are 95 %, pale where there are too few "
                "events to judge by.",
            ),
            figure(
                draw_bins(leaving, "opt-outs a delivered push"),
                "Opt-outs within two hours of a push, by what had been sent before.",
            ),
            figure(
                draw_delays(delays),
                "From delivery to the click, and from a session's start to its order; bars are "
                "95 % (Woodruff).",
            ),
        ],
    )


def _parameters(tables: Tables) -> str:
    fitted = [row for row in tables["parameters"] if row["is_fitted"]]
    kept = [row for row in tables["parameters"] if not row["is_fitted"]]
    parts = [table(fitted, _FITTED), note("Intervals are by user clusters, simulation included.")]
    if kept:
        parts += [
            paragraph(
                "Not identified by this log: the preset's values are kept, as are those of all "
                "other constants. The intervals above hold where these are right."
            ),
            table(kept, _KEPT),
        ]
    return section("parameters", "What was fitted, and what was not", parts)


def _of(tables: Tables, group: str) -> Rows:
    """Lines of one group, in order."""
    return [line for line in tables["lines"] if line["group"] == group]


def _provenance(run: Tables) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
    lines = (
        f"{run['machine']}; threads {run['threads']}; Python {run['python']}; {versions}.",
        f"Commit {run['commit']}; code {run['code']}; {run['finished']}.",
    )
    return "<br>".join(text(line) for line in lines)
