"""Newton's method on signals: move parameters until every signal is what it is in the log.

A :class:`Fit` enters, with the log's signals and a way to simulate; parameters with standard errors
leave. There are as many signals as parameters, so the fit is exact; what the log would tell too
vaguely is left out, and why is kept. Reference: Gourieroux, Monfort and Renault (1993),
"Indirect inference"; Broyden (1965) for the slopes between simulations.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bandit.errors import BadInputError
from simulator.clustered import Clustered
from simulator.config import WorldConfig
from simulator.limits import LIMITS
from simulator.logged import Plan
from simulator.parameters import PARAMETERS, Parameter, moved
from simulator.replay import replayed
from simulator.signals import View, signals_of, view_of

__all__ = ["Fit", "FitSettings", "fitted", "is_asked"]

Float = NDArray[np.float64]

_LONGEST = 2.5  # steps of a parameter that one turn of Newton's method may move it by
_NEAR = 0.2  # of a signal's error: nearer than that need no signal come
_SHORTEST = 1e-2  # squared length of a move, in steps, that still says something about slopes
_BLIND = 10.0  # times too vague: the signal does not feel the parameter
_STIFFEST = 1e8  # condition number of the scaled system


@dataclass(frozen=True, slots=True, kw_only=True)
class FitSettings:
    """How a fit is made.

    Parameters
    ----------
    seed : int
        Of the simulated lives; another one than the log's, where that is simulated.
    warmup_days : int
        Days at the start that count only as what came before.
    replicas : int
        Simulated lives for each user of the log.
    max_users : int
        Users of the log that are simulated; of more, a sample by even steps.
    turns : int
        Most turns of Newton's method.
    only : tuple of str
        Keys of the parameters to fit, such as ``click.rate``; all without it.
    """

    seed: int = 0x0CA11B
    warmup_days: int = 7
    replicas: int = 2
    max_users: int = 20_000
    turns: int = 6
    only: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        known = [parameter.key for parameter in PARAMETERS]
        unknown = sorted(set(self.only) - set(known))
        if unknown:
            raise BadInputError(f"expected parameters among {', '.join(known)}, got {unknown}")
        if self.warmup_days < 0 or min(self.replicas, self.max_users, self.turns) < 1:
            raise BadInputError(
                f"expected a warm-up of 0 days or more, and 1 replica, user and turn or more, got "
                f"{self.warmup_days}, {self.replicas}, {self.max_users} and {self.turns}"
            )


@dataclass(slots=True, kw_only=True)
class Fit:
    """A fit on its way: the log's signals, how to simulate, and why some keep their values."""

    base: WorldConfig
    plan: Plan
    settings: FitSettings
    curve: Float
    observed: dict[str, Clustered]
    step_done: Callable[[], None]
    why: dict[str, str] = field(default_factory=dict)

    def simulated(self, thetas: dict[Parameter, float]) -> View:
        """Carry out the log's sends in the world of these parameters, and look at it."""
        logged = replayed(moved(self.base, thetas), self.plan, seed=self.settings.seed)
        self.step_done()
        return view_of(logged, warmup_days=self.settings.warmup_days)

    def signals(self, thetas: dict[Parameter, float]) -> dict[str, Clustered]:
        """Signals of the world of these parameters."""
        return signals_of(self.simulated(thetas), self.curve)


def fitted(
    fit: Fit, *, is_enough: bool
) -> tuple[dict[Parameter, float], dict[Parameter, float], int, bool]:
    """Newton's method; parameters, their standard errors, turns taken, whether it has converged.

    A log that tells of nothing is refused, unless something else of it was fitted already.
    """
    thetas = {p: p.to_scale(p.value(fit.base)) for p in _told_of(fit)}
    if not thetas and is_enough:
        return {}, {}, 0, True
    if not thetas:
        raise BadInputError(
            "expected a log that tells of something, got too few events for every parameter: "
            "give a longer log or one of more users"
        )
    signals, turns, is_near = fit.signals(thetas), 0, False
    while True:
        slopes = _slopes(fit, thetas, signals)
        kept = _identified(fit, list(thetas), signals, slopes)
        is_whole = len(kept) == len(thetas)
        slopes = slopes[np.ix_(*[[list(thetas).index(p) for p in kept]] * 2)]
        thetas = {p: thetas[p] for p in kept}
        if turns and is_whole:
            break
        # What turned out too vague goes back to where it was, and the others are moved again.
        thetas, signals, slopes, taken, is_near = _newton(fit, thetas, slopes)
        turns += taken
    inverse = np.linalg.inv(slopes)
    spread = inverse @ _noise(fit, kept, signals) @ inverse.T
    errors = np.sqrt(np.maximum(np.diag(spread), 0.0))
    return thetas, {p: float(e) for p, e in zip(kept, errors, strict=True)}, turns, is_near


def _newton(
    fit: Fit, thetas: dict[Parameter, float], slopes: Float
) -> tuple[dict[Parameter, float], dict[str, Clustered], Float, int, bool]:
    """Move until every signal is near; parameters, signals, slopes, turns, whether they are."""
    parameters, signals = list(thetas), fit.signals(thetas)
    for turn in range(fit.settings.turns + 1):
        gap = np.array([fit.observed[p.key].value - signals[p.key].value for p in parameters])
        noise = np.sqrt(np.diag(_noise(fit, parameters, signals)))
        # At the edge of its range a parameter has come as near as it can.
        at_edge = np.array([_is_at_edge(p, thetas[p]) for p in parameters])
        is_near = bool((at_edge | (np.abs(gap) <= _NEAR * noise)).all())
        if is_near or turn == fit.settings.turns:
            break
        move = _solved(slopes, gap, parameters)
        before, thetas = (
            thetas,
            {
                p: p.to_scale(p.from_scale(thetas[p] + float(m)))
                for p, m in zip(parameters, move, strict=True)
            },
        )
        told, signals = signals, fit.signals(thetas)
        slopes = _broyden(slopes, parameters, (before, thetas), (told, signals))
    return thetas, signals, slopes, turn, is_near


def _is_at_edge(parameter: Parameter, theta: float) -> bool:
    low, high = (parameter.to_scale(edge) for edge in LIMITS[".".join(parameter.path)])
    return not low + 1e-9 < theta < high - 1e-9


def _told_of(fit: Fit) -> list[Parameter]:
    """Parameters whose signal is there and rests on enough."""
    kept = []
    for parameter in PARAMETERS:
        if parameter.moves == "click delays":
            continue
        told = fit.observed[parameter.key]
        is_there = np.isfinite(told.value) and told.se > 0
        if is_asked(fit, parameter, n=told.n if is_there else 0.0):
            kept.append(parameter)
    return kept


def is_asked(fit: Fit, parameter: Parameter, *, n: float) -> bool:
    """Whether to fit a parameter that is told of by ``n`` events; if not, why is kept."""
    if fit.settings.only and parameter.key not in fit.settings.only:
        fit.why[parameter.key] = "was not asked for"
    elif n < parameter.least_events:
        fit.why[parameter.key] = f"rests on {n:.0f} events, {parameter.least_events} are needed"
    elif parameter.value(fit.base) <= 0 and parameter.scale != "plain":
        fit.why[parameter.key] = "is switched off in the preset"
    else:
        return True
    return False


def _slopes(fit: Fit, thetas: dict[Parameter, float], signals: dict[str, Clustered]) -> Float:
    """What each parameter does to each signal, (signals, parameters), by one step each.

    Parameters that move no signal but their own are moved together, in one simulation.
    """
    parameters = list(thetas)
    place = {p: i for i, p in enumerate(parameters)}
    slopes = np.zeros((len(parameters), len(parameters)))
    alone = [[p] for p in parameters if p.moves != "own"]
    together = [p for p in parameters if p.moves == "own"]
    for group in (*alone, *([together] if together else [])):
        there = {p: p.to_scale(p.from_scale(thetas[p] + p.step)) for p in group}
        back = {p: p.to_scale(p.from_scale(thetas[p] - p.step)) for p in group}
        # At the edge of its range a parameter is moved the other way.
        there = {p: t if abs(t - thetas[p]) > 1e-6 else back[p] for p, t in there.items()}
        changed = fit.signals(thetas | there)
        for p in group:
            for q in _moved_by(p, parameters):
                rise = changed[q.key].value - signals[q.key].value
                slopes[place[q], place[p]] = rise / (there[p] - thetas[p])
    return np.nan_to_num(slopes)


def _moved_by(parameter: Parameter, parameters: Sequence[Parameter]) -> list[Parameter]:
    """Parameters whose signals this one moves; where theory knows of none, noise is no slope."""
    if parameter.moves == "own":
        return [parameter]
    return [q for q in parameters if not q.is_apart]


def _identified(
    fit: Fit, parameters: list[Parameter], signals: dict[str, Clustered], slopes: Float
) -> list[Parameter]:
    """Leave out, the vaguest first, what the log would tell too vaguely."""
    kept = list(range(len(parameters)))
    while kept:
        some = [parameters[i] for i in kept]
        part = slopes[np.ix_(kept, kept)]
        noise = _noise(fit, some, signals)
        scaled = part / np.sqrt(np.diag(noise))[:, None]
        if np.linalg.cond(scaled) < _STIFFEST:
            inverse = np.linalg.inv(part)
            errors = np.sqrt(np.diag(inverse @ noise @ inverse.T))
        else:
            # The column that its own signal feels least makes the system stiff.
            errors = np.array([p.widest for p in some]) / np.maximum(np.abs(np.diag(scaled)), 1e-12)
            errors += np.array([p.widest for p in some])
        vague = errors / np.array([p.widest for p in some])
        worst = int(np.argmax(vague))
        if vague[worst] <= 1.0:
            return some
        fit.why[some[worst].key] = (
            f"its standard error would be {errors[worst]:.2g} on the {some[worst].scale} scale, "
            f"{some[worst].widest:.2g} is the most"
            if vague[worst] < _BLIND
            else "this log's pushes and hours do not show it"
        )
        del kept[worst]
    raise BadInputError(
        "expected a log that tells of something, got one that leaves every parameter vague: give "
        "a longer log or one of more users"
    )


def _noise(fit: Fit, parameters: Sequence[Parameter], signals: dict[str, Clustered]) -> Float:
    """Covariance of (log − simulation) of the signals, by user clusters."""

    def of(found: dict[str, Clustered]) -> Float:
        influence = np.stack([found[p.key].influence for p in parameters])
        return influence @ influence.T

    return of(fit.observed) + of(signals)


def _solved(slopes: Float, gap: Float, parameters: Sequence[Parameter]) -> Float:
    """Newton's move; each group of parameters no further than its own slopes can be trusted."""
    move = np.linalg.lstsq(slopes, gap, rcond=None)[0]
    too_far = np.abs(move) / (_LONGEST * np.array([p.step for p in parameters]))
    groups = np.array([p.moves for p in parameters])
    for group in np.unique(groups):
        # One factor for a group keeps its direction, and a wild one does not hold up the others.
        move[groups == group] /= max(1.0, float(too_far[groups == group].max()))
    return np.asarray(move)


def _broyden(
    slopes: Float,
    parameters: Sequence[Parameter],
    thetas: tuple[dict[Parameter, float], dict[Parameter, float]],
    signals: tuple[dict[str, Clustered], dict[str, Clustered]],
) -> Float:
    """Slopes that agree with the last move, changed as little as can be, zeros kept.

    Broyden's update (1965), row by row over what may move each signal: Schubert (1970).
    """
    step = np.array([p.step for p in parameters])
    move = np.array([thetas[1][p] - thetas[0][p] for p in parameters]) / step
    rise = np.array([signals[1][p.key].value - signals[0][p.key].value for p in parameters])
    moves = np.array([[q in _moved_by(p, parameters) for p in parameters] for q in parameters])
    felt = moves * move  # (signals, parameters)
    length = (felt**2).sum(axis=1)
    missed = rise - (slopes * step * felt).sum(axis=1)
    is_told = (length > _SHORTEST) & np.isfinite(missed)
    change = np.where(is_told, missed, 0.0) / np.maximum(length, _SHORTEST)
    return np.asarray(slopes + change[:, None] * felt / step)
