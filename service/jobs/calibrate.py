"""``opportune calibrate LOG``: fit a simulated population to a log and say how like it it is.

A folder with a decision log and its outcomes enters; a printed table of parameters and of moments,
simulated against observed, and a TOML file for :func:`simulator.config.load` leave. Bad input is
refused before anything is simulated, and the file is written whole or not at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bandit.errors import BadInputError
from bandit.log import read_log
from bandit.outcome_log import read_outcomes
from service.jobs.progress import Progress
from simulator.calibrate import Calibration, FitSettings, Fitted, calibrate, n_simulations, seen
from simulator.config import evidence_of, load
from simulator.config_file import toml_of
from simulator.fidelity import Line, fidelity, summaries
from simulator.logged import LOG_COLUMNS, Logged, logged_of
from simulator.parameters import PARAMETERS

__all__ = ["CalibrateSettings", "calibrate_log", "fidelity_lines", "parameter_lines"]

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
_LONG = (" by hour of week",)  # groups of so many lines that only their summary is printed


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrateSettings:
    """What ``opportune calibrate`` was asked for."""

    log: Path
    preset: str = "ecommerce"
    out: Path | None = None
    seed: int = 1
    warmup_days: int = 7


def calibrate_log(settings: CalibrateSettings) -> Iterator[str]:
    """Fit; yield the lines to print.

    Raises
    ------
    BadInputError, ForeignFileError
        For a folder without a whole log, a preset that there is not, a log that tells nothing, or
        a file to write that cannot be.
    """
    config = load(settings.preset)
    out = _writable(settings.out)
    fit_settings = FitSettings(seed=settings.seed, warmup_days=settings.warmup_days)
    logged = _read(settings.log)
    seen(logged, fit_settings)
    with Progress(n_simulations(fit_settings), "simulations") as progress:
        found = calibrate(logged, config, settings=fit_settings, step_done=progress.step)
        # The fit may be over sooner than it might have taken.
        progress.bar.total = progress.bar.n
        progress.bar.refresh()
    lines = fidelity(found.observed, found.simulated)
    yield from _read_lines(logged, found)
    yield from parameter_lines(found.table)
    yield ""
    yield from fidelity_lines(lines)
    yield from ("", *found.notes) if found.notes else ()
    if out is not None:
        _write(out, _toml(settings, found))
        yield f"\nwritten: {out} (read it with simulator.config.load or --preset {out})"


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
    yield f"{'group':40s} {'lines':>5s} {'agree':>6s} {'differ':>6s} {'too few':>8s}   worst"
    for group in summaries(lines):
        yield (
            f"{group.group:40s} {group.lines:5d} {group.agree:6d} {group.differ:6d} "
            f"{group.too_few:8d}   {group.worst}"
        )
    yield "(of lines that are all right, one in twenty differs by chance)"
    yield ""
    yield f"{'moment':58s} {'observed':>28s} {'simulated':>28s}   verdict"
    for line in lines:
        if line.n > 0 and not line.group.endswith(_LONG):
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


def _read_lines(logged: Logged, found: Calibration) -> Iterator[str]:
    plan = logged.plan
    yield (
        f"{plan.n_users} users, {len(plan.user)} decisions, {int(plan.is_sent.sum())} pushes, "
        f"{int(logged.is_clicked.sum())} clicks, {len(logged.sessions.user)} sessions, "
        f"{len(logged.orders.user)} orders; {found.turns} turns, "
        f"{'converged' if found.is_converged else 'not converged'}"
    )
    yield ""


def _writable(out: Path | None) -> Path | None:
    """The file to write, refused before the work where it cannot be written."""
    if out is None:
        return None
    if out.suffix != ".toml":
        raise BadInputError(f"expected --out to end in .toml, got {out}: load reads such files")
    if not out.parent.is_dir():
        raise BadInputError(f"expected the folder of {out} to be there: make it, and call again")
    return out


def _toml(settings: CalibrateSettings, found: Calibration) -> str:
    log = settings.log.resolve().name
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
