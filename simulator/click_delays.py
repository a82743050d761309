"""How long after delivery a click comes: the law under which a log's click delays are likeliest.

A :class:`~simulator.signals.View` of a log enters; values on the scales of the parameters that only
move click delays leave, with their errors. Nothing is simulated: the law of
:func:`simulator.pushes.click_delay_min` has a density. Slow answers that a night moved to its end
could come from any of its hours, and their densities are added up; answers after the log's end are
not seen, and what is seen is divided by the chance of that. Reference: Berndt, Hall, Hall and
Hausman (1974) for the steps; White (1982) for errors that hold where the law is not quite the
log's, here by user clusters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bandit.slots import HOUR_MS
from simulator.config import WorldConfig
from simulator.parameters import Parameter, moved
from simulator.pushes import NIGHT_ENDS_H
from simulator.sections import Delivery
from simulator.signals import View

__all__ = ["ClickDelays", "DelayFit", "click_delays_of", "fitted_delays", "log_likelihood"]

Float = NDArray[np.float64]
Whole = NDArray[np.int64]
Flags = NDArray[np.bool_]

_SHORTEST_MIN = 1.0 / 60.0  # clocks tell seconds
_AT_ONCE_MIN = 120.0  # an answer in the night that is later than that is no quick one
_APART = 1e-4  # between the points of a numerical derivative, on a parameter's scale
_TURNS = 200
_NEAR = 1e-6  # log-likelihood that one more step could gain
_DAMPED = 1e10  # a step that must be this short gains nothing
_LONGEST = 0.5  # of a step, on a parameter's scale
_FLAT = 1e-6  # least bend for each click of a likelihood that has a top
_MOST = 0.999  # of all answers, that the fitted shares may have together
_TINY = 1e-300


@dataclass(frozen=True, slots=True, kw_only=True)
class ClickDelays:
    """N clicks, each with what its hour and the log's end have made of the law."""

    n_users: int  # U clusters
    user: Whole  # (N,) 0 to U − 1
    minutes: Float  # (N,) from delivery
    is_awake: Flags  # (N,) a slow answer may have been meant for this hour
    is_moved: Flags  # (N, 6) ... or for 1 to 6 hours earlier, in the night
    seen_min: Float  # (N,) from delivery to the log's end
    slow_seen_min: Float  # (N,) ... to the last hour that the night does not move beyond it


@dataclass(frozen=True, slots=True, kw_only=True)
class DelayFit:
    """The likeliest values of what the delays tell, on the parameters' scales."""

    thetas: dict[Parameter, float]
    errors: dict[Parameter, float]  # standard errors by user clusters, all parameters left free
    why: dict[str, str]  # by key, of what the delays do not tell
    is_converged: bool


def click_delays_of(view: View) -> ClickDelays:
    """Clicks of the pushes after the warm-up, of users whose local time is known."""
    logged, plan = view.logged, view.logged.plan
    row = view.exposure.row[logged.is_clicked[view.exposure.row]]
    row = row[plan.zone[plan.user[row]] >= 0]
    user = plan.user[row]
    minutes = np.maximum(logged.click_min[row], _SHORTEST_MIN)
    # A click comes a delay after its delivery, which is not always the start of its hour.
    at_ms = logged.delivered_ms[row] + np.rint(60_000.0 * logged.click_min[row]).astype(np.int64)
    local = plan.hour_of_week(user, at_ms) % 24
    # In a world nobody slow answers in the night; in life some do, and were not moved.
    is_late = minutes > _AT_ONCE_MIN
    earlier = np.arange(1, NIGHT_ENDS_H + 1)
    meant = plan.hour_of_week(user[:, None], at_ms[:, None] - earlier * HOUR_MS) % 24
    seen_min = (plan.end_ms - logged.delivered_ms[row]) / 60_000.0
    last = plan.end_ms - earlier * HOUR_MS
    beyond = plan.hour_of_week(user[:, None], np.broadcast_to(last, meant.shape)) % 24
    hidden_h = (beyond + earlier <= NIGHT_ENDS_H).sum(axis=1)
    return ClickDelays(
        n_users=plan.n_users,
        user=user,
        minutes=minutes,
        is_awake=(local >= NIGHT_ENDS_H) | is_late,
        is_moved=meant + earlier == NIGHT_ENDS_H,
        seen_min=seen_min,
        slow_seen_min=np.maximum(seen_min - 60.0 * hidden_h, 0.0),
    )


def log_likelihood(delivery: Delivery, delays: ClickDelays) -> Float:
    """Log of the density of each click's delay, given that it was seen, (N,)."""
    shares = delivery.delay_shares
    density = shares[0] * _log_normal(
        delays.minutes, delivery.fast_median_min, delivery.fast_sd
    ) + delays.is_awake * _slow(delivery, delays.minutes)
    row, earlier = np.nonzero(delays.is_moved)
    meant = delays.minutes[row] - 60.0 * (earlier + 1)
    moved_here = np.where(meant > 0, _slow(delivery, np.maximum(meant, _SHORTEST_MIN)), 0.0)
    density += np.bincount(row, weights=moved_here, minlength=len(density))
    seen = (
        shares[0] * _log_normal_below(delays.seen_min, delivery.fast_median_min, delivery.fast_sd)
        + shares[1]
        * _log_normal_below(delays.slow_seen_min, delivery.slow_median_min, delivery.slow_sd)
        - shares[2] * np.expm1(-delays.slow_seen_min / (60.0 * delivery.tail_mean_h))
    )
    return np.asarray(np.log(np.maximum(density, _TINY)) - np.log(np.maximum(seen, _TINY)))


def fitted_delays(
    config: WorldConfig, delays: ClickDelays, parameters: Sequence[Parameter]
) -> DelayFit:
    """Fit what the delays tell; what they tell too vaguely keeps the value of ``config``.

    Errors are those of the fit in which the vague ones were free too, for the values that these
    keep may be wrong.

    Parameters
    ----------
    config : WorldConfig
        Where the fit starts; what is not among the parameters stays.
    delays : ClickDelays
        See :func:`click_delays_of`.
    parameters : sequence of P Parameter
        Of the section ``delivery``, such that move nothing but click delays.
    """
    kept, why = list(parameters), {}
    theta, is_converged = _likeliest(config, delays, kept)
    se = _errors(config, delays, kept, theta)
    while np.isinf(se).any():
        flat = kept.pop(int(np.argmax(np.isinf(se))))
        why[flat.key] = "the likelihood of this log's click delays does not bend for it"
        theta, is_converged = _likeliest(config, delays, kept)
        se = _errors(config, delays, kept, theta)
    errors = dict(zip(kept, se.tolist(), strict=True))
    sure = [p for p in kept if errors[p] <= p.widest]
    if len(sure) < len(kept):
        theta, is_converged = _likeliest(config, delays, sure)
    why |= {
        p.key: f"its standard error would be {errors[p]:.2g} on the {p.scale} scale, "
        f"{p.widest:.2g} is the most"
        for p in kept
        if p not in sure
    }
    return DelayFit(
        thetas=dict(zip(sure, theta.tolist(), strict=True)),
        errors={p: errors[p] for p in sure},
        why=why,
        is_converged=is_converged,
    )


def _likeliest(
    config: WorldConfig, delays: ClickDelays, parameters: Sequence[Parameter]
) -> tuple[Float, bool]:
    """Climb the likelihood from the values of ``config``; where it is highest, whether it is."""
    theta = _inside(parameters, np.array([p.to_scale(p.value(config)) for p in parameters]))
    if not len(theta):
        return theta, True
    reached, damping = _at(config, delays, parameters, theta).sum(), 1e-3
    for _ in range(_TURNS):
        scores = _scores(config, delays, parameters, theta)
        slope, outer = scores.sum(axis=0), scores.T @ scores
        gain = 0.0
        while gain <= 0.0 and damping < _DAMPED:
            step = np.linalg.solve(outer + damping * np.diag(np.diag(outer) + 1.0), slope)
            step /= max(1.0, float(np.abs(step).max()) / _LONGEST)
            there = _inside(parameters, theta + step)
            gain = _at(config, delays, parameters, there).sum() - reached
            damping *= 4.0 if gain <= 0.0 else 1.0
        if gain < _NEAR:
            return theta, True
        theta, reached, damping = there, reached + gain, max(damping / 8.0, 1e-9)
    return theta, False


def _at(
    config: WorldConfig, delays: ClickDelays, parameters: Sequence[Parameter], theta: Float
) -> Float:
    """Log-likelihood of each click at some values on the parameters' scales, (N,)."""
    values = dict(zip(parameters, theta.tolist(), strict=True))
    return log_likelihood(moved(config, values).delivery, delays)


def _inside(parameters: Sequence[Parameter], theta: Float) -> Float:
    """The values, with shares that leave something to those that are not among them, (P,)."""
    shares = {
        p: p.from_scale(t) for p, t in zip(parameters, theta, strict=True) if p.share is not None
    }
    scale = _MOST / max(sum(shares.values()), _MOST)
    return np.array(
        [
            p.to_scale(scale * shares[p]) if p in shares else t
            for p, t in zip(parameters, theta.tolist(), strict=True)
        ]
    )


def _scores(
    config: WorldConfig, delays: ClickDelays, parameters: Sequence[Parameter], theta: Float
) -> Float:
    """Slope of each click's log-likelihood by each parameter, (N, P)."""
    rises = [
        _at(config, delays, parameters, theta + apart)
        - _at(config, delays, parameters, theta - apart)
        for apart in _APART * np.eye(len(theta))
    ]
    return np.stack(rises, axis=1) / (2.0 * _APART)


def _errors(
    config: WorldConfig, delays: ClickDelays, parameters: Sequence[Parameter], theta: Float
) -> Float:
    """Standard errors by user clusters, (P,).

    Where the likelihood is flat, infinite for the parameter that it is flattest for, and 0 for the
    others, which have none then.
    """
    if not len(theta):
        return theta
    information = _information(config, delays, parameters, theta)
    heights, ways = np.linalg.eigh(information)
    if heights[0] <= _FLAT * len(delays.user):
        is_flattest = np.arange(len(theta)) == np.argmax(np.abs(ways[:, 0]))
        return np.where(is_flattest, np.inf, 0.0)
    n, scores = delays.n_users, _scores(config, delays, parameters, theta)
    by_user = np.stack([np.bincount(delays.user, weights=s, minlength=n) for s in scores.T])
    inverse = np.linalg.inv(information)
    spread = inverse @ (by_user @ by_user.T * n / max(n - 1, 1)) @ inverse
    return np.asarray(np.sqrt(np.diag(spread)))


def _information(
    config: WorldConfig, delays: ClickDelays, parameters: Sequence[Parameter], theta: Float
) -> Float:
    """How the log-likelihood bends down, (P, P)."""
    apart = 10.0 * _APART  # of slopes, which are differences themselves
    bends = [
        _scores(config, delays, parameters, theta + way).sum(axis=0)
        - _scores(config, delays, parameters, theta - way).sum(axis=0)
        for way in apart * np.eye(len(theta))
    ]
    bend = np.stack(bends) / (2.0 * apart)
    return np.asarray(-(bend + bend.T) / 2.0)


def _slow(delivery: Delivery, minutes: Float) -> Float:
    """Density of an answer that is not quick, times the chance of such, (N,)."""
    mean_min = 60.0 * delivery.tail_mean_h
    slow = _log_normal(minutes, delivery.slow_median_min, delivery.slow_sd)
    tail = np.exp(-minutes / mean_min) / mean_min
    return np.asarray(delivery.delay_shares[1] * slow + delivery.delay_shares[2] * tail)


def _log_normal(minutes: Float, median_min: float, sd: float) -> Float:
    """Density of a log-normal, (N,)."""
    z = np.log(minutes / median_min) / sd
    return np.asarray(np.exp(-(z**2) / 2.0) / (np.sqrt(2.0 * np.pi) * sd * minutes))


def _log_normal_below(minutes: Float, median_min: float, sd: float) -> Float:
    """Chance that a log-normal is below, (N,); to 1e-7.

    Abramowitz and Stegun (1964), 26.2.17.
    """
    z = np.log(np.maximum(minutes, _TINY) / median_min) / sd
    t = 1.0 / (1.0 + 0.2316419 * np.abs(z))
    weights = (1.330274429, -1.821255978, 1.781477937, -0.356563782, 0.319381530, 0.0)
    above = np.exp(-(z**2) / 2.0) / np.sqrt(2.0 * np.pi) * np.polyval(weights, t)
    return np.asarray(np.where(z > 0, 1.0 - above, above))
