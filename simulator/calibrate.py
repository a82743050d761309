"""Fit a population to a log: the world whose signals are those of the log.

A record of a log and a preset enter; a configuration and a table of parameters with intervals
leave. The log's own sends are carried out on simulated users under common random numbers, and
Newton's method moves the parameters until every signal is what it is in the log: as many signals
as parameters, so the fit is exact and its intervals come from the signals' errors by user
clusters, the simulation's own included. What moves click delays alone is fitted to these first,
by likelihood (:mod:`simulator.click_delays`). What a log does not identify keeps the preset's
value and is named. Reference: McFadden (1989), "A method of simulated moments"; Gourieroux,
Monfort and Renault (1993), "Indirect inference".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bandit.errors import BadInputError
from simulator.click_delays import DelayFit, click_delays_of, fitted_delays
from simulator.config import WorldConfig
from simulator.logged import Logged, Plan
from simulator.newton import Fit, FitSettings, fitted, is_asked
from simulator.parameters import PARAMETERS, Parameter, moved
from simulator.replay import as_counted, repeated
from simulator.signals import View, hour_curve, signals_of, view_of

__all__ = ["Calibration", "FitSettings", "Fitted", "calibrate", "n_simulations", "seen"]

Float = NDArray[np.float64]

_Z = 1.959963984540054  # a standard normal's 97.5 % point


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A parameter after a fit."""

    name: str
    preset: float
    value: float
    low: float  # 95 % interval; NaN where the log does not tell
    high: float
    is_fitted: bool
    why: str  # it kept the preset's value; empty where it did not


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What a fit found."""

    config: WorldConfig
    table: tuple[Fitted, ...]
    observed: View
    simulated: View
    turns: int
    is_converged: bool
    notes: tuple[str, ...]


def calibrate(
    logged: Logged,
    config: WorldConfig,
    *,
    settings: FitSettings | None = None,
    step_done: Callable[[], None] = lambda: None,
) -> Calibration:
    """Fit the parameters that a log tells of; the others keep the values of ``config``.

    Parameters
    ----------
    logged : Logged
        See :func:`simulator.logged.logged_of`.
    config : WorldConfig
        Where the fit starts, usually a preset.
    settings : FitSettings, optional
        How the fit is made.
    step_done : callable, optional
        Called after each simulation.

    Raises
    ------
    BadInputError
        If the log has no holds that were drawn at random, no sends, or nothing that is identified.
    """
    settings = settings or FitSettings()
    observed = seen(logged, settings)
    curve = hour_curve(observed)
    fit = Fit(
        base=as_counted(config, logged.plan),
        plan=repeated(_sampled(logged.plan, settings.max_users), settings.replicas),
        settings=settings,
        curve=curve,
        observed=signals_of(observed, curve),
        step_done=step_done,
    )
    delays = _delays(fit, observed)
    fit.base = moved(fit.base, delays.thetas)
    fit.why |= delays.why
    thetas, errors, turns, is_converged = fitted(fit, is_enough=bool(delays.thetas))
    is_converged &= delays.is_converged
    thetas, errors = thetas | delays.thetas, errors | delays.errors
    made = moved(fit.base, thetas)
    return Calibration(
        config=made,
        table=_table(fit, config, made, thetas, errors),
        observed=observed,
        simulated=fit.simulated(thetas),
        turns=turns,
        is_converged=is_converged,
        notes=_notes(logged, is_converged),
    )


def seen(logged: Logged, settings: FitSettings) -> View:
    """Look at a log after the warm-up, and refuse it where nothing could be fitted to it.

    Raises
    ------
    BadInputError
        If it has no holds that were drawn at random, or no pushes.
    """
    view = view_of(logged, warmup_days=settings.warmup_days)
    if not len(view.exposure.row):
        raise BadInputError(
            f"expected pushes after the first {settings.warmup_days} days, got none in the log: "
            "give a longer log or a shorter warm-up"
        )
    return view


def n_simulations(settings: FitSettings) -> int:
    """About how many simulations a fit takes, for a progress bar."""
    a_look = 1 + sum(parameter.moves == "all" for parameter in PARAMETERS)
    return 2 * a_look + settings.turns + 2


def _delays(fit: Fit, observed: View) -> DelayFit:
    """Fit what moves click delays alone, where there are clicks enough."""
    delays = click_delays_of(observed)
    some = [
        p for p in PARAMETERS if p.moves == "click delays" and is_asked(fit, p, n=len(delays.user))
    ]
    return fitted_delays(fit.base, delays, some)


def _sampled(plan: Plan, max_users: int) -> Plan:
    """The plan of at most ``max_users`` users, every so-manieth of them."""
    if plan.n_users <= max_users:
        return plan
    chosen = np.unique(np.linspace(0, plan.n_users - 1, max_users).astype(np.int64))
    place = np.full(plan.n_users, -1)
    place[chosen] = np.arange(len(chosen))
    rows = place[plan.user] >= 0
    columns = ("at_ms", "is_sent", "send_ms", "item", "hold_weight")
    return replace(
        plan,
        zone=plan.zone[chosen],
        is_reachable=plan.is_reachable[chosen],
        user=place[plan.user[rows]],
        **{name: getattr(plan, name)[rows] for name in columns},
    )


def _table(
    fit: Fit,
    preset: WorldConfig,
    made: WorldConfig,
    thetas: dict[Parameter, float],
    errors: dict[Parameter, float],
) -> tuple[Fitted, ...]:
    rows = []
    for p in PARAMETERS:
        is_fitted = p in thetas
        low, high = (
            (p.from_scale(thetas[p] - _Z * errors[p]), p.from_scale(thetas[p] + _Z * errors[p]))
            if is_fitted
            else (float("nan"), float("nan"))
        )
        rows.append(
            Fitted(
                name=p.name,
                preset=p.value(preset),
                value=p.value(made),
                low=low,
                high=high,
                is_fitted=is_fitted,
                why="" if is_fitted else fit.why[p.key],
            )
        )
    return tuple(rows)


def _notes(logged: Logged, is_converged: bool) -> tuple[str, ...]:
    notes = []
    if not is_converged:
        notes.append(
            "The fit has not come as near to every signal as its noise allows: the preset may be "
            "far from this log, or the log from any such world. Look at the fidelity table."
        )
    plan = logged.plan
    sent = np.bincount(plan.user, weights=plan.is_sent, minlength=plan.n_users)
    asked = np.bincount(plan.user, minlength=plan.n_users)
    some = plan.is_reachable & (asked >= 10)
    if some.any():
        share = sent[some] / asked[some]
        expected = share.mean() * (1.0 - share.mean()) * np.mean(1.0 / asked[some])
        if share.var() > 4.0 * max(expected, 1e-12):
            notes.append(
                "Users were sent to with very different frequency: what is fitted to clicks by "
                "frequency also reflects who was sent to, unless that was drawn at random."
            )
    return tuple(notes)
