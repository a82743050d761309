"""Simulated against observed, moment by moment, with intervals and a verdict a line.

Two views enter, of a log and of the same plan on simulated users; a table leaves. A line agrees
where its difference lies within the 95 % interval of the two errors together, so of many lines
that are all right one in twenty does not. A line is judged where both sides rest on enough events,
or would at the other's rate: none is something, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simulator.moments import Moment, moments_of
from simulator.signals import View

__all__ = ["Line", "Summary", "fidelity", "summaries"]

_Z = 1.959963984540054
_LEAST_EVENTS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One moment of both."""

    group: str
    name: str
    unit: str
    observed: float
    observed_low: float
    observed_high: float
    simulated: float
    simulated_low: float
    simulated_high: float
    n: float  # events of the log
    z: float  # difference over its standard error
    verdict: str  # agrees, differs or too few


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The lines of one group."""

    group: str
    lines: int
    agree: int
    differ: int
    too_few: int
    worst: str  # name of the line that differs most; empty where there is none


def fidelity(observed: View, simulated: View) -> tuple[Line, ...]:
    """Compare every moment of a log with that of a simulation of it."""
    pairs = zip(moments_of(observed), _aligned(observed, simulated), strict=True)
    return tuple(_line(seen, made) for seen, made in pairs)


def summaries(lines: Sequence[Line]) -> tuple[Summary, ...]:
    """How many lines of each group agree."""
    return tuple(
        _summary(group, [line for line in lines if line.group == group])
        for group in dict.fromkeys(line.group for line in lines)
    )


def _aligned(observed: View, simulated: View) -> list[Moment | None]:
    """The simulation's moment for each of the log's; none where it has no such line."""
    made = {(m.group, m.name): m for m in moments_of(simulated)}
    return [made.get((m.group, m.name)) for m in moments_of(observed)]


def _line(seen: Moment, made: Moment | None) -> Line:
    value, se, low, high = np.full(4, np.nan)
    if made is not None:
        value, se, low, high = made.value, made.se, made.low, made.high
    error = float(np.hypot(seen.se, se))
    z = float(value - seen.value) / error if error > 0 else float("nan")
    has_enough = _rests_on(seen, made) >= _LEAST_EVENTS and np.isfinite(z)
    verdict = "too few" if not has_enough else "agrees" if abs(z) <= _Z else "differs"
    return Line(
        group=seen.group,
        name=seen.name,
        unit=seen.unit,
        observed=seen.value,
        observed_low=seen.low,
        observed_high=seen.high,
        simulated=float(value),
        simulated_low=float(low),
        simulated_high=float(high),
        n=seen.n,
        z=z,
        verdict=verdict,
    )


def _rests_on(seen: Moment, made: Moment | None) -> float:
    """Events on the side with fewer; of counts, those it would have at the other's rate count."""
    if made is None:
        return 0.0
    ours, theirs = seen.n, made.n
    if min(seen.chances, made.chances) > 0:
        times = seen.chances / made.chances
        ours, theirs = max(ours, theirs * times), max(theirs, ours / times)
    return min(ours, theirs)


def _summary(group: str, lines: Sequence[Line]) -> Summary:
    counts = {v: sum(line.verdict == v for line in lines) for v in ("agrees", "differs", "too few")}
    judged = [line for line in lines if line.verdict != "too few"]
    worst = max(judged, key=lambda line: abs(line.z), default=None)
    return Summary(
        group=group,
        lines=len(lines),
        agree=counts["agrees"],
        differ=counts["differs"],
        too_few=counts["too few"],
        worst=f"{worst.name} ({worst.z:+.1f} se)" if worst else "",
    )
