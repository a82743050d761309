"""``opportune calibrate LOG``: fit a simulated population to a log and say how like it it is.

A folder with a decision log and its outcomes enters; a printed table of parameters and of moments,
simulated against observed, a page with drawings of them, and a TOML file for
:func:`simulator.config.load` leave. Bad input is refused before anything is simulated, and each
file is written whole or not at all.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bandit.errors import BadInputError
from bandit.log import read_log
from bandit.outcome_log import read_outcomes
from service.jobs.progress import Progress
from service.jobs.provenance import provenance
from simulator.calibrate import Calibration, FitSettings, Fitted, calibrate, n_simulations, seen
from simulator.config import evidence_of, load
from simulator.config_file import toml_of
from simulator.fidelity import Line, fidelity, summaries
from simulator.logged import LOG_COLUMNS, Logged, logged_of
from simulator.parameters import PARAMETERS

__all__ = [
    "CalibrateSettings",
    "calibrate_log",
    "calibration_tables",
    "fidelity_lines",
    "parameter_lines",
]

_COUNTED = (
    "clock.start_date",
    "clock.horizon_days",
    "clock.n_candidates",
    "clock.zones",
    "clock.zone_shares",
    "clock.unknown_zone_share",
    "items.n_items",
    "opt_out.opt_in_share",
)
_PAGE = Path("calibration.html")
_LONG = (" by hour of week",)  # groups of so many lines that only their summary is printed


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrateSettings:
    """What ``opportune calibrate`` was asked for."""

    log: Path
    preset: str = "ecommerce"
    out: Path | None = None
    page: Path | None = None
    seed: int = 1
    warmup_days: int = 7

    @property
    def name(self) -> str:
        """What the log is called: its folder, with that around it where it is just a log."""
        path = self.log.resolve()
        return f"{path.parent.name}/{path.name}" if path.name == "log" else path.name

    @property
    def page_path(self) -> Path:
        """Where the page goes: as asked, or beside the world, or in the folder one is in."""
        if self.page is not None:
            return self.page
        return _PAGE if self.out is None else self.out.with_suffix(".html")


def calibrate_log(settings: CalibrateSettings) -> Iterator[str]:
    """Fit; yield the lines to print.

    Raises
    ------
    BadInputError, ForeignFileError
        For a folder without a whole log, a preset that there is not, a log that tells nothing, or
        a file to write that cannot be.
    """
    from service.reports.calibration_page import write_calibration_page

    config = load(settings.preset)
    out = None if settings.out is None else _writable(settings.out, "--out", ".toml")
    page = _writable(settings.page_path, "--page", ".html")
    fit_settings = FitSettings(seed=settings.seed, warmup_days=settings.warmup_days)
    logged = _read(settings.log)
    seen(logged, fit_settings)
    with Progress(n_simulations(fit_settings), "simulations") as progress:
        found = calibrate(logged, config, settings=fit_settings, step_done=progress.step)
        # The fit may be over sooner than it might have taken.
        progress.bar.total = progress.bar.n
        progress.bar.refresh()
    lines = fidelity(found.observed, found.simulated)
    yield from (_sizes(logged), _taken(found), "")
    yield from parameter_lines(found.table)
    yield ""
    yield from fidelity_lines(lines)
    yield from ("", *found.notes) if found.notes else ()
    yield ""
    write_calibration_page(page, calibration_tables(settings, found, lines, sizes=_sizes(logged)))
    yield f"page: {page.resolve()}"
    if out is not None:
        _write(out, _toml(settings, found))
        yield f"written: {out} (read it with simulator.config.load or --preset {out})"


def calibration_tables(
    settings: CalibrateSettings, found: Calibration, lines: Sequence[Line], *, sizes: str
) -> dict[str, Any]:
    """What the page shows, as JSON: nothing, where there is no number.

    Parameters
    ----------
    settings : CalibrateSettings
        What was asked for.
    found : Calibration
        What the fit found.
    lines : sequence of Line
        Moments, simulated against observed.
    sizes : str
        How large the log is, in words.
    """
    return {
        "log": settings.name,
        "preset": Path(settings.preset).stem,
        "seed": settings.seed,
        "warmup_days": settings.warmup_days,
        "sizes": sizes,
        "turns": found.turns,
        "is_converged": found.is_converged,
        "notes": list(found.notes),
        "groups": [asdict(group) for group in summaries(lines)],
        "lines": [_known(asdict(line)) for line in lines],
        "parameters": [_known(asdict(row)) for row in found.table],
        "run": provenance() | {"finished": datetime.now(UTC).isoformat(timespec="seconds")},
    }


def parameter_lines(table: Sequence[Fitted]) -> Iterator[str]:
    """Parameters with their intervals, then what kept the preset's value and why."""
    yield f"{'parameter':38s} {'preset':>10s} {'fitted':>10s}   95 % interval"
    for row in table:
        if row.is_fitted:
            yield (
                f"{row.name:38s} {row.preset:10.4g} {row.value:10.4g}   "
                f"{row.low:.4g} to {row.high:.4g}"
            )
    kept = [row for row in table if not row.is_fitted]
    if kept:
        yield ""
        yield "not identified by this log, the preset's value is kept (as are all other constants):"
        for row in kept:
            yield f"  {row.name} = {row.preset:.4g}: {row.why}"
        yield "the intervals above hold where these are right."


def fidelity_lines(lines: Sequence[Line]) -> Iterator[str]:
    """Moments, simulated against observed: the groups, then the lines of all but the long ones."""
    yield f"{'group':44s} {'lines':>5s} {'agree':>6s} {'differ':>6s} {'too few':>8s}   worst"
    for group in summaries(lines):
        yield (
            f"{group.group:44s} {group.lines:5d} {group.agree:6d} {group.differ:6d} "
            f"{group.too_few:8d}   {group.worst}"
        )
    yield "(of lines that are all right, one in twenty differs by chance)"
    yield ""
    yield f"{'moment':58s} {'observed':>28s} {'simulated':>28s}   verdict"
    for line in lines:
        if (line.n > 0 or line.verdict != "too few") and not line.group.endswith(_LONG):
            seen = f"{line.observed:.4g} [{line.observed_low:.4g}, {line.observed_high:.4g}]"
            made = f"{line.simulated:.4g} [{line.simulated_low:.4g}, {line.simulated_high:.4g}]"
            yield f"{f'{line.group}: {line.name}':58s} {seen:>28s} {made:>28s}   {line.verdict}"


def _read(folder: Path) -> Logged:
    if not folder.is_dir():
        raise BadInputError(
            f"expected a folder with a decision log and its outcomes, such as opportune simulate "
            f"writes, got {folder}"
        )
    return logged_of(read_log(folder, list(LOG_COLUMNS)), read_outcomes(folder))


def _sizes(logged: Logged) -> str:
    plan = logged.plan
    return (
        f"{plan.n_users:,} users, {len(plan.user):,} decisions, {int(plan.is_sent.sum()):,} "
        f"pushes, {int(logged.is_clicked.sum()):,} clicks, {len(logged.sessions.user):,} "
        f"sessions, {len(logged.orders.user):,} orders"
    )


def _taken(found: Calibration) -> str:
    return f"{found.turns} turns, {'converged' if found.is_converged else 'not converged'}"


def _known(row: dict[str, Any]) -> dict[str, Any]:
    """The row with nothing where a number is none."""
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in row.items()
    }


def _writable(path: Path, option: str, ending: str) -> Path:
    """The file to write, refused before the work where it cannot be written."""
    if path.suffix != ending:
        raise BadInputError(f"expected {option} to end in {ending}, got {path}")
    if path.is_dir() or not path.parent.is_dir():
        raise BadInputError(
            f"expected {option} to be a file in a folder that is there, got {path}: make the "
            "folder, or name another file, and call again"
        )
    return path


def _toml(settings: CalibrateSettings, found: Calibration) -> str:
    log = settings.name
    evidence = {row.key: (row.tag, row.source) for row in evidence_of(settings.preset)}
    for key in _COUNTED:
        evidence[key] = ("A", f"counted in {log}")
    for parameter, row in zip(PARAMETERS, found.table, strict=True):
        if row.is_fitted:
            source = f"calibrated from {log}: {row.low:.4g} to {row.high:.4g} (95 %)"
            evidence[".".join(parameter.path)] = ("A", source)
    return toml_of(
        found.config,
        evidence=evidence,
        comments=(
            f"Calibrated from {log}, starting from {Path(settings.preset).name}. Constants that "
            "the log does not identify are those of the preset.",
        ),
    )


def _write(path: Path, text: str) -> None:
    aside = path.with_suffix(".partial")
    try:
        aside.write_text(text, encoding="utf-8")
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
