"""``report.html``: one self-contained page of a finished run.

A run's folder with its ``metrics.json`` enters; the page's path leaves. It opens from disk
without a network: style and drawings stand inside. Reference: DESIGN §10, "what people would
rather look at than read is drawn".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bandit.errors import BadInputError
from service.jobs.online_tables import AGAINST_ANY, AGAINST_COUNTS
from service.reports.campaigns_section import campaigns_section
from service.reports.encoder_section import encoder_section
from service.reports.markup import note, paragraph, section, table, text
from service.reports.online_section import gain_of, online_section
from service.reports.style import CSS
from service.reports.truth_section import coverage_answer, truth_section

__all__ = ["write_report"]

Metrics = Mapping[str, Any]

_PAGE = "report.html"
_SECTIONS = (
    ("data", "Data"),
    ("encoder", "Encoder"),
    ("online", "Online"),
    ("campaigns", "Campaigns"),
    ("truth", "Truth"),
)
_WORDS = (
    ("hold", "send nothing; worth 0 here"),
    ("hit", "the household buys the pushed category in the pushed window"),
    ("floor", "least probabilities mixed in before every draw, the same for every policy"),
    ("propensity", "the exact probability with which the logged action was drawn"),
    ("warm, cold", "started from the training days, or from nothing"),
    ("time-blind", "the same policy without gaps, weekdays, own hours or the encoder"),
    ("IPS, SNIPS, DM, DR", "inverse propensity, self-normalised, direct model, doubly robust"),
    ("joint, item, slot, send", "which part of the action the weights correct for"),
    ("ESS", "effective sample size: equally weighted rows that would say as much"),
    ("verdict", "usable, weak or do not use, by thresholds fixed beforehand"),
)


def write_report(folder: Path) -> Path:
    """Write the page of a finished run and return its path.

    Parameters
    ----------
    folder : Path
        A run's folder, as ``opportune run`` leaves it.

    Raises
    ------
    BadInputError
        If the folder holds no finished run.
    """
    page = folder / _PAGE
    aside = folder / f".{_PAGE}.partial"
    metrics = _metrics(folder)
    try:
        content = _html(metrics)
    except KeyError as error:
        raise BadInputError(
            f"expected {error} in {folder / 'metrics.json'}, found none: another version wrote it; "
            "run again"
        ) from error
    aside.write_text(content, encoding="utf-8")
    aside.replace(page)
    return page


def _metrics(folder: Path) -> Metrics:
    path = folder / "metrics.json"
    if not path.exists():
        raise BadInputError(
            f"expected the folder of a finished run with metrics.json, got {folder}: call "
            "`opportune run` again, it goes on where it stopped"
        )
    try:
        found: Metrics = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise BadInputError(f"expected JSON in {path}, got {error}: run again") from error
    missing = [name for name in ("run", "data", "online") if name not in found]
    if missing:
        raise BadInputError(f"expected {', '.join(missing)} in {path}, found none: run again")
    return found


def _html(metrics: Metrics) -> str:
    makers = {
        "data": _data,
        "encoder": encoder_section,
        "online": online_section,
        "campaigns": campaigns_section,
        "truth": truth_section,
    }
    present = [(name, title) for name, title in _SECTIONS if name in metrics]
    absent = [title.lower() for name, title in _SECTIONS if name not in metrics]
    links = "".join(f'<a href="#{name}">{title}</a>' for name, title in (*present, _READING))
    body = "\n".join(makers[name](metrics[name]) for name, _ in present)
    left_out = note(f"Not part of this run: {', '.join(absent)}.") if absent else ""
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Opportune, run {text(metrics["run"]["id"])}</title>
<style>{CSS}</style></head>
<body>
<header>{_opening(metrics)}{left_out}</header>
<nav>{links}</nav>
<main>
{body}
{_reading()}
</main>
<footer>{_provenance(metrics["run"])}</footer>
</body></html>
"""


_READING = ("reading", "How to read this")


def _opening(metrics: Metrics) -> str:
    parts = [
        "<h1>Whom to push which item, and when</h1>",
        '<p class="motto">The right item at the right moment, or silence.</p>',
        _answer(metrics["online"]),
    ]
    if "truth" in metrics:
        parts.append(paragraph(coverage_answer(metrics["truth"])))
    parts.append(
        note(f"{metrics['data']['source']} A hit is no uplift: it would have come anyway.")
    )
    return "\n".join(parts)


def _answer(online: Metrics) -> str:
    """The best bandit against the best of the counts, and of all baselines, in sentences."""
    gain, wider = (gain_of(online, what) for what in (AGAINST_COUNTS, AGAINST_ANY))
    if gain is None:
        return ""
    said = (
        f"<strong>{text(gain['one'])}</strong> {_beats(gain)} the best count baseline, "
        f"{text(gain['other'])}, by {_spanned(gain)} a decision."
    )
    if wider is not None and wider["other"] != gain["other"]:
        said += (
            f" It {_beats(wider)} the best baseline of any kind, {text(wider['other'])}, by "
            f"{_spanned(wider)}."
        )
    knowing = [g for g in online["gains"] if g["what"] == "knowing the time"]
    mine = next((g for g in knowing if g["one"] == gain["one"]), None)
    if mine is not None:
        said += f" Knowing the time is worth {_spanned(mine)} to it."
    return f'<p class="lead">{said}</p>'


def _beats(gain: Metrics) -> str:
    return "beats" if gain["value_lower"] > 0 else "is not shown to beat"


def _spanned(gain: Metrics) -> str:
    return f"{gain['value']:+.5f} [{gain['value_lower']:+.5f}, {gain['value_upper']:+.5f}]"


def _data(data: Metrics) -> str:
    cleaning = data["cleaning"]
    online_days = data["days"] - data["train_days"]
    rows = [{"why": why, "n": n} for why, n in cleaning["dropped"].items()]
    rows += [{"why": "capped at their category's limit (kept)", "n": cleaning["capped"]}]
    parts = [
        paragraph(
            f"{cleaning['rows_in']:,} rows came, {cleaning['rows_kept']:,} were kept: "
            f"{data['purchases']:,} purchases of {data['users']:,} users over {data['days']} local "
            f"days from {data['first_day']} ({data['zone']}). The first {data['train_days']} train "
            f"and the last {online_days} are walked online."
        ),
        table(rows, (("why", "dropped or changed because", "s"), ("n", "rows", ",d"))),
        note(f"Items, by how often they are bought: {', '.join(data['items'])}."),
    ]
    return section("data", "Data", parts)


def _reading() -> str:
    words = "".join(f"<dt>{text(word)}</dt><dd>{text(means)}</dd>" for word, means in _WORDS)
    parts = [
        f"<dl>{words}</dl>",
        note(
            "Beside this page: metrics.json (every number above), online/log (the decision log of "
            "the first seed, a folder a policy), online/walks.parquet (hits and sends of every "
            "household), online/frozen (policies as they were evaluated), encoder/artefact. The "
            "log leaves pmfs out for size; propensities are exact."
        ),
    ]
    return section(*_READING, parts)


def _provenance(run: Metrics) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
    seconds = ", ".join(f"{name} {s:.0f} s" for name, s in run["seconds"].items() if s is not None)
    beside = " (campaigns beside the encoder)" if "campaigns" in run["seconds"] else ""
    settings = ", ".join(f"{name} = {value}" for name, value in run["settings"].items())
    lines = (
        f"Run {run['id']}, finished {run['finished']}. {settings}.",
        f"{run['machine']}; threads {run['threads']}; Python {run['python']}; {versions}.",
        f"Commit {run['commit']}; code {run['code']}. Steps: {seconds}{beside}.",
    )
    return "<br>".join(text(line) for line in lines)
